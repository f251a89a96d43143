import type { Table } from './batch.ts';

/** Which part of the decoder says it. `rule`: what was done to a value that has nothing to do with privacy. */
export type Part = 'framing' | 'dialect' | 'rule' | 'privacy';

/** What has become of a line, or of several: a row, as a byte string, or nothing that is stored. */
export type Became =
  | { readonly table: Table; readonly row: string }
  | { readonly filtered: string }
  | { readonly blank: number };

/** `{ key: 'asctime' }`, or in words: `kubectl prefix`. */
export type Source = string | { readonly key: string };

/**
 * Told by the parts of a decoder what they do with a line and why, for `steptap explain`. They tell it on the slow path only (`fast: false`), at the place
 * where it is done, and never a value that a rule hides: names of keys, and reasons. Values come with the row.
 *
 * A dialect says how it recognised the line (`note`) and where the fields of its row come from (`from`); its row tells the rest.
 */
export interface Observer {
  /** A physical line begins, and what is told from here on is about it; or, of lines that were cut, the whole that waits under `whole`. */
  line(whole?: unknown): void;
  /** What a dialect is about to read: the line behind its framing, or a part of it. `merged`: an agent's keys stand among its own. */
  reads(text: string, kind: 'text' | 'object' | 'merged'): void;
  /** `about`: the key, the field or the thing that it is about. */
  note(part: Part, what: string, about?: string): void;
  /** Where a field of the next row comes from: a key of the line, or what else a person would call it. */
  from(field: string, source: Source): void;
  /** The line in hand goes on, or belongs to an event that does: what was told of it is kept under that, any object or number. */
  waits(event: unknown): void;
  /** That event is whole: what is told up to its row is about it, and then about the line in hand again. */
  ends(event: unknown): void;
  became(what: Became): void;
}
