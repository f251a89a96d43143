import type { StateChange } from '../batch.ts';

/** Past so many entries, or so many characters of them, the oldest are given up. */
export interface Most {
  readonly entries: number;
  readonly text: number;
  /** Objects that stay parsed from one commit to the next. */
  readonly parsed: number;
}

export const MOST: Most = { entries: 100_000, text: 64 << 20, parsed: 8_000 };

/** All of it stands at the head of every segment, which is an eighth of the spool: half of that at most. */
export function mostIn({ max_bytes }: { readonly max_bytes: number }): Most {
  return { ...MOST, text: Math.min(MOST.text, Math.floor(max_bytes / 16)) };
}

/**
 * What assemblers keep: what is committed, as the spool has it, and over it what has changed since. Objects are parsed when they are asked for, and those that were used last stay so.
 */
export class Kept {
  readonly #committed: () => ReadonlyMap<string, string>;
  readonly #most: Most;
  /** Parsed; `undefined`: dropped. */
  #changed = new Map<string, object | undefined>();
  #read = new Map<string, object>();
  #size: number;
  #text = 0;

  constructor(committed: () => ReadonlyMap<string, string>, most = MOST) {
    this.#most = most;
    this.#committed = committed;
    this.#size = committed().size;
    for (const [key, value] of committed()) this.#text += key.length + value.length;
  }

  has(key: string): boolean {
    return this.#changed.has(key) ? this.#changed.get(key) !== undefined : this.#committed().has(key);
  }

  get(key: string): unknown {
    if (this.#changed.has(key)) return this.#changed.get(key);
    const known = this.#read.get(key);
    if (known !== undefined) return known;
    const text = this.#committed().get(key);
    if (text === undefined) return undefined;
    const value = JSON.parse(text) as object;
    this.#remember(key, value);
    return value;
  }

  put(key: string, value: object): void {
    if (!this.has(key)) this.#size += 1;
    this.#changed.delete(key);
    this.#changed.set(key, value);
  }

  drop(key: string): void {
    if (!this.has(key)) return;
    this.#size -= 1;
    this.#read.delete(key);
    this.#changed.delete(key);
    if (this.#committed().has(key)) this.#changed.set(key, undefined);
  }

  /** As they are when it is asked, but for those that are dropped meanwhile. */
  *keys(prefix: string): Generator<string> {
    const changed = new Map(this.#changed);
    for (const key of this.#committed().keys()) {
      if (key.startsWith(prefix) && !changed.has(key) && this.has(key)) yield key;
    }
    for (const [key, value] of changed) {
      if (value !== undefined && key.startsWith(prefix) && this.has(key)) yield key;
    }
  }

  /** What is to be given up so that no more is kept than may be: what can be spared, and then the oldest. What has changed is counted when it is committed. */
  *surplus(spare: (key: string) => boolean): Generator<string> {
    let entries = this.#size - this.#most.entries;
    let text = this.#text - this.#most.text;
    if (entries <= 0 && text <= 0) return;
    for (const spared of [true, false]) {
      for (const [key, value] of this.#committed()) {
        if (entries <= 0 && text <= 0) return;
        if (this.#changed.has(key) || spare(key) !== spared) continue;
        entries -= 1;
        text -= key.length + value.length;
        yield key;
      }
    }
  }

  /** The texts of what has changed, which is then to be committed; undefined when nothing has. */
  change(): StateChange | undefined {
    if (this.#changed.size === 0) return undefined;
    const committed = this.#committed();
    const put: [string, string][] = [];
    const drop: string[] = [];
    for (const [key, value] of this.#changed) {
      const before = committed.get(key);
      if (before !== undefined) this.#text -= key.length + before.length;
      if (value === undefined) {
        drop.push(key);
        continue;
      }
      const text = JSON.stringify(value);
      this.#text += key.length + text.length;
      put.push([key, text]);
    }
    return { put, drop };
  }

  /** The change is committed. */
  settle(): void {
    const changed = this.#changed;
    this.#changed = new Map();
    for (const [key, value] of changed) {
      this.#read.delete(key);
      if (value !== undefined) this.#remember(key, value);
    }
  }

  #remember(key: string, value: object): void {
    this.#read.set(key, value);
    if (this.#read.size > this.#most.parsed)
      for (const oldest of this.#read.keys()) {
        this.#read.delete(oldest);
        if (this.#read.size <= this.#most.parsed) return;
      }
  }
}
