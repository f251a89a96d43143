import type { Batch } from '../batch.ts';

/** A batch as it stands in the spool. Its bytes, its number and the order of its rows never change again. */
export interface SpoolRecord {
  /** `<spool>-<epoch>`: the `_src` of its rows. */
  readonly src: string;
  /** `_seq`: 1, 2, 3, ... within an epoch. */
  readonly seq: number;
  /** `_day`: the UTC day on which the record was cut, `YYYY-MM-DD`. */
  readonly day: string;
  /** When it was committed, on the monotonic clock in milliseconds. */
  readonly committed_at: number;
  readonly batch: Batch;
  /** `_i` of the first row of each of `batch.rows`: rows are numbered through the record, table after table. */
  readonly bases: readonly number[];
}

export interface Committed {
  readonly seq: number;
}

/** How much a reader takes at once. */
export interface TakeLimits {
  readonly max_rows: number;
  readonly max_bytes: number;
  /** How long, in milliseconds, to wait for more after the first record was committed. */
  readonly linger_ms: number;
}

/**
 * The append-only log between sources and lanes; the one place where data and source positions become durable together.
 *
 * A source acknowledges only after `append` has resolved. A full spool does not resolve until there is room: that is the
 * backpressure. Lanes read committed records only, each through a reader of its own.
 */
export interface Spool {
  /** `<spool>-<epoch>`: random, new at every start. */
  readonly src: string;
  /**
   * Appends one record. Resolves when it is committed, and waits while the spool is full.
   * With `reserved`, does not wait: for what a lane appends (dead letters), since a lane that waits for room never makes any.
   */
  append(batch: Batch, options?: { reserved?: boolean }): Promise<Committed>;
  /** A lane's own reader. A `late` one ends with `close`, not with `end`: the dead letters' lane, which the other lanes append to. */
  reader(lane: string, options?: { late?: boolean }): SpoolReader;
  /** No more appends from sources. Readers stop lingering, and their `take` resolves empty at the end. */
  end(): void;
  /** No more appends at all. */
  close(): void;
  /** Bytes held, and the bound. */
  usage(): { bytes: number; max_bytes: number };
}

export interface SpoolReader {
  /**
   * The next records: consecutive, of one `_day`, in order, within the limits but at least one. Waits for the first, then lingers.
   * Empty when the spool has ended and everything was taken, or when the signal aborts.
   */
  take(limits: TakeLimits, signal: AbortSignal): Promise<SpoolRecord[]>;
  /** Everything up to and including `seq` is settled for this lane; when every lane says so the record is let go. */
  advance(seq: number): void;
  /** Committed records that this lane has not settled, oldest first. */
  unsettled(): Iterable<SpoolRecord>;
}
