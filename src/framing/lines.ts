import type { Transform } from 'node:stream';
import through2 from 'through2';

/** What comes out of the byte edge: whole lines, or word of a line that was too long to keep. */
export type Chunk = Lines | LongLine;

/** Whole lines, each ended by `\n` except perhaps the last one of the input. */
export interface Lines {
  readonly bytes: Buffer;
  /** Offset of `bytes[0]` in the source. */
  readonly offset: number;
}

/** A line over the limit: only its beginning is kept. */
export interface LongLine {
  readonly head: Buffer;
  readonly offset: number;
  /** Bytes that the line had, without its newline. */
  readonly length: number;
}

/** What is kept of a line over the limit. */
const HEAD_BYTES = 4096;
/** A progress bar redraws itself with `\r` and ends its line only when it is done: past this, only its last state is kept. */
const PROGRESS_BYTES = 1 << 16;
const NEWLINE = 10;
const RETURN = 13;

/**
 * Cuts a byte stream at its last newline: bytes in, Chunks out. Memory is bounded by `max_line_bytes`, whatever comes in.
 * Between batches nothing is cut or copied except a line that two reads share.
 */
export function wholeLines(max_line_bytes: number): Transform {
  const cutter = new LineCutter(max_line_bytes);
  return through2(
    { objectMode: true, writableObjectMode: false, readableHighWaterMark: 2 },
    function (this: Transform, bytes: Buffer, _encoding, done) {
      for (const chunk of cutter.push(bytes)) this.push(chunk);
      done();
    },
    function (this: Transform, done) {
      for (const chunk of cutter.end()) this.push(chunk);
      done();
    },
  );
}

export class LineCutter {
  readonly #max: number;
  /** The unfinished line, in pieces. */
  #pieces: Buffer[] = [];
  #held = 0;
  /** Offset in the source of the unfinished line, and bytes seen of it when it is over the limit. */
  #offset = 0;
  #skipped: { head: Buffer; length: number } | undefined;

  constructor(max_line_bytes: number) {
    this.#max = max_line_bytes;
  }

  push(bytes: Buffer): Chunk[] {
    const chunks: Chunk[] = [];
    let start = 0;
    const first = bytes.indexOf(NEWLINE);
    if (first !== -1 && (this.#skipped !== undefined || this.#held > 0)) {
      // The first newline ends what earlier reads began.
      this.#hold(bytes.subarray(0, first));
      const unfinished = this.#finish(true);
      if (unfinished !== undefined) chunks.push(unfinished);
      start = first + 1;
    }
    const last = bytes.lastIndexOf(NEWLINE);
    if (last >= start) {
      this.#cut(bytes, start, last + 1, chunks);
      start = last + 1;
    }
    if (start < bytes.length) this.#hold(bytes.subarray(start));
    return chunks;
  }

  end(): Chunk[] {
    const rest = this.#held > 0 || this.#skipped !== undefined ? this.#finish(false) : undefined;
    return rest === undefined ? [] : [rest];
  }

  /** Lines within one read are over the limit only if the read is larger than it. */
  #cut(bytes: Buffer, start: number, end: number, chunks: Chunk[]): void {
    let from = start;
    if (end - start > this.#max) {
      for (let at = start; at < end;) {
        const newline = bytes.indexOf(NEWLINE, at);
        if (newline - at > this.#max) {
          this.#emit(bytes.subarray(from, at), chunks);
          const head = Buffer.from(bytes.subarray(at, at + HEAD_BYTES));
          chunks.push({ head, offset: this.#offset, length: newline - at });
          this.#offset += newline + 1 - at;
          from = newline + 1;
        }
        at = newline + 1;
      }
    }
    this.#emit(bytes.subarray(from, end), chunks);
  }

  #emit(bytes: Buffer, chunks: Chunk[]): void {
    if (bytes.length === 0) return;
    chunks.push({ bytes, offset: this.#offset });
    this.#offset += bytes.length;
  }

  #hold(bytes: Buffer): void {
    if (this.#skipped !== undefined) {
      this.#skipped.length += bytes.length;
      return;
    }
    this.#pieces.push(bytes);
    this.#held += bytes.length;
    if (this.#held > PROGRESS_BYTES) this.#collapse();
    if (this.#held <= this.#max) return;
    const head = Buffer.concat(this.#pieces).subarray(0, HEAD_BYTES);
    this.#skipped = { head: Buffer.from(head), length: this.#held };
    this.#pieces = [];
    this.#held = 0;
  }

  /** Of a line that draws over itself, the part before the last `\r` is gone from the screen, and from here. */
  #collapse(): void {
    const newest = this.#pieces.at(-1)!;
    const at = newest.lastIndexOf(RETURN, newest.length - 2);
    if (at === -1) return;
    this.#offset += this.#held - (newest.length - at);
    this.#pieces = [Buffer.from(newest.subarray(at))];
    this.#held = newest.length - at;
  }

  #finish(newline: boolean): Chunk | undefined {
    const offset = this.#offset;
    const skipped = this.#skipped;
    const length = skipped?.length ?? this.#held;
    this.#offset = offset + length + (newline ? 1 : 0);
    const pieces = this.#pieces;
    this.#skipped = undefined;
    this.#pieces = [];
    this.#held = 0;
    if (skipped !== undefined) return { head: skipped.head, offset, length: skipped.length };
    return { bytes: newline ? Buffer.concat([...pieces, LF]) : Buffer.concat(pieces), offset };
  }
}

const LF = Buffer.from('\n');
