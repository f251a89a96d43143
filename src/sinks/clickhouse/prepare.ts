import { EVENT_TABLES } from '../../fields.ts';
import type { Log } from '../../log.ts';
import { SinkError } from '../sink.ts';
import { apply, describeTables, lines, type Run } from './catalog.ts';
import { compare, type Difference } from './compare.ts';
import { createDatabase, createTable, createView, VIEW, type Target } from './ddl.ts';
import { prepareLegacy } from './legacy.ts';
import type { ClickHouseOptions } from './schema.ts';
import { askingSettings, knowsTokens, pinned, WHICH_SETTINGS, type Settings } from './settings.ts';

/** The options, with the columns that a pipeline declares. */
export type Wanted = ClickHouseOptions & Pick<Target, 'declared'>;

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
export async function prepare(run: Run, options: Wanted, log: Log): Promise<Prepared> {
  const { version, names } = await identify(run);
  const prepared: Prepared = { version, settings: pinned(names), asking: askingSettings(names) };
  if (version === '') {
    log('warning', 'ClickHouse does not say what it is: its tables are neither made nor checked');
    return prepared;
  }
  if (options.table !== undefined) {
    await prepareLegacy(run, options, options.table, log);
    return prepared;
  }
  if (tooOld(names)) throw new SinkError('hold', 'version', `ClickHouse ${version} is too old: ${TOO_OLD}`);
  await prepareTables(run, options, log);
  return prepared;
}

/** What a server says that it is: its version, `''` when it says nothing, and which of the settings that steptap wants it knows. */
export async function identify(run: Run): Promise<{ version: string; names: readonly string[] }> {
  const version = lines(await run('SELECT version() FORMAT TSV'))[0] ?? '';
  return { version, names: lines(await run(WHICH_SETTINGS)) };
}

export const TOO_OLD =
  'it has no deduplication tokens, so a retry would store rows twice: use ClickHouse 23.8 or newer';

export function tooOld(names: readonly string[]): boolean {
  return names.length > 0 && !knowsTokens(names);
}

/** A database or a table, and what it lacks so that rows can be written. */
export interface Lack extends Difference {
  readonly kind: 'database' | 'table';
  readonly name: string;
  readonly exists: boolean;
}

/** What there is, and what it lacks; in the order in which it is to be made. Changes nothing. */
export async function survey(run: Run, options: Wanted): Promise<{ lacks: readonly Lack[]; view: boolean }> {
  const target = targetOf(options);
  const existing = await describeTables(run, options.database, [...EVENT_TABLES, VIEW]);
  const lacks: Lack[] = [];
  if (existing.size === 0 && !(await hasDatabase(run, target))) {
    lacks.push({
      kind: 'database',
      name: target.database,
      exists: false,
      statements: [createDatabase(target)],
      unfit: [],
    });
  }
  for (const table of EVENT_TABLES) {
    const found = existing.get(table);
    const difference =
      found === undefined ? { statements: [createTable(target, table)], unfit: [] } : compare(target, table, found);
    lacks.push({ kind: 'table', name: table, exists: found !== undefined, ...difference });
  }
  return { lacks, view: existing.has(VIEW) };
}

async function prepareTables(run: Run, options: Wanted, log: Log): Promise<void> {
  const { lacks, view } = await survey(run, options);
  const unfit = lacks.flatMap((lack) => lack.unfit);
  if (unfit.length > 0) throw new SinkError('hold', 'schema', `ClickHouse: ${unfit.join('; ')}`);
  await apply(
    run,
    options,
    lacks.flatMap(({ statements }) => statements),
    log,
  );
  if (view || options.create === 'never') return;
  try {
    await run(createView(targetOf(options)));
  } catch (error) {
    // Nothing is written through it.
    if (!(error instanceof SinkError) || error.failure !== 'hold') throw error;
    log('warning', `the view ${VIEW} was not made: ${error.message}`);
  }
}

function targetOf({ database, cluster, declared }: Wanted): Target {
  return { database, cluster, declared };
}

export async function hasDatabase(run: Run, { database }: Pick<Target, 'database'>): Promise<boolean> {
  return lines(await run(`SELECT name FROM system.databases WHERE name = '${database}' FORMAT TSV`)).length > 0;
}
