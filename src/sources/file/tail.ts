import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { Generations } from './generations.ts';
import { Changes, filesOf, realPath, type Entry } from './listing.ts';
import { READ_BYTES } from './log-file.ts';
import { Pause } from './pause.ts';
import { Places } from './places.ts';
import type { FilePosition } from './position.ts';
import { Spare } from './spare.ts';

export interface TailOptions {
  readonly path: string;
  readonly follow: boolean;
  readonly from: FilePosition | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * The bytes of one log, as a stream: of the file at a path, and of those that take its place. While following it is looked at every POLL_MS, and sooner when the
 * directory tells of a change; else it ends with the last file.
 */
export class Tail extends Readable {
  readonly places: Places;
  /** False if the file of the position is not there any more. */
  readonly resumed: boolean;
  readonly #options: TailOptions;
  readonly #pause: Pause;
  readonly #files: Generations;
  readonly #spare = new Spare();
  #real: string;
  #changes: Changes;
  #told = false;
  #reading: Promise<unknown> = Promise.resolve();

  constructor(options: TailOptions) {
    super({ highWaterMark: READ_BYTES });
    const { path, follow, from, clock, log } = options;
    this.#options = options;
    this.places = new Places(path);
    this.#files = new Generations({ path, follow, places: this.places, clock, log });
    this.#real = realPath(path);
    this.#changes = new Changes(dirname(this.#real));
    this.#changes.look();
    const entries = this.#entries() ?? [];
    if (from === undefined) this.#files.begin(entries, 'current');
    this.resumed = from !== undefined && this.#files.resume(entries, from);
    this.#pause = new Pause(path, follow, clock);
  }

  /** Offset of its first byte. */
  get offset(): number {
    return this.#files.offset;
  }

  /** False while there is no file. */
  get any(): boolean {
    return this.#files.any;
  }

  /** Takes back the memory of a piece. */
  reuse(piece: Buffer): void {
    this.#spare.give(piece);
  }

  override _read(): void {
    this.#reading = this.#next().then(
      (bytes) => this.destroyed || this.push(bytes),
      (error: Error) => this.destroy(error),
    );
  }

  override _destroy(reason: Error | null, done: (reason: Error | null) => void): void {
    this.#pause.end();
    // A descriptor that is closed while it is read may be another file's by then.
    void this.#reading.then(() => this.#files.close());
    done(reason);
  }

  /** The next bytes; null at the end. */
  async #next(): Promise<Buffer | null> {
    const { path, follow, log } = this.#options;
    while (!this.destroyed) {
      this.#pause.look();
      if (follow) this.#look();
      const bytes = await this.#files.read(this.#spare.take);
      if (bytes !== undefined) return bytes;
      if (!follow) return null;
      if (!this.#files.any && !this.#told) log('info', `waiting for ${path}: there is no such file yet`, { path });
      this.#told = true;
      await this.#pause.sleep();
    }
    return null;
  }

  #look(): void {
    const real = realPath(this.#options.path);
    if (real !== this.#real) {
      // The link leads to another file now.
      this.#real = real;
      this.#changes = new Changes(dirname(real));
    }
    if (this.#changes.look() === 'same') return;
    const entries = this.#entries();
    if (entries === undefined) this.#changes.again();
    else this.#files.see(entries);
  }

  /** Undefined when nobody may look. */
  #entries(): Entry[] | undefined {
    try {
      return filesOf(this.#real);
    } catch {
      return undefined;
    }
  }
}
