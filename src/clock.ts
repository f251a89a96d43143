import { performance } from 'node:perf_hooks';

/** Time as the parts see it; tests pass one of their own. */
export interface Clock {
  /** Milliseconds that only go forward: for ages, pauses and deadlines. */
  monotonic(): number;
  /** Milliseconds since 1970, UTC: for data. */
  wall(): number;
  /** Resolves after `ms`, or at once when the signal aborts; never rejects. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** Reason of an abort that is no failure: without one, a DOMException with a stack is made each time. */
export const OVER = 'over';

/** setTimeout fires at once when asked for more than 2^31-1 ms. */
const LONGEST_SLEEP_MS = 2_147_483_647;

export const systemClock: Clock = {
  monotonic: () => performance.now(),
  wall: () => Date.now(),
  async sleep(ms, signal) {
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, Math.min(Math.max(ms, 0), LONGEST_SLEEP_MS));
      signal.addEventListener('abort', done, { once: true });
    });
  },
};
