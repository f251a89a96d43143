import type { Memory } from '../dialect.ts';

/**
 * Keys of one sort in the memory of a source: no more than `most`, or a little more until the oldest of them go. It keeps nothing beside the memory, which may
 * be another's by the next request.
 */
export class Remembered {
  readonly #memory: Memory;
  readonly #prefix: string;
  readonly #most: number;
  #added = 0;

  constructor(memory: Memory, sort: string, most: number) {
    this.#memory = memory;
    this.#prefix = `rhapsody:${sort}:`;
    this.#most = most;
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
    const keys = this.#keys('');
    for (const key of keys.slice(0, Math.max(keys.length - this.#most, 0))) this.#memory.drop(key);
    this.#added = 0;
  }

  /** The oldest first. */
  #keys(start: string): string[] {
    return [...this.#memory.keys()].filter((key) => key.startsWith(this.#prefix + start));
  }
}
