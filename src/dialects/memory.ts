import type { StateChange } from '../batch.ts';
import type { Memory } from './dialect.ts';

/** What a decoder remembers beside its position: what is committed, and over it what has changed since. */
export class SourceMemory implements Memory {
  #committed: ReadonlyMap<string, string>;
  /** The same where it is this memory's own, and goes on with each batch. */
  #own: Map<string, string> | undefined;
  readonly #put = new Map<string, string>();
  /** Of what is committed. */
  readonly #drop = new Set<string>();
  /** Of `#put`, those that are new. */
  #added = 0;

  /** `committed` is copied. */
  constructor(committed?: ReadonlyMap<string, string>) {
    this.#committed = this.#own = new Map(committed);
  }

  /**
   * Begins anew over what is committed by now, as the next request does: what the one before changed is in it, or was not committed and comes again. `committed` is not changed
   * here, and may be by others.
   */
  begin(committed: ReadonlyMap<string, string>): void {
    this.#committed = committed;
    this.#own = undefined;
    this.#clear();
  }

  has(key: string): boolean {
    return this.#put.has(key) || (this.#committed.has(key) && !this.#drop.has(key));
  }

  get(key: string): string | undefined {
    return this.#put.get(key) ?? (this.#drop.has(key) ? undefined : this.#committed.get(key));
  }

  put(key: string, value: string): void {
    if (!this.#put.delete(key) && !this.#committed.has(key)) this.#added += 1;
    this.#drop.delete(key);
    this.#put.set(key, value);
  }

  drop(key: string): void {
    const committed = this.#committed.has(key);
    if (this.#put.delete(key) && !committed) this.#added -= 1;
    if (committed) this.#drop.add(key);
  }

  *keys(): Iterable<string> {
    for (const key of this.#committed.keys()) if (!this.#put.has(key) && !this.#drop.has(key)) yield key;
    yield* this.#put.keys();
  }

  get entries(): ReadonlyMap<string, string> {
    return new Map(Array.from(this.keys(), (key) => [key, this.get(key) ?? '']));
  }

  get size(): number {
    return this.#committed.size - this.#drop.size + this.#added;
  }

  /** What has changed since it was last asked; undefined when nothing has. */
  change(): StateChange | undefined {
    if (this.#put.size === 0 && this.#drop.size === 0) return undefined;
    const change = { put: [...this.#put], drop: [...this.#drop] };
    for (const key of change.drop) this.#own?.delete(key);
    for (const [key, value] of change.put) {
      this.#own?.delete(key);
      this.#own?.set(key, value);
    }
    this.#clear();
    return change;
  }

  #clear(): void {
    this.#put.clear();
    this.#drop.clear();
    this.#added = 0;
  }
}
