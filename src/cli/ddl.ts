import { Command, Option } from 'commander';
import { systemClock } from '../clock.ts';
import { UsageError } from '../errors.ts';
import type { Log } from '../log.ts';
import { CLICKHOUSE_DEFAULTS, createClickHouseSink, createStatements } from '../sinks/clickhouse/index.ts';
import { several, type PlaceFlags } from './options.ts';
import { settingsOf } from './settings.ts';
import type { StoreFlags } from './store-flags.ts';
import { namedStores } from './stores.ts';

interface DdlFlags extends Pick<StoreFlags, 'clickhouse'>, Pick<PlaceFlags, 'config'> {
  database: string;
  cluster?: string;
  replicated: boolean;
  apply: boolean;
}

export function ddlCommand(log: Log): Command {
  return new Command('ddl')
    .description('Print the ClickHouse tables and the view, or create and extend them.')
    .addOption(
      new Option('--database <name>', 'database of the tables').default(
        '',
        'FLYTE_TELEMETRY_CLICKHOUSE_DATABASE, or default',
      ),
    )
    .addOption(
      new Option('--cluster <name>', 'ON CLUSTER, with replicated tables; {cluster} is the macro of the server'),
    )
    .addOption(new Option('--replicated', 'replicated tables without ON CLUSTER').default(false))
    .addOption(new Option('--apply', 'create what is missing on --clickhouse, and add columns that are').default(false))
    .addOption(
      new Option('--clickhouse <url>', 'where to apply it (default: FLYTE_TELEMETRY_CLICKHOUSE_URL)').argParser(
        several,
      ),
    )
    .addOption(
      new Option(
        '-c, --config <file>',
        'the pipeline whose ClickHouse it is, with the columns that it declares',
      ).argParser(several),
    )
    .addHelpText(
      'after',
      `
Examples:
  steptap ddl > steptap.sql
  steptap ddl --cluster '{cluster}' --database telemetry
  steptap ddl -c pipelines/event-types.yaml
  steptap ddl --apply --clickhouse http://clickhouse:8123`,
    )
    .action(async (flags: DdlFlags) => {
      await ddl(flags, log);
    });
}

async function ddl(flags: DdlFlags, log: Log): Promise<void> {
  const database =
    flags.database === '' ? (process.env['FLYTE_TELEMETRY_CLICKHOUSE_DATABASE'] ?? 'default') : flags.database;
  const cluster = flags.cluster === undefined ? {} : { cluster: flags.cluster };
  const settings = settingsOf(flags);
  const declared = settings.pipeline.types?.columns;
  if (!flags.apply) {
    let statements: string[];
    try {
      statements = createStatements({
        database,
        declared,
        ...cluster,
        ...(flags.replicated ? { replicated: true } : {}),
      });
    } catch (error) {
      throw new UsageError((error as Error).message, { cause: error });
    }
    process.stdout.write(statements.map((statement) => `${statement};\n`).join('\n'));
    return;
  }
  const found = namedStores(settings).find(([, { type }]) => type === 'clickhouse')?.[1];
  if (found?.type !== 'clickhouse')
    throw new UsageError('--apply: name the server with --clickhouse URL or FLYTE_TELEMETRY_CLICKHOUSE_URL');
  if (flags.replicated && flags.cluster === undefined)
    throw new UsageError(
      '--apply --replicated: print the statements without --apply and run them on each replica, or use --cluster',
    );
  const { type: _type, table: _legacy, tables: _tables, drop_oldest: _drop, ...options } = found;
  const sink = createClickHouseSink(
    { ...CLICKHOUSE_DEFAULTS, ...options, create: 'auto', ...cluster, database },
    { clock: systemClock, log, declared },
  );
  try {
    await sink.open(AbortSignal.timeout(120_000));
    process.stdout.write(`the tables are as they should be: ${sink.describe()}\n`);
  } finally {
    await sink.close();
  }
}
