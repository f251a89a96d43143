import { OVER, type Clock } from '../clock.ts';
import type { EventTable } from '../fields.ts';

/** One event as a reader gets it. */
export interface LiveEvent {
  readonly table: EventTable;
  /** `<src>-<seq>-<i>`. */
  readonly id: string;
  readonly kind: string;
  /** JSON on one line: the row with `_src`, `_seq`, `_i` and `_day` behind its own keys. */
  readonly row: string;
}

/** So many were passed over here, since the reader was slower than they came. Which of them its filter had let through nobody knows. */
export interface Missed {
  readonly missed: number;
}

/** What waits for one reader. */
const MOST_EVENTS = 1_000;
const MOST_BYTES = 4 << 20;
/** What it gets at once; a single event may be longer. */
const PIECE_BYTES = 64 << 10;

/**
 * The events that wait for one reader, in order. When there is no room for another it misses all that come, until it has taken half of what waits: then it is told how many
 * there were, in their place.
 */
export class Subscription {
  readonly #clock: Clock;
  readonly #closed: (subscription: Subscription) => void;
  #queue: (LiveEvent | Missed)[] = [];
  #bytes = 0;
  #missed = 0;
  #wake: (() => void) | undefined;
  /** True when it was over before everything was taken. */
  cut = false;
  /** Nothing more comes, and what waits is still taken. */
  #ending = false;

  constructor(clock: Clock, closed: (subscription: Subscription) => void) {
    this.#clock = clock;
    this.#closed = closed;
  }

  /** True while events pass it by. */
  get missing(): boolean {
    return this.#missed > 0;
  }

  offer(event: LiveEvent): void {
    // One that is larger than all room there is has it to itself.
    const full = this.#queue.length >= MOST_EVENTS || this.#bytes + event.row.length > MOST_BYTES;
    if (this.missing || (full && this.#queue.length > 0)) return this.miss(1);
    this.#queue.push(event);
    this.#bytes += event.row.length;
    this.#wake?.();
  }

  miss(count: number): void {
    this.#missed += count;
    this.#tell();
    this.#wake?.();
  }

  /** The next events: none after `ms` without any; undefined when it is over. */
  async take(ms: number): Promise<readonly (LiveEvent | Missed)[] | undefined> {
    if (this.#queue.length === 0 && !this.#ending) await this.#wait(ms);
    if (this.#queue.length === 0 && this.#ending) return undefined;
    let length = 0;
    let bytes = 0;
    for (const item of this.#queue) {
      if (length > 0 && bytes >= PIECE_BYTES) break;
      length += 1;
      bytes += 'row' in item ? item.row.length : 0;
    }
    const taken = this.#queue.splice(0, length);
    this.#bytes -= bytes;
    this.#tell();
    return taken;
  }

  /** No more events: `take` gives what waits, and then that it is over. */
  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#closed(this);
    this.#wake?.();
  }

  /** At once: the reader is gone, or has had its time. */
  close(): void {
    this.cut ||= !this.#ending || this.#queue.length > 0;
    this.#queue = [];
    this.end();
  }

  /** Where there is room again, what was missed has its place in the queue. */
  #tell(): void {
    if (this.#missed === 0 || this.#queue.length > MOST_EVENTS / 2 || this.#bytes > MOST_BYTES / 2) return;
    const last = this.#queue.at(-1);
    const before = last !== undefined && 'missed' in last ? this.#queue.pop() : undefined;
    this.#queue.push({ missed: this.#missed + ((before as Missed | undefined)?.missed ?? 0) });
    this.#missed = 0;
  }

  async #wait(ms: number): Promise<void> {
    const woken = new AbortController();
    this.#wake = () => woken.abort(OVER);
    await this.#clock.sleep(ms, woken.signal);
    this.#wake = undefined;
  }
}
