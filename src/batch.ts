/**
 * What flows between the parts of steptap: batches of rows, never one record at a time.
 *
 * A dialect makes rows, the spool keeps them, a lane sends them. Row bytes are written once and never change again.
 */

/** Where a row is stored, in the order in which the spool counts them. `tasks` is derived; `rejections` is what could not be an event; its lane is the dead-letter lane. */
export const TABLES = ['steps', 'logs', 'events', 'resources', 'tasks', 'rejections'] as const;

export type Table = (typeof TABLES)[number];

/** The labels that metrics and summaries need, interned: equal label sets are the same object. `''` where unknown. */
export interface Tuple {
  /** Small number of the object, for tables by it. Nearly always its own: who looks up by it compares the object too. */
  readonly id: number;
  readonly dialect: string;
  readonly kind: string;
  /** Normalised, low-cardinality step name. */
  readonly step: string;
  readonly status: string;
  readonly project: string;
  readonly domain: string;
  readonly task: string;
  readonly workflow: string;
  readonly error_kind: string;
  readonly root_error_type: string;
  /** Why a rejection was rejected: `schema`, `json_syntax`, ... `''` for events. */
  readonly reason: string;
  /** Labels that a user named, of a custom step: attributes of it. Those without a value are not there. */
  readonly user: ReadonlyMap<string, string>;
}

/**
 * Rows of one table, encoded once.
 *
 * `bytes` is NDJSON in UTF-8, one flat object a row, without the identity columns. Every row begins with
 * `{"ts":"YYYY-MM-DDTHH:MM:SS.ffffffZ",` (TS_END bytes up to the comma), so that a sink can put its own keys after the
 * brace, or copy the time, without parsing.
 */
export interface Rows {
  readonly table: Table;
  readonly bytes: Buffer;
  /** `ends[i]` is the offset just past the newline of row i. */
  readonly ends: Uint32Array;
  /** Index into `dictionary`, by row. */
  readonly tuple: Uint16Array;
  readonly dictionary: readonly Tuple[];
  /** `wall_time_s` by row, in seconds; NaN where the row has none. */
  readonly durations: Float64Array;
  /** Of rows that were read back: the same with these attributes of custom steps in the tuples, where rows that were just made have them already. */
  labelled?(names: readonly string[]): Rows;
}

/** Offset of the first byte of the time in a row, and of the quote behind it: `{"ts":"` is 7 bytes, a time is 27. */
export const TS_START = 7;
export const TS_END = 34;

/** Where a source stands: JSON, opaque to everything but the source that made it. */
export type Position = Readonly<Record<string, unknown>>;

/**
 * How what a source remembers under names of its own has changed: it becomes durable with the batch, and all of it stands in the head of every segment. For what is too
 * much to stand in each position, and changes little by little.
 */
export interface StateChange {
  readonly put?: readonly (readonly [key: string, value: string])[];
  readonly drop?: readonly string[];
}

export function applyChange(state: Map<string, string>, { put = [], drop = [] }: StateChange): void {
  for (const key of drop) state.delete(key);
  for (const [key, value] of put) {
    state.delete(key);
    state.set(key, value);
  }
}

/** What one source hands over at once: rows and rejections, with the position reached when they are stored. */
export interface Batch {
  /** Name of the source, for counters and dead letters: `stdin`, a file's path, `lane:clickhouse`. */
  readonly source: string;
  readonly position: Position;
  /** Bytes of the unfinished events in the position, nearly. */
  readonly carried?: number;
  /** Physical lines that this batch's rows and blank lines took. */
  readonly lines: number;
  readonly rows: readonly Rows[];
  /** Of a source that takes requests: which one this is, so that it is known when it comes again. */
  readonly request?: string | undefined;
  /** True when the source will not be read again: its position is forgotten. */
  readonly ended?: boolean | undefined;
  readonly state?: StateChange | undefined;
}

/** Bytes that a batch occupies in the spool: what its bound counts. */
export function batchBytes(batch: Batch): number {
  let bytes = 256 + (batch.carried ?? 0);
  for (const rows of batch.rows) bytes += rows.bytes.length + rows.ends.length * 14;
  for (const [key, value] of batch.state?.put ?? []) bytes += key.length + value.length + 16;
  return bytes;
}
