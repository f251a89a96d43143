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

/** Open at once. A stream that ended in the middle of a line stays open until so many others do. */
const MOST = 1_000;
/** All of them together, in longest lines. */
const MOST_LONGEST = 16;

/**
 * Lines that a container runtime cut at 16 KiB, put together again: per stream, since stdout and stderr are interleaved in one file.
 * Bounded: of a line over the limit only the beginning is kept, and of too many open ones the oldest is let go.
 */
export class Partials {
  readonly #max: number;
  readonly #open = new Map<Origin, Partial>();
  #bytes = 0;

  constructor(max_line_bytes: number) {
    this.#max = max_line_bytes;
  }

  /** True while a line of this stream is unfinished. */
  has(origin: Origin): boolean {
    return this.#open.size > 0 && this.#open.has(origin);
  }

  /** The line goes on: keeps its text. Gives what is let go for it: the beginnings of other lines. */
  hold(line: Line): Line[] {
    let open = this.#open.get(line.origin);
    if (open === undefined) {
      open = { pieces: [], length: 0, lines: 0, offset: line.offset, time: line.time };
      this.#open.set(line.origin, open);
    }
    if (open.length <= this.#max) {
      open.pieces.push(line.text);
      this.#bytes += line.text.length;
    }
    open.length += line.text.length;
    open.lines += line.lines;
    const gone: Line[] = [];
    while (this.#open.size > MOST || (this.#bytes > this.#max * MOST_LONGEST && this.#open.size > 1)) {
      gone.push(this.#beginning(this.#open.keys().next().value!));
    }
    return gone;
  }

  /** The line ends: puts what was held before it. Gives the whole length, in bytes. */
  close(line: Line): number {
    const open = this.#open.get(line.origin);
    if (open === undefined) return line.text.length;
    this.#forget(line.origin, open);
    const length = open.length + line.text.length;
    line.text = open.length > this.#max ? open.pieces.join('') : open.pieces.join('') + line.text;
    line.lines += open.lines;
    line.offset = open.offset;
    line.time = open.time;
    return length;
  }

  /** The lines that will not go on: the input has ended. */
  *rest(): Iterable<Line> {
    for (const origin of this.#open.keys()) yield this.#beginning(origin);
  }

  #beginning(origin: Origin): Line {
    const open = this.#open.get(origin)!;
    this.#forget(origin, open);
    const { pieces, lines, offset, time } = open;
    return { text: pieces.join(''), time, origin, lines, offset };
  }

  #forget(origin: Origin, { pieces }: Partial): void {
    this.#open.delete(origin);
    for (const piece of pieces) this.#bytes -= piece.length;
  }
}
