import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Table } from '../batch.ts';
import type { Clock } from '../clock.ts';
import {
  acceptedBy,
  leastOf,
  memoryStore,
  openCursor,
  readCursors,
  type CursorStore,
  type LaneCursor,
} from '../delivery/cursor.ts';
import { NO_TOTALS, type LaneTotals } from '../delivery/ledger.ts';
import { rebase } from '../delivery/rebase.ts';
import { errorCode, UsageError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { PrometheusSink, PrometheusState } from '../sinks/prometheus/index.ts';
import { openPrometheusStore } from '../sinks/prometheus/store.ts';
import type { Slabs } from '../slabs.ts';
import { DiskSpool, type SyncPolicy } from '../spool/disk.ts';
import { diskFs } from '../spool/files.ts';
import type { Mark } from '../spool/mark.ts';
import { MemorySpool } from '../spool/memory.ts';
import { memoryOf } from '../spool/record.ts';
import type { Spool, SpoolRecord } from '../spool/spool.ts';
import { lockState, StateInUse, type Lock } from '../state/lock.ts';

/** The value of `--state` that keeps nothing. */
export const NO_STATE = 'none';

export interface StateOptions {
  readonly state: string;
  readonly sync: SyncPolicy;
  /** Bound of the spool on disk; undefined for half of what is free, and no more than MOST_BYTES. */
  readonly spool_bytes: number | undefined;
  /** Records in memory. */
  readonly memory_bytes: number;
  /** How long to wait, in milliseconds, while another process has the directory. */
  readonly wait_ms: number;
}

/** What histograms have, and the record up to which they have it. */
export interface Counted {
  readonly metrics: PrometheusState;
  readonly cursor: LaneCursor;
}

export interface Joining {
  readonly before?: LaneCursor | undefined;
  readonly late?: boolean;
}

/** What a run keeps between its parts, and between itself and the next run. */
export interface State {
  readonly spool: Spool;
  /** True when what is accepted outlives the process. */
  readonly durable: boolean;
  /**
   * Where a lane stands that gets these tables. `before`: where the one stands that it takes the place of. A lane without a past begins with the oldest record, or,
   * when it joins a run (`late`), with what is committed from then on: what came before may be going just now.
   */
  cursor(lane: string, tables: ReadonlySet<Table>, joining?: Joining): Promise<CursorStore>;
  /** `before`: what the sink that it takes the place of has counted, and up to where. */
  prometheus(sink: PrometheusSink, before?: Counted): Promise<CursorStore>;
  /** The lane is no lane of this pipeline any more. */
  leave(lane: string): void;
  /** What was counted for a lane before it was made. */
  totals(found: LaneCursor | undefined, tables: ReadonlySet<Table>): LaneTotals;
  /** Says which lanes of earlier runs are not among these: nothing is kept for them any more. */
  forsake(lanes: readonly string[]): void;
  close(): Promise<void>;
}

const MOST_BYTES = 4 * 2 ** 30;
/** Two segments are always kept, and a segment is an eighth. */
export const LEAST_BYTES = 8 << 20;

export function spoolDirectory(state: string): string {
  return join(state, 'spool');
}

/** Throws a UsageError unless a run has kept something there. */
export function keptState(state: string): void {
  if (state === NO_STATE) throw new UsageError('--state none: nothing is kept there; name the directory of a run');
  if (!existsSync(state)) throw new UsageError(`--state ${state}: there is no such directory; name that of a run`);
}

/** The spool that a run has made; throws a UsageError when there is none. */
export function keptSpool(state: string): string {
  keptState(state);
  const directory = spoolDirectory(state);
  if (!existsSync(directory)) throw new UsageError(`--state ${state}: there is no spool; a run makes one`);
  return directory;
}

/** Opens the spool of a state directory, which this process then has alone. Throws a UsageError when it cannot be had. */
export async function openState(
  options: StateOptions,
  clock: Clock,
  log: Log,
  slabs: Slabs,
  appended: (record: SpoolRecord) => void,
): Promise<State> {
  const settled = (record: SpoolRecord): void => {
    for (const memory of memoryOf(record)) slabs.give(memory);
  };
  if (options.state === NO_STATE) {
    const spool = new MemorySpool({ clock, max_bytes: options.memory_bytes, appended, settled });
    const cursors = new Map<string, LaneCursor>();
    return {
      spool,
      durable: false,
      cursor: async (lane, tables, joining) => routed(memoryStore(lane, cursors), lane, tables, joining, spool, log),
      prometheus: async (sink, before) => counted(memoryStore(sink.name, cursors), sink, before),
      leave(lane) {
        // What comes while it is away is nobody's.
        cursors.delete(lane);
      },
      totals: (found, tables) => totalsOf(found, tables, spool),
      forsake() {},
      close: async () => {},
    };
  }
  const lock = await locked(options.state, options.wait_ms, clock, () => {
    // It was silent for so long that another process has taken the directory: two must not write to one spool.
    log('error', `--state ${options.state}: another process has taken it; this one ends`);
    process.exit(1);
  });
  const directory = spoolDirectory(options.state);
  try {
    await diskFs.makeDirectory(directory);
    const cursors = await readCursors(diskFs, directory);
    const spool = await openSpool(directory, options, leastOf(cursors.values()), clock, log, slabs, appended);
    return {
      spool,
      durable: true,
      cursor: async (lane, tables, joining) =>
        routed(await openCursor(diskFs, directory, lane, log), lane, tables, joining, spool, log),
      prometheus: async (sink, before) =>
        counted(await openPrometheusStore(diskFs, directory, sink, clock, log), sink, before),
      leave() {},
      totals: (found, tables) => totalsOf(found, tables, spool),
      forsake(lanes) {
        for (const [lane, { settled }] of cursors) {
          const waiting = spool.last - settled;
          if (lanes.includes(lane) || waiting <= 0) continue;
          log(
            'warning',
            `${lane} is no store of this run: the ${waiting} records that wait for it are not kept any longer`,
          );
        }
      },
      async close() {
        await spool.dispose();
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    const reason = `the spool cannot be opened (${errorCode(error) ?? (error as Error).message})`;
    throw new UsageError(`--state ${options.state}: ${reason}; name a directory of your own, or --state none`, {
      cause: error,
    });
  }
}

const LOOK_MS = 100;

async function locked(directory: string, wait_ms: number, clock: Clock, lost: () => void): Promise<Lock> {
  const until = clock.monotonic() + wait_ms;
  for (;;) {
    try {
      return lockState(directory, lost);
    } catch (error) {
      if (!(error instanceof StateInUse) || clock.monotonic() >= until) throw error;
    }
    await clock.sleep(LOOK_MS, new AbortController().signal);
  }
}

function totalsOf(found: LaneCursor | undefined, tables: ReadonlySet<Table>, { mark }: Spool): LaneTotals {
  return found === undefined ? NO_TOTALS : { ...found.totals, accepted: acceptedBy(found, tables, mark) };
}

/** The store with its cursor as the pipeline sends rows now. */
function routed(
  store: CursorStore,
  lane: string,
  tables: ReadonlySet<Table>,
  { before, late = false }: Joining = {},
  { last, mark }: Spool,
  log: Log,
): CursorStore {
  const anew = { settled: last, at: mark, base: mark, since: last + 1, totals: NO_TOTALS };
  const found = before ?? store.found ?? (late ? anew : undefined);
  if (found === undefined) return store;
  const { cursor, dropped } = rebase(found, tables, mark);
  if (dropped > 0) {
    const message = `${dropped} rows that waited for ${lane} are dropped: the pipeline sends their tables elsewhere now`;
    log('warning', message, { sink: lane, rows: dropped });
  }
  return standingAt(store, cursor);
}

function standingAt(store: CursorStore, found: LaneCursor): CursorStore {
  return { ...store, found, save: (...saved) => store.save(...saved), close: () => store.close() };
}

/** The store of histograms. One that has nothing of its own goes on from those that were there before. */
function counted(store: CursorStore, sink: PrometheusSink, before: Counted | undefined): CursorStore {
  const own = store.found !== undefined && store.forgetful !== true;
  if (before === undefined || own) return store;
  sink.load(before.metrics);
  return standingAt(store, before.cursor);
}

async function openSpool(
  directory: string,
  { sync, spool_bytes, memory_bytes }: StateOptions,
  least: { seq: number; mark: Mark },
  clock: Clock,
  log: Log,
  slabs: Slabs,
  appended: (record: SpoolRecord) => void,
): Promise<DiskSpool> {
  const free = await diskFs.free(directory);
  const max_bytes = spool_bytes ?? Math.max(Math.min(MOST_BYTES, Math.floor(free / 2)), LEAST_BYTES);
  return DiskSpool.open({ directory, clock, fs: diskFs, log, sync, max_bytes, memory_bytes, slabs, least, appended });
}
