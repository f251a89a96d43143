import type { StateChange } from '../batch.ts';
import type { Memory } from './dialect.ts';

/** What a decoder remembers beside its position: what is committed, and over it what has changed since. */
export class SourceMemory implements Memory {
  readonly #entries: Map<string, string>;
  #put = new Map<string, string>();
  #drop = new Set<string>();

  /** `committed` is copied. */
  constructor(committed?: ReadonlyMap<string, string>) {
    this.#entries = new Map(committed);
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  get(key: string): string | undefined {
    return this.#entries.get(key);
  }

  put(key: string, value: string): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    this.#drop.delete(key);
    this.#put.delete(key);
    this.#put.set(key, value);
  }

  drop(key: string): void {
    if (!this.#entries.delete(key)) return;
    this.#put.delete(key);
    this.#drop.add(key);
  }

  keys(): Iterable<string> {
    return this.#entries.keys();
  }

  /** Nothing is remembered any more, and nothing has changed. */
  forget(): void {
    if (this.#entries.size > 0) this.#entries.clear();
    this.#put.clear();
    this.#drop.clear();
  }

  get entries(): ReadonlyMap<string, string> {
    return this.#entries;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** What has changed since it was last asked; undefined when nothing has. */
  change(): StateChange | undefined {
    if (this.#put.size === 0 && this.#drop.size === 0) return undefined;
    const change = { put: [...this.#put], drop: [...this.#drop] };
    this.#put = new Map();
    this.#drop = new Set();
    return change;
  }
}
