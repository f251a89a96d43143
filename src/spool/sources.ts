import { applyChange, type Batch, type Position, type StateChange } from '../batch.ts';

/** How long a request is known: whoever sends it again does so sooner. */
const KNOWN_MS = 3_600_000;
/** Requests of one source that are known at most: 8 MB with ids of a SHA-256. */
const MOST_KNOWN = 100_000;

/** What a record says of its source. */
export type Said = Pick<Batch, 'source' | 'position' | 'request' | 'ended' | 'state'>;

/** What a segment says at its head of all that came before it, so that it stands alone; and at its end, when it is closed in order. */
export interface Snapshot {
  /** By source. */
  readonly positions: Readonly<Record<string, Position>>;
  /** By source: ids of its recent requests, each with when it was committed, in milliseconds since 1970; the oldest first. */
  readonly requests?: Readonly<Record<string, readonly (readonly [id: string, committed_ms: number])[]>>;
  /** By source: what it remembers, the oldest first. */
  readonly states?: Readonly<Record<string, readonly (readonly [key: string, value: string])[]>>;
}

/** Where all sources stand, by the records that are committed. */
export class Sources {
  readonly positions = new Map<string, Position>();
  readonly #requests = new Map<string, Map<string, number>>();
  readonly #states = new Map<string, Map<string, string>>();

  /** A record was committed. */
  take({ source, position, request, ended, state }: Said, committed_ms: number): void {
    if (state !== undefined) this.#change(source, state);
    if (ended === true) this.#states.delete(source);
    if (ended === true) this.positions.delete(source);
    else if (Object.keys(position).length > 0) this.positions.set(source, position);
    if (request !== undefined) this.#remember(source, request, committed_ms);
  }

  /** A snapshot says all that there was to say. */
  load({ positions, requests = {}, states = {} }: Snapshot): void {
    this.positions.clear();
    this.#requests.clear();
    this.#states.clear();
    for (const [source, entries] of Object.entries(states)) this.#states.set(source, new Map(entries));
    for (const [source, position] of Object.entries(positions)) this.positions.set(source, position);
    for (const [source, ids] of Object.entries(requests)) {
      for (const [id, committed_ms] of ids) this.#remember(source, id, committed_ms);
    }
  }

  snapshot(now_ms: number): Snapshot {
    const positions = Object.fromEntries(this.positions);
    for (const [source, ids] of this.#requests) {
      forget(ids, now_ms);
      if (ids.size === 0) this.#requests.delete(source);
    }
    return { positions, ...kept('requests', this.#requests), ...kept('states', this.#states) };
  }

  state(source: string): ReadonlyMap<string, string> {
    return this.#states.get(source) ?? NONE;
  }

  #change(source: string, change: StateChange): void {
    const state = this.#states.get(source) ?? new Map<string, string>();
    applyChange(state, change);
    if (state.size > 0) this.#states.set(source, state);
    else this.#states.delete(source);
  }

  /** True when that request was committed within the last hour. */
  seen(source: string, request: string, now_ms: number): boolean {
    const committed_ms = this.#requests.get(source)?.get(request);
    return committed_ms !== undefined && now_ms - committed_ms < KNOWN_MS;
  }

  #remember(source: string, request: string, committed_ms: number): void {
    let ids = this.#requests.get(source);
    if (ids === undefined) this.#requests.set(source, (ids = new Map()));
    ids.delete(request);
    ids.set(request, committed_ms);
    forget(ids, committed_ms);
  }
}

const NONE: ReadonlyMap<string, string> = new Map();

/** Entries by source, as JSON; nothing where there are none. */
function kept<Name extends string, Value>(
  name: Name,
  by: ReadonlyMap<string, ReadonlyMap<string, Value>>,
): Partial<Record<Name, Record<string, [string, Value][]>>> {
  if (by.size === 0) return {};
  const all = Object.fromEntries([...by].map(([source, entries]) => [source, [...entries]]));
  return { [name]: all } as Record<Name, typeof all>;
}

function forget(ids: Map<string, number>, now_ms: number): void {
  for (const [id, committed_ms] of ids) {
    if (ids.size <= MOST_KNOWN && now_ms - committed_ms < KNOWN_MS) return;
    ids.delete(id);
  }
}
