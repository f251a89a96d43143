import { TABLES } from '../batch.ts';
import { readDay, readNumber, readSrc, SRC_BYTES, writeDay, writeNumber, writeSrc, type Header } from './format.ts';
import { rowsBy, type TableRows } from './mark.ts';

/** Of each batch of a segment where it begins, and how many rows of which table it has on which day. */
export interface IndexEntry extends TableRows {
  readonly seq: number;
  readonly at: number;
  readonly day: string;
  /** `<spool>-<epoch>`. */
  readonly src: string;
}

const ENTRY_BYTES = 40;

/** The index of a segment while it is written, and as it stands in the seal: entries of 40 bytes, then the `src` that they have in common. */
export class SegmentIndex {
  #bytes = Buffer.alloc(ENTRY_BYTES * 64);
  #length = 0;
  #src = '';

  add({ seq, day, size, src }: Header, at: number): void {
    if (this.#length + ENTRY_BYTES > this.#bytes.length) {
      this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(this.#bytes.length)]);
    }
    const out = this.#bytes;
    const to = this.#length;
    writeNumber(out, seq, to);
    out.writeUInt32LE(at, to + 8);
    writeDay(out, day, to + 12);
    for (const [n, table] of TABLES.entries()) out.writeUInt32LE(size[table], to + 16 + 4 * n);
    this.#length += ENTRY_BYTES;
    this.#src = src;
  }

  bytes(): Buffer {
    const src = Buffer.alloc(SRC_BYTES);
    writeSrc(src, this.#src, 0);
    return Buffer.concat([this.#bytes.subarray(0, this.#length), src]);
  }

  offsetOf(seq: number): number {
    return offsetIn(this.#bytes.subarray(0, this.#length), seq);
  }
}

/** Where a record begins, or the last one before it; 0 when it is before all of them. `table` is entries alone. */
function offsetIn(table: Buffer, seq: number): number {
  let low = 0;
  let high = table.length / ENTRY_BYTES;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (seqAt(table, middle) <= seq) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? 0 : table.readUInt32LE((low - 1) * ENTRY_BYTES + 8);
}

function seqAt(table: Buffer, n: number): number {
  return readNumber(table, n * ENTRY_BYTES);
}

/** Number of the first batch of an index that was read back; undefined when it has none. */
export function firstInIndex(bytes: Buffer): number | undefined {
  return bytes.length < ENTRY_BYTES + SRC_BYTES ? undefined : seqAt(bytes, 0);
}

/** Where a record begins according to an index that was read back, or the last one before it. */
export function offsetInIndex(bytes: Buffer, seq: number): number {
  return offsetIn(bytes.subarray(0, bytes.length - SRC_BYTES), seq);
}

export function* entriesOf(bytes: Buffer): Iterable<IndexEntry> {
  const end = bytes.length - SRC_BYTES;
  const src = readSrc(bytes, end);
  for (let n = 0; n < end / ENTRY_BYTES; n++) {
    const from = n * ENTRY_BYTES;
    yield {
      seq: seqAt(bytes, n),
      at: bytes.readUInt32LE(from + 8),
      day: readDay(bytes, from + 12),
      ...rowsBy((_, table) => bytes.readUInt32LE(from + 16 + 4 * table)),
      src,
    };
  }
}
