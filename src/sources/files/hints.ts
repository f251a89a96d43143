import { OVER, type Clock } from '../../clock.ts';

/** However often something happens: a line every millisecond should not be a look every millisecond. */
const LEAST_MS = 20;

/** The pauses between looks: they end early when there is something to look at, and at once at the end. */
export class Hints {
  readonly #clock: Clock;
  readonly #stop: AbortSignal;
  #hinted = false;
  #resting: AbortController | undefined;

  constructor(clock: Clock, stop: AbortSignal) {
    this.#clock = clock;
    this.#stop = stop;
  }

  hint(): void {
    this.#hinted = true;
    this.#resting?.abort(OVER);
  }

  async sleep(ms: number): Promise<void> {
    const least = Math.min(ms, LEAST_MS);
    await this.#clock.sleep(least, this.#stop);
    if (!this.#hinted && !this.#stop.aborted && ms > least) await this.#rest(ms - least);
    this.#hinted = false;
  }

  async #rest(ms: number): Promise<void> {
    const resting = (this.#resting = new AbortController());
    const end = (): void => resting.abort(OVER);
    this.#stop.addEventListener('abort', end, { once: true });
    await this.#clock.sleep(ms, resting.signal);
    this.#stop.removeEventListener('abort', end);
    this.#resting = undefined;
  }
}
