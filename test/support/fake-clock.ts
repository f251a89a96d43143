import type { Clock } from '../../src/clock.ts';

/** Everything that is ready to run has run. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

interface Sleeper {
  readonly until: number;
  readonly wake: () => void;
}

/** Time passes when the test says so. */
export class FakeClock implements Clock {
  /** How long everybody who slept wanted to, in the order of going to sleep. */
  readonly slept: number[] = [];
  readonly #epoch: number;
  readonly #sleepers = new Set<Sleeper>();
  #now = 0;

  constructor(wall = '2026-11-21T12:00:00Z') {
    this.#epoch = Date.parse(wall);
  }

  monotonic(): number {
    return this.#now;
  }

  wall(): number {
    return this.#epoch + this.#now;
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    this.slept.push(ms);
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const sleeper: Sleeper = {
        until: this.#now + Math.max(ms, 0),
        wake: () => {
          this.#sleepers.delete(sleeper);
          signal.removeEventListener('abort', sleeper.wake);
          resolve();
        },
      };
      this.#sleepers.add(sleeper);
      signal.addEventListener('abort', sleeper.wake);
    });
  }

  get sleeping(): number {
    return this.#sleepers.size;
  }

  /** Lets `ms` pass: who sleeps wakes in order, and what follows from it happens in between. */
  async advance(ms: number): Promise<void> {
    const to = this.#now + ms;
    for (;;) {
      await settled();
      const next = [...this.#sleepers].sort((a, b) => a.until - b.until)[0];
      if (next === undefined || next.until > to) break;
      this.#now = Math.max(this.#now, next.until);
      next.wake();
    }
    this.#now = to;
    await settled();
  }
}

/** Nobody waits: whoever sleeps wakes at once, so much later. `slept` tells how long it would have taken. */
export class HastyClock implements Clock {
  readonly slept: number[] = [];
  #now = 0;

  monotonic(): number {
    return this.#now;
  }

  wall(): number {
    return Date.parse('2026-11-21T12:00:00Z') + this.#now;
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    this.slept.push(ms);
    if (signal.aborted) return;
    this.#now += ms;
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}
