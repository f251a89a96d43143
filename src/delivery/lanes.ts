import type { Lane } from './lane.ts';

/** The lanes of a run. They may change while it goes on. */
export class Lanes {
  readonly #all: Lane[];
  readonly #running = new Map<Lane, { readonly stop: AbortController; readonly done: Promise<void> }>();
  #signal: AbortSignal | undefined;
  #changing: Promise<unknown> = Promise.resolve();
  #changes = 0;

  constructor(lanes: readonly Lane[] = []) {
    this.#all = [...lanes];
  }

  get all(): readonly Lane[] {
    return this.#all;
  }

  /** Runs them, until each has ended or the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    for (const lane of this.#all) this.#start(lane);
    while (this.#running.size > 0 || this.#changes > 0) {
      await Promise.all([...this.#running.values()].map(({ done }) => done));
      await this.#changing;
    }
  }

  add(lane: Lane): void {
    this.#all.push(lane);
    if (this.#signal !== undefined) this.#start(lane);
  }

  /** Ends a lane where it stands; another may go on from its cursor. */
  async remove(lane: Lane): Promise<void> {
    this.#all.splice(this.#all.indexOf(lane), 1);
    const running = this.#running.get(lane);
    running?.stop.abort('over');
    await running?.done;
  }

  /** While `work` goes on, that no lane runs does not mean that all have ended. */
  async change<T>(work: () => Promise<T>): Promise<T> {
    this.#changes += 1;
    const done = work().finally(() => {
      this.#changes -= 1;
    });
    this.#changing = done.catch(() => {});
    return done;
  }

  #start(lane: Lane): void {
    const stop = new AbortController();
    const done = lane.run(AbortSignal.any([this.#signal!, stop.signal])).then(() => {
      this.#running.delete(lane);
    });
    this.#running.set(lane, { stop, done });
  }
}
