import { watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { OVER, type Clock } from '../../clock.ts';
import { realPath } from './listing.ts';

/** How often a file that was read to its end is looked at. */
export const POLL_MS = 250;
/** And however often something happens to it: a line every millisecond should not be a read every millisecond. */
const LEAST_MS = 20;

/** The pauses between looks at a file. They end early when the directory tells of a change, and at once at the end. */
export class Pause {
  readonly #clock: Clock;
  readonly #unwatch: () => void;
  #sleeping = new AbortController();
  /** Something has happened since the last look; and whether the pause may be cut short for it. */
  #hinted = false;
  #resting = false;
  #over = false;

  constructor(path: string, follow: boolean, clock: Clock) {
    this.#clock = clock;
    this.#unwatch = follow ? watchFor(path, () => this.#hint()) : () => {};
  }

  /** What happens from now on is not seen by this look. */
  look(): void {
    this.#hinted = false;
  }

  async sleep(): Promise<void> {
    if (this.#over) return;
    this.#sleeping = new AbortController();
    const { signal } = this.#sleeping;
    await this.#clock.sleep(LEAST_MS, signal);
    this.#resting = true;
    if (!this.#hinted) await this.#clock.sleep(POLL_MS - LEAST_MS, signal);
    this.#resting = false;
  }

  end(): void {
    this.#over = true;
    this.#unwatch();
    this.#sleeping.abort(OVER);
  }

  #hint(): void {
    this.#hinted = true;
    if (this.#resting) this.#sleeping.abort(OVER);
  }
}

/** Calls `changed` when something happens to the file: a hint, which may come late, in part or not at all. */
function watchFor(path: string, changed: () => void): () => void {
  const real = realPath(path);
  try {
    const watcher = watch(dirname(real), { persistent: false }, (_event, name) => {
      if (name === null || name === basename(real)) changed();
    });
    // Too many watches, or the directory is gone: what is looked at is found too.
    watcher.on('error', () => watcher.close());
    return () => watcher.close();
  } catch {
    return () => {};
  }
}
