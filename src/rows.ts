import type { Rows, Table, Tuple } from './batch.ts';
import { Slabs } from './slabs.ts';
import { TIME_LENGTH, writeTime } from './time-bytes.ts';

/** Collects the rows of one table until a batch is cut. Used again and again: what it hands out is a copy of the right size. */
export class RowsBuilder {
  readonly table: Table;
  readonly #slabs: Slabs;
  #bytes = Buffer.allocUnsafeSlow(1 << 16);
  #length = 0;
  #ends = new Uint32Array(256);
  #tuples = new Uint16Array(256);
  #durations = new Float64Array(256);
  #count = 0;
  #dictionary: Tuple[] = [];
  /** By tuple id: the batch in which it was last seen, and its place in that batch's dictionary. */
  #stamps = new Uint32Array(0);
  #indices = new Uint16Array(0);
  #stamp = 1;

  constructor(table: Table, slabs = new Slabs()) {
    this.table = table;
    this.#slabs = slabs;
  }

  get count(): number {
    return this.#count;
  }

  /** Bytes collected so far. */
  get length(): number {
    return this.#length;
  }

  /** `row` is one JSON object as a byte string, starting with its `ts`; `duration` is `wall_time_s`, or NaN. */
  add(row: string, tuple: Tuple, duration: number): void {
    this.reserve(row.length + 1);
    this.text(row);
    this.end(tuple, duration);
  }

  /*
   * A row in pieces: `reserve` room for all of them, then `put`, `copy`, `text` and `time` in order, then `end`.
   */

  reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#length + more));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }

  put(piece: Uint8Array): void {
    this.#bytes.set(piece, this.#length);
    this.#length += piece.length;
  }

  /** A few bytes of another buffer: numbers, names. */
  copy(from: Uint8Array, start: number, end: number): void {
    const bytes = this.#bytes;
    let at = this.#length;
    for (let n = start; n < end; n++) bytes[at++] = from[n]!;
    this.#length = at;
  }

  /** A byte string. */
  text(text: string): void {
    this.#length += this.#bytes.latin1Write(text, this.#length);
  }

  time(us: number): void {
    writeTime(this.#bytes, this.#length, us);
    this.#length += TIME_LENGTH;
  }

  end(tuple: Tuple, duration: number): void {
    const count = this.#count;
    if (count === this.#ends.length) this.#growColumns();
    this.#bytes[this.#length++] = 10;
    this.#ends[count] = this.#length;
    this.#tuples[count] = this.#lookup(tuple);
    this.#durations[count] = duration;
    this.#count = count + 1;
  }

  /** The rows collected since the last call, or undefined if there are none. */
  take(): Rows | undefined {
    const count = this.#count;
    if (count === 0) return undefined;
    const length = this.#length;
    // One piece of memory for all of it, the widest numbers first: their offsets stay aligned.
    const memory = this.#slabs.take(count * 14 + length);
    const durations = new Float64Array(memory, 0, count);
    durations.set(this.#durations.subarray(0, count));
    const ends = new Uint32Array(memory, count * 8, count);
    ends.set(this.#ends.subarray(0, count));
    const tuple = new Uint16Array(memory, count * 12, count);
    tuple.set(this.#tuples.subarray(0, count));
    const bytes = Buffer.from(memory, count * 14, length);
    this.#bytes.copy(bytes, 0, 0, length);
    const rows: Rows = { table: this.table, bytes, ends, tuple, dictionary: this.#dictionary, durations };
    this.#count = 0;
    this.#length = 0;
    this.#dictionary = [];
    this.#stamp += 1;
    // One hostile batch must not pin its size for good.
    if (this.#bytes.length > 8 << 20) this.#bytes = Buffer.allocUnsafeSlow(1 << 16);
    return rows;
  }

  /** By the tuple's number, without hashing: batches of many executions have nearly as many tuples as rows. */
  #lookup(tuple: Tuple): number {
    const { id } = tuple;
    if (id >= this.#stamps.length) this.#growStamps(id);
    if (this.#stamps[id] === this.#stamp) {
      const index = this.#indices[id]!;
      if (this.#dictionary[index] === tuple) return index;
    }
    const index = this.#dictionary.push(tuple) - 1;
    this.#stamps[id] = this.#stamp;
    this.#indices[id] = index;
    return index;
  }

  #growStamps(id: number): void {
    const size = Math.max(1024, id + 1, this.#stamps.length * 2);
    const stamps = new Uint32Array(size);
    stamps.set(this.#stamps);
    this.#stamps = stamps;
    const indices = new Uint16Array(size);
    indices.set(this.#indices);
    this.#indices = indices;
  }

  #growColumns(): void {
    const size = this.#ends.length * 2;
    const ends = new Uint32Array(size);
    ends.set(this.#ends);
    this.#ends = ends;
    const tuples = new Uint16Array(size);
    tuples.set(this.#tuples);
    this.#tuples = tuples;
    const durations = new Float64Array(size);
    durations.set(this.#durations);
    this.#durations = durations;
  }
}
