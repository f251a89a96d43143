import { OVER } from './clock.ts';
import type { PipelineOptions } from './pipeline.ts';
import { pump, type Reading } from './reading.ts';
import type { Source } from './sources/source.ts';

/** The sources of a run. One is read after the other, unless any of them has no end: then all are read at once. They may change meanwhile. */
export class Readers {
  readonly #options: PipelineOptions;
  readonly #reading: Reading;
  readonly #stop: AbortSignal;
  #sources: readonly Source[];
  /** Those that were begun; ended ones stay, and are not read again. */
  readonly #begun = new Map<Source, { readonly stop: AbortController; readonly done: Promise<void>; ended: boolean }>();
  #changes = 0;
  #changed = new AbortController();

  constructor(options: PipelineOptions, reading: Reading, stop: AbortSignal) {
    this.#options = options;
    this.#reading = reading;
    this.#stop = stop;
    this.#sources = options.sources;
  }

  /** Resolves when all of them have ended, or reading was stopped. */
  async run(): Promise<void> {
    for (;;) {
      if (!this.#over) this.#begin();
      const running = [...this.#begun.values()].filter(({ ended }) => !ended).map(({ done }) => done);
      if (running.length === 0 && this.#changes === 0 && (this.#over || this.#waiting.length === 0)) return;
      const changed = new Promise<void>((resolve) => {
        this.#changed.signal.addEventListener('abort', () => resolve(), { once: true });
      });
      await Promise.race([changed, ...running]);
    }
  }

  /** Those that are no longer named end where they are, and others begin. Sources that stay are the same objects. */
  async change(sources: readonly Source[]): Promise<void> {
    this.#changes += 1;
    try {
      const gone = [...this.#begun].filter(([source, { ended }]) => !ended && !sources.includes(source));
      for (const [, { stop }] of gone) stop.abort(OVER);
      await Promise.all(gone.map(([, { done }]) => done));
      this.#sources = sources;
    } finally {
      this.#changes -= 1;
      this.#changed.abort(OVER);
      this.#changed = new AbortController();
    }
  }

  get #over(): boolean {
    return this.#stop.aborted || this.#reading.failure !== undefined;
  }

  get #waiting(): readonly Source[] {
    return this.#sources.filter((source) => !this.#begun.has(source));
  }

  #begin(): void {
    const waiting = this.#waiting;
    if (this.#sources.some(({ follows }) => follows === true)) for (const source of waiting) this.#read(source);
    else if (waiting.length > 0 && [...this.#begun.values()].every(({ ended }) => ended)) this.#read(waiting[0]!);
  }

  #read(source: Source): void {
    const stop = new AbortController();
    const signal = AbortSignal.any([this.#stop, this.#reading.broken, stop.signal]);
    const begun = { stop, done: Promise.resolve(), ended: false };
    // What fails here is a bug: what was accepted is delivered all the same.
    begun.done = pump(source, this.#options, this.#reading, signal)
      .catch((error: Error) => this.#reading.fail(error))
      .then(() => {
        begun.ended = true;
      });
    this.#begun.set(source, begun);
  }
}
