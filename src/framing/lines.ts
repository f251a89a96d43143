import type { Transform } from 'node:stream';
import through2 from 'through2';

/** What comes out of the byte edge: whole lines, or word of a line that was too long to keep. */
export type Chunk = Lines | LongLine;

/** Whole lines, each ended by `\n` except perhaps the last one of the input. */
export interface Lines {
  readonly bytes: Buffer;
  /** Offset of `bytes[0]` in the source. */
  readonly offset: number;
  /** The read that `bytes` is a view of, when nothing else is: who has done with the lines has done with it. */
  readonly read?: Buffer;
}

/** A line that is not whole: over the limit, only its beginning is kept; or reading was stopped in the middle of it. */
export interface LongLine {
  readonly head: Buffer;
  readonly offset: number;
  /** Bytes that the line had, without its newline. */
  readonly length: number;
  /** False at the end of the input, where no newline follows. */
  readonly ended: boolean;
  /** True for a line that is not too long: reading was stopped in the middle of it. */
  readonly cut_short?: boolean;
}

/** What is kept of a line over the limit. */
const HEAD_BYTES = 4096;
/** A progress bar redraws itself with `\r` and ends its line only when it is done: past this, only its last state is kept. */
const PROGRESS_BYTES = 1 << 16;
const NEWLINE = 10;
const RETURN = 13;
const BLANK = 32;

/**
 * What the last line is when no newline ends it: `whole`, at the end of the input; `cut_short`, where reading was stopped in the middle of it;
 * `left`, the same where it will be read again: then it does not come out at all.
 */
export type LastLine = 'whole' | 'cut_short' | 'left';

/**
 * Cuts a byte stream at its last newline: bytes in, Chunks out. Memory is bounded by `max_line_bytes`, whatever comes in.
 * Between batches nothing is cut or copied except a line that two reads share. `offset`: of the first byte, in the source; `last` is asked at the end.
 */
export function wholeLines(
  max_line_bytes: number | (() => number),
  offset = 0,
  last: () => LastLine = () => 'whole',
): Transform {
  const limit = typeof max_line_bytes === 'number' ? (): number => max_line_bytes : max_line_bytes;
  const cutter = new LineCutter(limit(), offset);
  return through2(
    { readableObjectMode: true, readableHighWaterMark: 2 },
    function (this: Transform, bytes: Buffer, _encoding, done) {
      cutter.limit(limit());
      for (const chunk of cutter.push(bytes)) this.push(chunk);
      done();
    },
    function (this: Transform, done) {
      for (const chunk of cutter.end(last())) this.push(chunk);
      done();
    },
  );
}

export class LineCutter {
  #max: number;
  /** What is kept of a line over the limit: never more than the limit, so that it does not depend on where reads end. */
  #head: number;
  /** The unfinished line is the first `#held` bytes of `#kept`: copied, since a small read may pin a large buffer, and reads may be bytes. */
  #kept = NOTHING;
  #held = 0;
  /** Of a line past PROGRESS_BYTES: bytes looked at, where its current segment begins, and where the last that is not blank does. */
  #seen = 0;
  #segment = 0;
  #shown = 0;
  /** Offset in the source of the unfinished line, and bytes seen of it when it is over the limit. */
  #offset: number;
  #skipped: { head: Buffer; length: number } | undefined;

  constructor(max_line_bytes: number, offset = 0) {
    this.#max = max_line_bytes;
    this.#offset = offset;
    this.#head = Math.min(max_line_bytes, HEAD_BYTES);
  }

  /** Holds from the next bytes on. */
  limit(max_line_bytes: number): void {
    this.#max = max_line_bytes;
    this.#head = Math.min(max_line_bytes, HEAD_BYTES);
  }

