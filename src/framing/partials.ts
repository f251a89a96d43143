import { flat } from '../bytes.ts';
import { originCarry, originOf, originSize, type PartialCarry } from '../carry.ts';
import type { Line } from '../dialects/dialect.ts';
import type { Observer } from '../observer.ts';
import type { Origin, Origins } from '../origin.ts';

interface Partial {
  /** Byte string. */
  text: string;
  /** Pieces that it was put together from since it was last one string. */
  pieces: number;
  length: number;
  lines: number;
  readonly offset: number;
  readonly time: string;
}

/** Open at once. A stream that ended in the middle of a line stays open until so many others do. */
const MOST = 1_000;
/** All of them together, in longest lines. */
const MOST_LONGEST = 16;
/** A text put together with `+` is a tree until somebody reads it: with pieces of one byte, thirty times what it says. */
const MOST_PIECES = 1_000;

/**
 * Lines that a container runtime cut at 16 KiB, put together again: per stream, since stdout and stderr are interleaved in one file.
 * Bounded: of a line over the limit only the beginning is kept, and of too many open ones the oldest is let go.
 */
export class Partials {
  readonly #max: number;
  readonly #tell: Observer | undefined;
  readonly #open = new Map<Origin, Partial>();
  #bytes = 0;
  /** What the carry takes. */
  size = 0;

  constructor(max_line_bytes: number, tell?: Observer) {
    this.#max = max_line_bytes;
    this.#tell = tell;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Offset in the source of the oldest; infinite if none is open. */
  get oldest(): number {
    for (const { offset } of this.#open.values()) return offset;
    return Number.POSITIVE_INFINITY;
  }

  /** True while a line of this stream is unfinished. */
  has(origin: Origin): boolean {
    return this.#open.size > 0 && this.#open.has(origin);
  }

  /** The line goes on: keeps its text. Gives what is let go for it: the beginnings of other lines. */
  hold(line: Line): Line[] {
    const open = this.#open.get(line.origin) ?? this.#begin(line.origin, line.offset, line.time);
    if (open.length <= this.#max) {
      open.text += line.text;
      if (++open.pieces > MOST_PIECES) {
        open.text = flat(open.text);
        open.pieces = 0;
      }
      this.#count(line.text.length);
    }
    open.length += line.text.length;
    open.lines += line.lines;
    this.#tell?.waits(open);
    const gone: Line[] = [];
    while (this.#open.size > MOST || (this.#bytes > this.#max * MOST_LONGEST && this.#open.size > 1)) {
      gone.push(this.letGo());
    }
    return gone;
  }

  /** The line ends: puts what was held before it. Gives the whole length, in bytes. */
  close(line: Line): number {
    const open = this.#open.get(line.origin);
    if (open === undefined) return line.text.length;
    this.#forget(line.origin, open);
    this.#tell?.waits(open);
    this.#tell?.line(open);
    this.#tell?.note('framing', 'the runtime had cut it', `${open.lines + line.lines} pieces joined`);
    const length = open.length + line.text.length;
    line.text = open.length > this.#max ? open.text : open.text + line.text;
    line.lines += open.lines;
    line.offset = open.offset;
    line.time = open.time;
    return length;
  }

  /** The lines that will not go on: the input has ended. */
  *rest(): Iterable<Line> {
    while (this.#open.size > 0) yield this.letGo();
  }

  /** The oldest, which is not waited for any longer. There must be one. */
  letGo(): Line {
    const [origin, open] = this.#open.entries().next().value!;
    this.#forget(origin, open);
    this.#tell?.line(open);
    this.#tell?.note('framing', 'its end has not come', 'beginning');
    const { text, lines, offset, time } = open;
    return { text, time, origin, lines, offset };
  }

  carry(): PartialCarry[] {
    return [...this.#open].map(([origin, { text, length, lines, offset, time }]) => {
      return { origin: originCarry(origin), text, length, lines, offset, time };
    });
  }

  restore(carried: readonly PartialCarry[], origins: Origins): void {
    for (const { origin, text, length, lines, offset, time } of carried) {
      Object.assign(this.#begin(originOf(origin, origins), offset, time), { text, length, lines });
      this.#count(text.length);
    }
  }

  #begin(origin: Origin, offset: number, time: string): Partial {
    const open: Partial = { text: '', pieces: 0, length: 0, lines: 0, offset, time };
    this.#open.set(origin, open);
    this.size += originSize(origin);
    return open;
  }

  #forget(origin: Origin, { text }: Partial): void {
    this.#open.delete(origin);
    this.size -= originSize(origin);
    this.#count(-text.length);
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.size += bytes;
  }
}
