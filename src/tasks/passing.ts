import type { Clock } from '../clock.ts';

/**
 * The clock of a stage: it goes from record to record as their commits went, and with time while nothing comes. From one process to the next it stands, since nobody read then.
 */
export class Passing {
  now_ms: number;
  readonly #clock: Clock;
  /** This process. */
  readonly #own: string;
  /** The process whose commits it goes by, and when it was looked at last, on this one's monotonic clock. */
  #src: string;
  #at: number;

  constructor(src: string, clock: Clock, now_ms: number) {
    this.#own = src;
    this.#src = src;
    this.#clock = clock;
    this.now_ms = now_ms;
    this.#at = clock.monotonic();
  }

  /** A record of that process was committed at `at`. */
  pass(src: string, at: number): void {
    if (src === this.#src) this.now_ms += Math.max(0, at - this.#at);
    this.#at = src === this.#src ? Math.max(at, this.#at) : at;
    this.#src = src;
  }

  /** Nothing has come until now. */
  wait(): number {
    this.pass(this.#own, this.#clock.monotonic());
    return this.now_ms;
  }
}
