import type { Tuple } from '../batch.ts';
import type { Origin } from '../origin.ts';

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
  /** One event of table `steps`, `logs` or `events`: a JSON object as a byte string, starting with its `ts`. `lines` is what it took. */
  event(table: 'steps' | 'logs' | 'events', row: string, tuple: Tuple, duration: number, lines: number): void;
  /** True when ordinary log lines are stored; else `filtered` is told of each, and no row is made of it. */
  readonly logs: boolean;
  filtered(kind: string, lines: number): void;
  /** One rejection. `line` as it was, before privacy. */
  reject(reason: string, detail: string, dialect: string, line: Line): void;
  /** A line that is nothing. */
  blank(lines: number): void;
}
