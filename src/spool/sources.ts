import type { Batch, Position } from '../batch.ts';

/** How long a request is known: whoever sends it again does so sooner. */
const KNOWN_MS = 3_600_000;
/** Requests of one source that are known at most: 8 MB with ids of a SHA-256. */
const MOST_KNOWN = 100_000;

/** What a record says of its source. */
export type Said = Pick<Batch, 'source' | 'position' | 'request' | 'ended'>;

/** What a segment says at its head of all that came before it, so that it stands alone; and at its end, when it is closed in order. */
export interface Snapshot {
  /** By source. */
  readonly positions: Readonly<Record<string, Position>>;
  /** By source: ids of its recent requests, each with when it was committed, in milliseconds since 1970; the oldest first. */
  readonly requests?: Readonly<Record<string, readonly (readonly [id: string, committed_ms: number])[]>>;
}

/** Where all sources stand, by the records that are committed. */
export class Sources {
  readonly positions = new Map<string, Position>();
  readonly #requests = new Map<string, Map<string, number>>();

  /** A record was committed. */
  take({ source, position, request, ended }: Said, committed_ms: number): void {
    if (ended === true) this.positions.delete(source);
    else if (Object.keys(position).length > 0) this.positions.set(source, position);
    if (request !== undefined) this.#remember(source, request, committed_ms);
  }

  /** A snapshot says all that there was to say. */
  load({ positions, requests = {} }: Snapshot): void {
    this.positions.clear();
    this.#requests.clear();
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
    if (this.#requests.size === 0) return { positions };
    return { positions, requests: Object.fromEntries([...this.#requests].map(([source, ids]) => [source, [...ids]])) };
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

function forget(ids: Map<string, number>, now_ms: number): void {
  for (const [id, committed_ms] of ids) {
    if (ids.size <= MOST_KNOWN && now_ms - committed_ms < KNOWN_MS) return;
    ids.delete(id);
  }
}
