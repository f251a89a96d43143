import type { Rows, Table } from '../batch.ts';
import type { CheckItem } from '../check/item.ts';
import type { Clock } from '../clock.ts';
import { EVENT_TABLES, type Field } from '../fields.ts';
import type { Log } from '../log.ts';
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
  /** `<src>-<from>-<to>`, with `/<first>-<last>` behind it after a split and `r<n>` after a repair: the deduplication token. One token is the same rows for ever. */
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

/** Which rows of a part the sink has, as far as it can be asked. */
export interface Found {
  /** By row of the part: how often it is stored. 0 is not at all; 2 and more is a duplicate. 255 stands for all above. */
  readonly copies: Uint8Array;
  /**
   * True when rows that are stored may not show yet (a replica that lags behind): then a row that is missing may only be sent under the token
   * that it was sent under before.
   */
  readonly lags: boolean;
}

/** Records `from` to `to` of one epoch, of one day, as far as they are in one table. */
export interface StoredRange {
  readonly table: Table;
  readonly day: string;
  readonly src: string;
  readonly from: number;
  readonly to: number;
}

/** How one record is stored. `rows` above `distinct`: something is there twice. */
export interface StoredRecord {
  /** All rows, copies too. */
  readonly rows: number;
  /** Different `_i`. */
  readonly distinct: number;
}

/** What can be asked how much it holds: `steptap audit` compares it with the spool. */
export interface Auditable {
  /**
   * How the records of the range are stored, by `_seq`; one of which nothing is stored is absent. Exact, and everything that `send` has said to be
   * stored is in it, but for a replica that lags behind. After `open`; rejects like `send`.
   */
  stored(range: StoredRange, signal: AbortSignal): Promise<Map<number, StoredRecord>>;
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

/** A sink throws SinkErrors only; anything else is a bug in it, and holds the data until it is mended. Its message may quote a row. */
export function asSinkError(error: unknown): SinkError {
  if (error instanceof SinkError) return error;
  const { name, message, stack = '' } = error instanceof Error ? error : new Error('thrown');
  const [place = ''] = /\bat .+/.exec(stack.slice(stack.indexOf(message) + message.length)) ?? [];
  const text = `${name} ${place}`;
  return new SinkError('hold', 'BUG', `the sink failed in a way it does not know: ${text}`, {
    cause: error,
    in_doubt: true,
  });
}

/** The name of the lane that serves a sink: what it has settled is true of that store only. */
export function laneOf(sink: Pick<Sink, 'name' | 'lane'>): string {
  return sink.lane ?? sink.name;
}

/** What a sink is given beside its options. */
export interface SinkContext {
  readonly clock: Clock;
  readonly log: Log;
  /** Of its lane and in metrics; else that of its type. */
  readonly name?: string | undefined;
  /** Which rows it gets; else all that it takes. */
  readonly tables?: readonly Table[] | undefined;
  /** Fields of rows that the pipeline declares, behind those that all have. */
  readonly declared?: readonly Field[] | undefined;
  /** Where proxies are named; else that of the process. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
}

/** Of a sink whose reader derives tasks himself, or wants what the lines say: all but `tasks`, unless they are named. */
export const TOLD_TABLES: readonly Table[] = EVENT_TABLES.filter((table) => table !== 'tasks');

/** The tables of a sink: those it takes, less what its pipeline sends elsewhere. Throws when none is left. */
export function tablesOf(taken: readonly Table[], wanted: readonly Table[] = taken): ReadonlySet<Table> {
  const tables = new Set(wanted.filter((table) => taken.includes(table)));
  if (tables.size === 0) throw new Error(`takes rows of ${taken.join(', ')} only; name one of them in tables`);
  return tables;
}

/**
 * Encode, send, classify the answer; nothing else. Retry, splitting, dead letters and counters are the lane's.
 *
 * The lane calls `open` before the first `send` and again after every hold, then `send` for one part at a time; both reject with a
 * SinkError and never with anything else that is expected. `close` may be called before `open`, and twice.
 */
export interface Sink extends Partial<Auditable> {
  readonly name: string;
  /** Under which its lane is known, where one name stands for stores that have nothing in common. */
  readonly lane?: string;
  /**
   * Of a sink whose reader sets the pace, and may leave: aborts when he has left, for good. Then its lane ends. What it has not settled waits for the next
   * run, or is dropped where nothing outlives this one.
   */
  readonly gone?: AbortSignal;
  /** The tables whose rows this sink takes. */
  readonly tables: ReadonlySet<Table>;
  /** Those of them in which a row replaces older ones of its key: their rows may be sent twice, and cannot be counted by where they stood in the spool. */
  readonly replaces?: ReadonlySet<Table>;
  /** Makes sure that the part can be written: tables, indices, permissions. */
  open(signal: AbortSignal): Promise<void>;
  send(part: Part, signal: AbortSignal): Promise<Outcome>;
  /**
   * Which rows of a part in doubt are stored; asked before a part is split, too. First makes sure that no earlier attempt on it is still running: a process that was killed leaves its
   * queries behind. Rejects like `send`. Absent where sending again does no harm: ids that are refused the second time. Never asked for rows of
   * `replaces`.
   */
  find?(part: Part, signal: AbortSignal): Promise<Found>;
  /**
   * What a run would find: whether every end can be reached, what would be made or is missing, and what the user may. Changes nothing, needs no `open`, and
   * resolves in time (`inTime` for each endpoint), whatever is wrong. Absent where there is nothing that could be wrong.
   */
  check?(signal: AbortSignal): Promise<CheckItem[]>;
  /** What stands at the other end, in a few words, for the start-up log line: `ClickHouse 26.7.2 at http://...`. */
  describe(): string;
  close(): Promise<void>;
}
