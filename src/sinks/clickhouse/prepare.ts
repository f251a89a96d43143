import { EVENT_TABLES } from '../../fields.ts';
import type { Log } from '../../log.ts';
import { SinkError } from '../sink.ts';
import { apply, describeTables, lines, type Run } from './catalog.ts';
import { compare } from './compare.ts';
import { createDatabase, createTable, createView, VIEW, type Target } from './ddl.ts';
import { prepareLegacy } from './legacy.ts';
import type { ClickHouseOptions } from './schema.ts';
import { askingSettings, knowsTokens, pinned, WHICH_SETTINGS, type Settings } from './settings.ts';

/** What was found at the other end. */
export interface Prepared {
  /** `''` when it does not say. */
  readonly version: string;
  /** Of INSERTs. */
  readonly settings: Settings;
  /** Of questions about rows. */
  readonly asking: Settings;
}

/**
 * Asks what the server is, and makes sure that its tables take our rows exactly once: makes what is missing if `create` is `auto`.
 * Rejects with a hold that names the statements to run when it may not, or when a table is unfit. What is in order needs no right
 * but to read system tables.
 *
 * A server that answers a query with nothing (a null sink) is taken as it is.
 */
export async function prepare(run: Run, options: ClickHouseOptions, log: Log): Promise<Prepared> {
  const version = lines(await run('SELECT version() FORMAT TSV'))[0] ?? '';
  const names = lines(await run(WHICH_SETTINGS));
  const prepared: Prepared = { version, settings: pinned(names), asking: askingSettings(names) };
  if (version === '') {
    log('warning', 'ClickHouse does not say what it is: its tables are neither made nor checked');
    return prepared;
  }
  if (options.table !== undefined) {
    await prepareLegacy(run, options, options.table, log);
    return prepared;
  }
  if (names.length > 0 && !knowsTokens(names)) {
    const advice = 'it has no deduplication tokens, so a retry would store rows twice: use ClickHouse 23.8 or newer';
    throw new SinkError('hold', 'version', `ClickHouse ${version} is too old: ${advice}`);
  }
  await prepareTables(run, options, log);
  return prepared;
}

async function prepareTables(run: Run, options: ClickHouseOptions, log: Log): Promise<void> {
  const target: Target = { database: options.database, cluster: options.cluster };
  const existing = await describeTables(run, options.database, [...EVENT_TABLES, VIEW]);
  const unfit: string[] = [];
  const statements: string[] = [];
  if (existing.size === 0) statements.push(...(await missingDatabase(run, target)));
  for (const table of EVENT_TABLES) {
    const found = existing.get(table);
    const difference =
      found === undefined ? { statements: [createTable(target, table)], unfit: [] } : compare(target, table, found);
    statements.push(...difference.statements);
    unfit.push(...difference.unfit);
  }
  if (unfit.length > 0) throw new SinkError('hold', 'schema', `ClickHouse: ${unfit.join('; ')}`);
  await apply(run, options, statements, log);
  if (existing.has(VIEW) || options.create === 'never') return;
  try {
    await run(createView(target));
  } catch (error) {
    // Nothing is written through it.
    if (!(error instanceof SinkError) || error.failure !== 'hold') throw error;
    log('warning', `the view ${VIEW} was not made: ${error.message}`);
  }
}

async function missingDatabase(run: Run, target: Target): Promise<string[]> {
  const found = await run(`SELECT name FROM system.databases WHERE name = '${target.database}' FORMAT TSV`);
  return lines(found).length > 0 ? [] : [createDatabase(target)];
}
