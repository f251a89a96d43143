import type { Held } from './reader.ts';
import { drop } from './record.ts';
import type { SpoolRecord } from './spool.ts';

/** The newest records, in memory: a lane that keeps up never reads from the disk. Past its bound the oldest are let go by `trim`, whoever has not had them yet. */
export class Cache {
  readonly #max_bytes: number;
  readonly #unused: (record: SpoolRecord) => void;
  /** By number, in order. */
  readonly #held = new Map<number, Held>();
  #bytes = 0;

  /** `unused` is called when nobody holds a record any more. */
  constructor(max_bytes: number, unused: (record: SpoolRecord) => void) {
    this.#max_bytes = max_bytes;
    this.#unused = unused;
  }

  keep(record: SpoolRecord): void {
    this.#held.set(record.seq, { record, refs: 1 });
    this.#bytes += record.size.bytes;
  }

  /** The number of the oldest record that is kept. */
  get first(): number | undefined {
    return this.#held.keys().next().value;
  }

  trim(): void {
    while (this.#bytes > this.#max_bytes) this.#forgetFirst();
  }

  /** The record, held once more. */
  hold(seq: number): Held | undefined {
    const held = this.#held.get(seq);
    if (held !== undefined) held.refs += 1;
    return held;
  }

  /** Everybody has settled all up to that number. */
  forget(seq: number): void {
    for (const first of this.#held.keys()) {
      if (first > seq) return;
      this.#forgetFirst();
    }
  }

  #forgetFirst(): void {
    const [seq, held] = this.#held.entries().next().value!;
    this.#held.delete(seq);
    this.#bytes -= held.record.size.bytes;
    if (drop(held)) this.#unused(held.record);
  }
}
