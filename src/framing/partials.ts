import type { Line } from '../dialects/dialect.ts';
import type { Origin } from '../origin.ts';

interface Partial {
  /** Byte strings, in order. */
  readonly pieces: string[];
  length: number;
  lines: number;
  readonly offset: number;
  readonly time: string;
}

/**
 * Lines that a container runtime cut at 16 KiB, put together again: per stream, since stdout and stderr are interleaved in one file.
 * Bounded: of a line over the limit only the beginning is kept.
 */
export class Partials {
  readonly #max: number;
  readonly #open = new Map<Origin, Partial>();

  constructor(max_line_bytes: number) {
    this.#max = max_line_bytes;
  }

  get any(): boolean {
    return this.#open.size > 0;
  }

  /** The line goes on: keeps its text. */
  hold(line: Line): void {
    let open = this.#open.get(line.origin);
    if (open === undefined) {
      open = { pieces: [], length: 0, lines: 0, offset: line.offset, time: line.time };
      this.#open.set(line.origin, open);
    }
    if (open.length <= this.#max) open.pieces.push(line.text);
    open.length += line.text.length;
    open.lines += line.lines;
  }

  /** The line ends: puts what was held before it. Gives the whole length, in bytes. */
  close(line: Line): number {
    const open = this.#open.get(line.origin);
    if (open === undefined) return line.text.length;
    this.#open.delete(line.origin);
    const length = open.length + line.text.length;
    line.text = open.length > this.#max ? open.pieces.join('') : open.pieces.join('') + line.text;
    line.lines += open.lines;
    line.offset = open.offset;
    line.time = open.time;
    return length;
  }

  /** The lines that will not go on: the input has ended. */
  *rest(): Iterable<Line> {
    for (const [origin, open] of this.#open) {
      const { pieces, lines, offset, time } = open;
      yield { text: pieces.join(''), time, origin, lines, offset };
    }
    this.#open.clear();
  }
}
