/*
 * Memory of rows, used again. A record lives for about a second: long enough for V8 to count its buffers as old, which are freed only by a full
 * collection. Without this, a busy run holds 50 MB of rows that nobody needs any more.
 */

/** Smaller pieces are left to V8: a slow source makes many of them, and a slab for each would be mostly air. */
const SMALLEST = 1 << 16;
/** Sizes differ a little from batch to batch: a slab must fit the next one too, and be no larger than `take` allows. */
const ROUND = 1 << 14;
/** What is kept for later, in bytes. */
const MOST = 6 << 20;

export class Slabs {
  #free: ArrayBuffer[] = [];
  #bytes = 0;

  /** At least `size` bytes, of any content. */
  take(size: number): ArrayBuffer {
    if (size < SMALLEST) return new ArrayBuffer(size);
    let best = -1;
    for (let n = 0; n < this.#free.length; n++) {
      const length = this.#free[n]!.byteLength;
      // Never one that is much too large: the spool counts what rows need, not what they lie in.
      if (length >= size && length <= size * 1.5 && (best === -1 || length < this.#free[best]!.byteLength)) best = n;
    }
    if (best === -1) return new ArrayBuffer(Math.ceil((size * 1.1) / ROUND) * ROUND);
    const [slab] = this.#free.splice(best, 1);
    this.#bytes -= slab!.byteLength;
    return slab!;
  }

  /** Takes memory back that nobody reads any more. */
  give(slab: ArrayBuffer): void {
    if (slab.byteLength < SMALLEST || this.#bytes + slab.byteLength > MOST) return;
    this.#free.push(slab);
    this.#bytes += slab.byteLength;
  }
}
