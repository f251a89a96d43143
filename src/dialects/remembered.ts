import type { Memory } from './dialect.ts';

/**
 * Keys of one sort, which begin alike, in the memory of a source: no more than `most`, or a little more until the oldest of them go. It keeps nothing beside the memory, which may
 * be another's by the next request.
 */
export class Remembered {
  readonly #memory: Memory;
  readonly #prefix: string;
  readonly #most: number;
  /** Since it was last counted. Who is made anew for every request would never come to count, and so does at its first. */
  #added: number;

  constructor(memory: Memory, prefix: string, most: number) {
    this.#memory = memory;
    this.#prefix = prefix;
    this.#most = most;
    this.#added = most;
  }

  /** What the other methods call a key. */
  key(name: string): string {
    return this.#prefix + name;
  }

  get(key: string): string | undefined {
    return this.#memory.get(key);
  }

  put(key: string, value: string): void {
    if (!this.#memory.has(key) && ++this.#added > this.#most / 8) this.#trim();
    this.#memory.put(key, value);
  }

  /** Those whose names begin with `start` are forgotten. */
  forget(start: string): void {
    for (const key of this.#keys(start)) this.#memory.drop(key);
  }

  #trim(): void {
    if (this.#memory.size < this.#most) return;
    const keys = this.#keys('');
    for (const key of keys.slice(0, Math.max(keys.length - this.#most, 0))) this.#memory.drop(key);
    this.#added = 0;
  }

  /** The oldest first. */
  #keys(start: string): string[] {
    return [...this.#memory.keys()].filter((key) => key.startsWith(this.#prefix + start));
  }
}
