import { Command, Option } from 'commander';
import { UsageError } from '../errors.ts';
import { askState } from './asking.ts';
import { placeOptions, type PlaceFlags } from './options.ts';
import { settingsOf } from './settings.ts';
import { embeddedPath } from './stores.ts';

export function queryCommand(): Command {
  const command = new Command('query');
  for (const option of placeOptions()) command.addOption(option);
  return command
    .description('Ask the embedded store in SQL, also while a run is writing to it.')
    .argument('<sql>', 'a ClickHouse query; tables are steps, logs, events, resources and tasks')
    .addOption(
      new Option('--format <name>', "ClickHouse's output format, such as JSONEachRow or CSVWithNames").default(
        '',
        'PrettyCompactMonoBlock at a terminal, else TSVWithNames',
      ),
    )
    .addHelpText(
      'after',
      `
Examples:
  steptap query "SELECT step, count(), quantile(0.95)(wall_time_s) AS p95
    FROM steps GROUP BY step ORDER BY p95 DESC"
  steptap query "SELECT ts, task, root_error_type, message FROM events
    WHERE kind = 'error' ORDER BY ts DESC LIMIT 5"
  steptap query "SELECT task, status, overhead_ratio FROM tasks FINAL
    ORDER BY overhead_ratio DESC LIMIT 10"
  steptap query --format JSONEachRow "SELECT * FROM steps
    WHERE status = 'error'"

FINAL: a task that was corrected has more than one row, of which the newest
counts.`,
    )
    .action(async (sql: string, flags: PlaceFlags & { format: string }) => {
      process.stdout.write(await query(settingsOf(flags).state, withFormat(sql, flags.format)));
    });
}

async function query(state: string, sql: string): Promise<string> {
  try {
    const store = await askState(state, embeddedPath(state));
    try {
      return await store.ask(sql);
    } finally {
      await store.close();
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`the query failed: ${(error as Error).message}`, { cause: error });
  }
}

/** The query with an output format, unless it names one. */
function withFormat(sql: string, format: string): string {
  const text = sql.trim().replace(/;+$/, '');
  if (/\bformat\s+\w+\s*$/i.test(text)) return text;
  const chosen = format === '' ? (process.stdout.isTTY ? 'PrettyCompactMonoBlock' : 'TSVWithNames') : format;
  if (!/^\w+$/.test(chosen)) throw new UsageError(`--format ${chosen}: not the name of a format`);
  return /^(select|with|show|describe|desc|exists|explain|from)\b/i.test(text) ? `${text}\nFORMAT ${chosen}` : text;
}
