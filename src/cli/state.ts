import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Table } from '../batch.ts';
import type { Clock } from '../clock.ts';
import {
  forgetfulStore,
  leastOf,
  openCursor,
  readCursors,
  type CursorStore,
  type LaneCursor,
} from '../delivery/cursor.ts';
import { NO_TOTALS, type LaneTotals } from '../delivery/ledger.ts';
import { errorCode, UsageError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { PrometheusSink } from '../sinks/prometheus/index.ts';
import { openPrometheusStore } from '../sinks/prometheus/store.ts';
import type { Slabs } from '../slabs.ts';
import { DiskSpool, type SyncPolicy } from '../spool/disk.ts';
import { diskFs } from '../spool/files.ts';
import { between, rowsOf, type Mark } from '../spool/mark.ts';
import { MemorySpool } from '../spool/memory.ts';
import { memoryOf } from '../spool/record.ts';
import type { Spool, SpoolRecord } from '../spool/spool.ts';
import { lockState } from '../state/lock.ts';

/** The value of `--state` that keeps nothing. */
export const NO_STATE = 'none';

export interface StateOptions {
  readonly state: string;
  readonly sync: SyncPolicy;
  /** Bound of the spool on disk; undefined for half of what is free, and no more than MOST_BYTES. */
  readonly spool_bytes: number | undefined;
  /** Records in memory. */
  readonly memory_bytes: number;
}

/** What a run keeps between its parts, and between itself and the next run. */
export interface State {
  readonly spool: Spool;
  /** True when what is accepted outlives the process. */
  readonly durable: boolean;
  cursor(lane: string): Promise<CursorStore>;
  prometheus(sink: PrometheusSink): Promise<CursorStore>;
  /** What earlier processes have counted for a lane. */
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
    const none = async (): Promise<CursorStore> => forgetfulStore();
    return {
      spool,
      durable: false,
      cursor: none,
      prometheus: none,
      totals: () => NO_TOTALS,
      forsake() {},
      close: async () => {},
    };
  }
  const lock = lockState(options.state, () => {
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
      cursor: (lane) => openCursor(diskFs, directory, lane, log),
      prometheus: (sink) => openPrometheusStore(diskFs, directory, sink, clock, log),
      totals: (found, tables) =>
        found === undefined
          ? NO_TOTALS
          : { ...found.totals, accepted: rowsOf(between(found.base, spool.mark), tables) },
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
