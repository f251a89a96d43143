import type { Rows, Table } from '../batch.ts';
import type { SpoolRecord } from '../spool/spool.ts';

/** Some consecutive rows of one record. */
export interface Slice {
  readonly record: SpoolRecord;
  readonly rows: Rows;
  /** `_i` of row 0 of `rows`. */
  readonly base: number;
  /** Rows `[from, to)` of `rows`. */
  readonly from: number;
  readonly to: number;
}

/**
 * What a sink gets to send: rows of one table out of one block, in order. Its bounds and its token were fixed before the first
 * send and stay the same over every retry. Splitting a part gives two new parts with tokens of their own.
 */
export interface Part {
  readonly table: Table;
  /** `_day` of all its rows, `YYYY-MM-DD`: the partition, the index name. */
  readonly day: string;
  /** `<src>-<from>-<to>`, with `/<first>-<last>` behind it after a split: the deduplication token. */
  readonly token: string;
  readonly slices: readonly Slice[];
  /** Number of rows. */
  readonly count: number;
  /** `settled[n]` is 1 when row n is already stored or dead-lettered and must not be sent again; absent when none is. */
  readonly settled?: Uint8Array;
  /** True when an earlier attempt ended without a clear answer. */
  readonly in_doubt: boolean;
}

/** One row that the sink will never take. `detail` carries no values of the row. */
export interface RowRejection {
  /** Which row of the part, from 0. */
  readonly row: number;
  /** The sink's own code: `27`, `mapper_parsing_exception`. */
  readonly code: string;
  readonly detail: string;
}

/** What became of the rows of a part. A row that is in neither list is stored. */
export interface Outcome {
  readonly rejected: readonly RowRejection[];
  /** Rows to be sent again after a pause (429 on a single document). */
  readonly again: readonly number[];
  /** How long to wait before `again`, if the sink said so. */
  readonly retry_after_ms?: number;
}

export const STORED: Outcome = { rejected: [], again: [] };

/**
 * What a failed send means for the data. `retry`: the same part again, after a pause, for ever. `hold`: an operator must act, the data
 * is fine; try again slowly and say so. `split`: some row in the part is poison, or the part is too large: halve it; a single row
 * is rejected.
 */
export type FailureClass = 'retry' | 'hold' | 'split';

export class SinkError extends Error {
  override readonly name = 'SinkError';
  readonly failure: FailureClass;
  /** The sink's own code: `241`, `HTTP 503`, `ECONNRESET`. */
  readonly code: string;
  /** True when the rows may have been stored all the same (timeout, reset, 5xx). */
  readonly in_doubt: boolean;
  readonly retry_after_ms: number | undefined;

  /** `message` says what happened and what to do, and never quotes a row or a secret. */
  constructor(
    failure: FailureClass,
    code: string,
    message: string,
    options: { in_doubt?: boolean; retry_after_ms?: number | undefined; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.failure = failure;
    this.code = code;
    this.in_doubt = options.in_doubt ?? false;
    this.retry_after_ms = options.retry_after_ms;
  }
}

/**
 * Encode, send, classify the answer; nothing else. Retry, splitting, dead letters and counters are the lane's.
 *
 * The lane calls `open` before the first `send` and again after every hold, then `send` for one part at a time; both reject with a
 * SinkError and never with anything else that is expected. `close` may be called before `open`, and twice.
 */
export interface Sink {
  readonly name: string;
  /** The tables whose rows this sink takes. */
  readonly tables: ReadonlySet<Table>;
  /** Makes sure that the part can be written: tables, indices, permissions. */
  open(signal: AbortSignal): Promise<void>;
  send(part: Part, signal: AbortSignal): Promise<Outcome>;
  /** What stands at the other end, in a few words, for the start-up log line: `ClickHouse 26.7.2 at http://...`. */
  describe(): string;
  close(): Promise<void>;
}
