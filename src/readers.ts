import { OVER } from './clock.ts';
import { Intake } from './intake.ts';
import type { PipelineOptions } from './pipeline.ts';
import { pump, type Reading } from './reading.ts';
import type { Source } from './sources/source.ts';

/** The sources of a run. One is read after the other, unless any of them has no end: then all are read at once. They may change meanwhile. */
export class Readers {
  readonly #options: PipelineOptions;
  readonly #reading: Reading;
  readonly #stop: AbortSignal;
  #sources: readonly Source[];
  /** Those that were begun. An ended one that is still named stays, and is not read again. */
  readonly #begun = new Map<Source, { readonly stop: AbortController; readonly done: Promise<void>; ended: boolean }>();
  #wake: () => void = () => {};

  constructor(options: PipelineOptions, reading: Reading, stop: AbortSignal) {
    this.#options = options;
    this.#reading = reading;
    this.#stop = stop;
    this.#sources = options.sources;
  }

  /** Resolves when all of them have ended, or reading was stopped. */
  async run(): Promise<void> {
    for (;;) {
      const changed = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#forget();
      if (!this.#over) this.#begin();
      const running = [...this.#begun.values()].filter(({ ended }) => !ended).map(({ done }) => done);
      if (running.length === 0 && (this.#over || this.#waiting.length === 0)) return;
      await Promise.race([changed, ...running]);
    }
  }

  /** Those that are no longer named end where they are, and others begin; of one name, when the one before has ended. Sources that stay are the same objects. */
  change(sources: readonly Source[]): void {
    this.#sources = sources;
    for (const [source, { stop }] of this.#begun) if (!sources.includes(source)) stop.abort(OVER);
    this.#wake();
  }

  get #over(): boolean {
    return this.#stop.aborted || this.#reading.failure !== undefined;
  }

  get #waiting(): readonly Source[] {
    return this.#sources.filter((source) => !this.#begun.has(source));
  }

  #forget(): void {
    for (const [source, { ended }] of this.#begun) {
      if (ended && !this.#sources.includes(source)) this.#begun.delete(source);
    }
  }

  #begin(): void {
    const running = [...this.#begun].filter(([, { ended }]) => !ended).map(([source]) => source);
    const free = this.#waiting.filter(({ name }) => running.every((source) => source.name !== name));
    if (this.#sources.some(({ follows }) => follows === true)) for (const source of free) this.#read(source);
    else if (running.length === 0 && free.length > 0) this.#read(free[0]!);
  }

  #read(source: Source): void {
    const stop = new AbortController();
    const signal = AbortSignal.any([this.#stop, this.#reading.broken, stop.signal]);
    const begun = { stop, done: Promise.resolve(), ended: false };
    // What fails here is a bug: what was accepted is delivered all the same.
    const read =
      'run' in source
        ? source.run(new Intake(this.#options, this.#reading), signal)
        : pump(source, this.#options, this.#reading, signal);
    begun.done = read
      .catch((error: Error) => this.#reading.fail(error))
      .then(() => {
        begun.ended = true;
      });
    this.#begun.set(source, begun);
  }
}
