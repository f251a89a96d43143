import type { Tuple } from '../batch.ts';
import type { EventReader } from '../event-types/reader.ts';
import type { EventTable } from '../fields.ts';
import type { Origin } from '../origin.ts';
import type { Privacy } from '../privacy/index.ts';
import type { LogFields, Voice } from './log/compose.ts';
import type { Times } from './when.ts';

/** A line behind its framing. One object is used again for every line: whoever keeps something of it copies that. */
export interface Line {
  /** Byte string, without newline. */
  text: string;
  /** The runtime's RFC 3339 timestamp beside the line; `''` if there is none. */
  time: string;
  origin: Origin;
  /** Physical lines that it was put together from. */
  lines: number;
  /** Offset of its first byte in the source. */
  offset: number;
}

/** Where a dialect puts what it made of a line. */
export interface Emit {
  /** One event: a JSON object as a byte string, starting with its `ts`. `lines` is what it took. */
  event(table: EventTable, row: string, tuple: Tuple, duration: number, lines: number): void;
  /** True when ordinary log lines are stored; else `filtered` is told of each, and no row is made of it. */
  readonly logs: boolean;
  filtered(kind: string, lines: number): void;
  /** One rejection. `line` as it was, before privacy. */
  reject(reason: string, detail: string, dialect: string, line: Line): void;
  /** A line that is nothing. */
  blank(lines: number): void;
}

/**
 * One producer's way of writing lines, for those that are JSON objects: how to recognise, validate and normalise them. Asked in the order of `DIALECTS`, after flytekit's steps and the
 * events that the pipeline describes, and before the ordinary logs; what none of them takes is a log.
 */
export interface Dialect {
  readonly name: string;
  /**
   * True when the object is one of its lines: then it is done, as events, as a rejection or as blank, with `line.lines` counted once. Must be quick to say no: every JSON line that is no step
   * asks. `text` is the object as it was written, decoded. `wrapped`: an agent has put keys of its own (TRANSPORT_KEYS) beside the line's.
   */
  take?(value: Readonly<Record<string, unknown>>, text: string, line: Line, wrapped: boolean): boolean;
  /**
   * Whose an ordinary log line is, if it is one of its own: undefined if not. `written`: the JSON object, or the text (of a stack all of it), without colours. Must be quick to say no: every
   * line that is no event asks.
   */
  says?(log: LogFields, origin: Origin, written: Readonly<Record<string, unknown>> | string): Voice | undefined;
  /** What text that is no JSON says it is, for a person: `a task event`. It then becomes a rejection, not a log. */
  claims?(text: string): string | undefined;
}

/** What a dialect is made with: it lives as long as its decoder. */
export interface DialectTools {
  readonly times: Times;
  readonly privacy: Privacy;
  readonly emit: Emit;
  readonly memory: Memory;
  /** The event types that the pipeline declares; undefined when it says nothing of them. */
  readonly types: EventReader | undefined;
}

/** What a dialect remembers of lines, over restarts too: it becomes durable with the rows that were made of them. Keys are its own, with its name before them. */
export interface Memory {
  has(key: string): boolean;
  get(key: string): string | undefined;
  put(key: string, value: string): void;
  drop(key: string): void;
  /** The oldest first. */
  keys(): Iterable<string>;
  readonly size: number;
}
