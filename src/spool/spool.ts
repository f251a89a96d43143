import type { Batch, Position } from '../batch.ts';
import type { Mark } from './mark.ts';

/** A batch as it stands in the spool. Its bytes, its number and the order of its rows never change again. */
export interface SpoolRecord {
  /** `<spool>-<epoch>`: the `_src` of its rows. */
  readonly src: string;
  /** `_seq`: goes on through all epochs of a spool, so that the numbers are an order too. Two epochs share none. */
  readonly seq: number;
  /** `_day`: the UTC day on which the record was cut, `YYYY-MM-DD`. */
  readonly day: string;
  /** When it was committed, on the monotonic clock in milliseconds; of a record of an earlier process as well as can be told. */
  readonly committed_at: number;
  readonly batch: Batch;
  /** `_i` of the first row of each of `batch.rows`: rows are numbered through the record, table after table. */
  readonly bases: readonly number[];
  /** What was committed before it, and its own size. */
  readonly before: Mark;
  readonly size: Mark;
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
  /** Where the sources stood at the last committed record, by name: what a source that resumes goes on from. */
  readonly positions: ReadonlyMap<string, Position>;
  /** True when that request of a source was committed within the last hour, by this process or an earlier one. */
  seen(source: string, request: string): boolean;
  /** What a source remembers under names of its own, as far as it is committed: the oldest first. */
  state(source: string): ReadonlyMap<string, string>;
  /** What has been committed so far, and the number of the last record. */
  readonly mark: Mark;
  readonly last: number;
  /**
   * Appends one record. Resolves when it is committed, and waits while the spool is full. A batch without rows is a position alone.
   * Rejects only when the spool cannot go on at all.
   */
  append(batch: Batch, options?: AppendOptions): Promise<Committed>;
  /** A lane's own reader. Those that begin with the oldest record are made before one takes: what they have settled by then may go. */
  reader(lane: string, options?: ReaderOptions): SpoolReader;
  /** Ids (`<src>-<seq>-<i>`) of the rows of which a lane has appended dead letters behind that record. */
  buried(lane: string, after: number): Promise<ReadonlySet<string>>;
  /**
   * No more appends from sources, or from the stages either, which read what the sources have appended and append themselves. Readers stop lingering, and the `take` of those that
   * wait for no others resolves empty at the end.
   */
  end(who?: 'sources' | 'stages'): void;
  /** No more appends at all. Resolves when nothing is being written any more; readers go on reading. */
  close(): Promise<void>;
  /** Lets go of the files. Nobody reads any more. */
  dispose(): Promise<void>;
  /** Bytes held, and the bound; `full` while appends wait for room. */
  usage(): { bytes: number; max_bytes: number; full: boolean };
}

export interface AppendOptions {
  /** Does not wait for room: for what a lane appends (dead letters), since a lane that waits for room never makes any. */
  readonly reserved?: boolean;
  /** Whoever appends it has nothing more until it is committed: it is written at once, since waiting for others would cost each message of a source 20 ms. */
  readonly awaited?: boolean;
}

/** Who has to have ended before a reader has: the sources, for a stage; the stages, for a lane; the lanes, for that of the dead letters, which they append to. */
export type Until = 'sources' | 'stages' | 'lanes';

export interface ReaderOptions {
  /** Whose end is the reader's: that of the stages when nothing is said. */
  readonly until?: Until | undefined;
  /** Everything up to this record was settled by an earlier process. Without it, the reader begins at the oldest record. */
  readonly settled?: { readonly seq: number; readonly mark: Mark } | undefined;
  /** Called when the spool is full and this lane holds its oldest records: everything up to `seq` is to be given up. */
  readonly give_up?: ((seq: number) => void) | undefined;
}

export interface SpoolReader {
  /**
   * The next records: consecutive, of one `_day` and one epoch, in order, within the limits but at least one. Waits for the first, then lingers.
   * Empty when the spool has ended and everything was taken, or when the signal aborts. Records that cannot be read any more are passed over, and
   * told by `before` of the one that follows.
   */
  take(limits: TakeLimits, signal: AbortSignal): Promise<SpoolRecord[]>;
  /** The records `from` to `to`, less what cannot be read any more: a block that an earlier process began. The next `take` begins behind them. */
  retake(from: number, to: number): Promise<SpoolRecord[]>;
  /** Everything up to and including `seq` is settled for this lane: its memory may be used again. */
  advance(seq: number): void;
  /** The same is known on the disk too: the records may go. */
  keep(seq: number): void;
  /** The last record that is settled, and what was committed up to it. */
  readonly settled: { readonly seq: number; readonly mark: Mark };
  /** What was committed up to the last record taken or passed over. */
  readonly passed: Mark;
  /** True while records are taken and not settled. */
  readonly holding: boolean;
  /** Everything up to `seq` is given up: the next `take` begins behind it. */
  skip(seq: number): void;
  /** When the oldest record that is not settled was committed, on the monotonic clock; undefined when there is none, or when it was not looked at yet. */
  oldest(): number | undefined;
  /** Lets go of everything: nothing is kept for this lane any more. */
  close(): Promise<void>;
}
