import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { SinkError, type Part } from '../sink.ts';
import type { Connection } from './connect.ts';
import { qualified } from './ddl.ts';
import { elsewhere } from './errors.ts';
import { literal, unbelievable } from './questions.ts';
import type { Settings } from './settings.ts';

/*
 * A process that was killed, or that stopped waiting, leaves its INSERT behind: the server goes on with what it has read, and may store rows after
 * they were counted. One process at a time holds a spool and its lane sends one part at a time, so whatever INSERT of this spool runs when a lane asks
 * is an old one, whichever epoch it is of.
 */

/** What is needed to end what runs. */
export interface Ending {
  readonly database: string;
  readonly timeout_ms: number;
  /** The table is replicated. */
  readonly lags: boolean;
  readonly asking: Settings;
  readonly clock: Clock;
  readonly log: Log;
}

const STILL_RUNNING = 'STILL_RUNNING';
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1_000;

/**
 * Ends every INSERT of the part's spool into its table, wherever one may run. An address at which nothing listens runs nothing. One that only does not
 * answer may: that is let pass where the others answer and the table is replicated, since then what it stores later is kept apart by its token. So it
 * is with the servers behind one address that stands for several: only the one that answers is asked.
 */
export async function endEverywhere(
  connections: readonly Connection[],
  part: Part,
  ending: Ending,
  signal: AbortSignal,
): Promise<void> {
  const end = (to: Connection): Promise<void> => to.quiet?.(signal) ?? endInserts(to, part, ending, signal);
  const ends = await Promise.allSettled(connections.map(end));
  const failures = ends.flatMap((each): unknown[] => (each.status === 'rejected' ? [each.reason] : []));
  const passes = (error: unknown): boolean =>
    error instanceof SinkError &&
    (error.code === 'ECONNREFUSED' || (ending.lags && elsewhere(error) && error.code !== STILL_RUNNING));
  const grave = failures.find((error) => !passes(error));
  if (grave !== undefined) throw grave;
  if (failures.length === connections.length) throw failures[0];
}

/**
 * Ends them on one server, and resolves when none runs any more. Without the right to end them it waits for them; without the right to look, it holds.
 *
 * `KILL QUERY ... SYNC` would wait as well, but goes on waiting on the server when nobody waits for its answer any more, and then there is one for
 * every try. A query is on the list until its rows are stored or given up: it leaves it last.
 */
async function endInserts(to: Connection, part: Part, ending: Ending, signal: AbortSignal): Promise<void> {
  const { clock, log, timeout_ms, asking: settings } = ending;
  const which = ofSpool(part, ending.database);
  const query = `SELECT count() FROM system.processes WHERE ${which} FORMAT TSV`;
  const deadline = clock.monotonic() + timeout_ms;
  for (let pause = FIRST_PAUSE_MS, killed = false; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    const answer = await to.ask({ query, settings }, signal).catch((error: unknown) => {
      throw mayNotLook(error, to.where);
    });
    if (!/^\d+\n$/.test(answer)) throw unbelievable(to.where);
    if (Number(answer) === 0) return;
    if (!killed) {
      killed = true;
      log('warning', `ClickHouse at ${to.where}: ending an INSERT of an earlier try`);
      await to.ask({ query: `KILL QUERY WHERE ${which} FORMAT TSV` }, signal).catch((error: unknown) => {
        if (!(error instanceof SinkError) || error.failure !== 'hold') throw error;
        log('warning', `${error.message}; it may not be ended, so it is waited for`);
      });
    } else if (clock.monotonic() >= deadline) {
      const what = `an INSERT of an earlier try still runs after ${timeout_ms} ms: see system.processes; it is waited for`;
      throw new SinkError('retry', STILL_RUNNING, `ClickHouse at ${to.where}: ${what}`, { in_doubt: true });
    }
    await clock.sleep(pause, signal);
  }
}

/**
 * By the id that we gave the query, or by its token where something in between gives queries ids of its own (chproxy does). Tokens do not name the
 * table, so there the statement has to.
 */
function ofSpool({ table, token }: Part, database: string): string {
  // A token begins with the spool, and a replay's with a letter more: a run and a replay leave each other's INSERTs alone.
  const spool = token.slice(0, token.indexOf('-') + 1);
  const byId = `startsWith(query_id, ${literal(`steptap:${table}:${spool}`)})`;
  const byToken = `startsWith(Settings['insert_deduplication_token'], ${literal(spool)})`;
  const statement = `startsWith(query, ${literal(`INSERT INTO ${qualified({ database }, table)} `)})`;
  return `${byId} OR (${byToken} AND ${statement})`;
}

/** 497 is ACCESS_DENIED. Servers of a newer configuration let nobody look who was not granted it. */
function mayNotLook(error: unknown, where: string): unknown {
  if (!(error instanceof SinkError) || error.code !== '497') return error;
  const advice = `steptap may not look whether an INSERT still runs: GRANT SELECT ON system.processes to its user`;
  return new SinkError('hold', '497', `ClickHouse at ${where}: 497: ${advice}`, { in_doubt: true });
}