  push(bytes: Buffer): Chunk[] {
    const chunks: Chunk[] = [];
    let start = 0;
    const first = bytes.indexOf(NEWLINE);
    if (first !== -1 && (this.#skipped !== undefined || this.#held > 0)) {
      // The first newline ends what earlier reads began.
      this.#hold(bytes.subarray(0, first));
      chunks.push(this.#finish(true));
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

  /** The last line, which no newline ended. */
  end(last: LastLine = 'whole'): Chunk[] {
    if (last === 'left' || (this.#held === 0 && this.#skipped === undefined)) return [];
    const offset = this.#offset;
    const chunk = this.#finish(false);
    if (last === 'whole' || 'head' in chunk) return [chunk];
    return [{ head: chunk.bytes, offset, length: chunk.bytes.length, ended: false, cut_short: true }];
  }

  /** Lines within one read are over the limit only if the read is larger than it. */
  #cut(bytes: Buffer, start: number, end: number, chunks: Chunk[]): void {
    let from = start;
    if (end - start > this.#max) {
      for (let at = start; at < end;) {
        const newline = bytes.indexOf(NEWLINE, at);
        if (newline - at > this.#max) {
          this.#emit(bytes.subarray(from, at), chunks);
          const head = Buffer.from(bytes.subarray(at, at + this.#head));
          chunks.push({ head, offset: this.#offset, length: newline - at, ended: true });
          this.#offset += newline + 1 - at;
          from = newline + 1;
        }
        at = newline + 1;
      }
    }
    this.#emit(bytes.subarray(from, end), chunks, from === start ? bytes : undefined);
  }

  #emit(bytes: Buffer, chunks: Chunk[], read?: Buffer): void {
    if (bytes.length === 0) return;
    chunks.push(read === undefined ? { bytes, offset: this.#offset } : { bytes, offset: this.#offset, read });
    this.#offset += bytes.length;
  }

  #hold(bytes: Buffer): void {
    if (this.#skipped !== undefined) {
      this.#skipped.length += bytes.length;
      return;
    }
    this.#append(bytes);
    if (this.#held > PROGRESS_BYTES) this.#collapse();
    if (this.#held <= this.#max) return;
    const head = Buffer.from(this.#kept.subarray(0, this.#head));
    this.#skipped = { head, length: this.#held };
    this.#drop();
  }

  /** There is always room for a newline. */
  #append(bytes: Buffer): void {
    const held = this.#held + bytes.length;
    if (held >= this.#kept.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(held + 1, this.#kept.length * 2));
      this.#kept.copy(larger, 0, 0, this.#held);
      this.#kept = larger;
    }
    bytes.copy(this.#kept, this.#held);
    this.#held = held;
  }

  #drop(): void {
    this.#kept = NOTHING;
    this.#held = this.#seen = this.#segment = this.#shown = 0;
  }

  /** Of a line that draws over itself, what was drawn before the last segment that is not blank is gone from the screen, and from here. */
  #collapse(): void {
    const kept = this.#kept;
    for (let at = this.#seen; at < this.#held; at++) {
      const byte = kept[at]!;
      if (byte === RETURN) this.#segment = at;
      else if (byte > BLANK) this.#shown = this.#segment;
    }
    const gone = this.#shown;
    if (gone > 0) kept.copyWithin(0, gone, this.#held);
    this.#offset += gone;
    this.#held -= gone;
    this.#seen = this.#held;
    this.#segment -= gone;
    this.#shown = 0;
  }

  #finish(ended: boolean): Chunk {
    const offset = this.#offset;
    const skipped = this.#skipped;
    const length = skipped?.length ?? this.#held;
    this.#offset = offset + length + (ended ? 1 : 0);
    this.#skipped = undefined;
    if (skipped !== undefined) return { head: skipped.head, offset, length, ended };
    const kept = this.#kept;
    if (ended) kept[length] = NEWLINE;
    this.#drop();
    return { bytes: kept.subarray(0, ended ? length + 1 : length), offset };
  }
}

const NOTHING = Buffer.alloc(0);
