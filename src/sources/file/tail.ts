import { Readable } from 'node:stream';
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { successor, type Found } from './find.ts';
import { LogFile, READ_BYTES } from './log-file.ts';
import { Pause, POLL_MS } from './pause.ts';
import type { Places } from './places.ts';
import { sameFile } from './position.ts';

/** Whoever writes opens the new file some time after the rename, and may write to the old one until then. */
const LATE_MS = 2 * POLL_MS;

/** One is read into, one is decoded, and some wait between them. */
const MOST_SPARE = 8;

const NEWLINE = Buffer.from('\n');

export interface TailOptions {
  readonly path: string;
  readonly file: LogFile | undefined;
  /** True if `file` is not the one at the path any more: the younger ones follow. */
  readonly older: boolean;
  readonly follow: boolean;
  readonly places: Places;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * The bytes of a file, and of those that take its place.
 *
 *   waiting    there is no file at the path yet (only when following)
 *   reading    there is more of the file
 *   ended      not following: the stream ends, unless the file is an older one; then the next one is read
 *   idle       following: looked at every POLL_MS, and sooner when the directory tells of a change
 *   truncated  following: shorter than what was read; it is read from its start
 *   leaving    the path names another file: after LATE_MS without anything new in the old one, the next one is read
 *
 * Between two files stands a newline if the first does not end in one: their lines never merge.
 */
export class Tail extends Readable {
  readonly #options: TailOptions;
  readonly #pause: Pause;
  #file: LogFile | undefined;
  #older: boolean;
  /** Offset in the stream. */
  #at: number;
  /** The last byte that came out of the file, if any did. */
  #last = NEWLINE[0];
  /** Since when the path names another file and this one has nothing new. */
  #leaving_since: number | undefined;
  #told = false;
  readonly #spare: Buffer[] = [];
  #reading: Promise<unknown> = Promise.resolve();

  constructor(options: TailOptions) {
    super({ highWaterMark: READ_BYTES });
    this.#options = options;
    this.#file = options.file;
    this.#older = options.older;
    this.#at = options.file?.offset ?? 0;
    if (options.file !== undefined) options.places.begin(this.#at, options.file);
    this.#pause = new Pause(options.path, options.follow, options.clock);
  }

  /**
   * Takes back the memory of a piece. While the spool commits, pieces live long enough to be old for V8, which frees them with its next full collection only:
   * half a megabyte each, 40 MB of them at a time.
   */
  reuse(piece: Buffer): void {
    if (piece.buffer.byteLength === READ_BYTES && this.#spare.length < MOST_SPARE)
      this.#spare.push(Buffer.from(piece.buffer));
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
    void this.#reading.then(() => this.#file?.close());
    done(reason);
  }

  /** The next bytes; null at the end. */
  async #next(): Promise<Buffer | null> {
    while (!this.destroyed) {
      this.#pause.look();
      const bytes = await this.#file?.read(() => this.#spare.pop());
      if (bytes !== undefined) {
        this.#last = bytes.at(-1);
        this.#leaving_since = undefined;
        this.#at += bytes.length;
        return bytes;
      }
      const next = await (this.#file === undefined ? this.#wait() : this.#end(this.#file));
      if (next !== undefined) return next;
    }
    return null;
  }

  /** For the first file. */
  async #wait(): Promise<undefined> {
    const { path, log, places } = this.#options;
    this.#file = LogFile.open(path);
    if (this.#file !== undefined) {
      places.begin(this.#at, this.#file);
      return;
    }
    if (!this.#told) log('info', `waiting for ${path}: there is no such file yet`, { path });
    this.#told = true;
    await this.#pause.sleep();
  }

  /** There is nothing more in the file for now. Gives what the stream goes on with, null if it does not; undefined to look again. */
  async #end(file: LogFile): Promise<Buffer | null | undefined> {
    const { path, follow, log, clock } = this.#options;
    if (!follow && !this.#older) return null;
    const now = await file.look();
    if (now === 'grown') return undefined;
    if (now === 'shrunk' && follow) {
      log('warning', `${path} was truncated; it is read from its beginning`, { path });
      return this.#goOn(file.anew());
    }
    const next = await successor(path, file.identity);
    if (next !== undefined) {
      this.#leaving_since ??= clock.monotonic();
      if (!follow || clock.monotonic() - this.#leaving_since >= LATE_MS) return this.#leave(file, next);
    } else if (!follow) return null;
    await this.#pause.sleep();
    return undefined;
  }

  async #leave(file: LogFile, { path, identity }: Found): Promise<Buffer | undefined> {
    const next = LogFile.open(path);
    if (next === undefined || !sameFile(next.identity, identity)) {
      // Renamed or deleted just now: the next look finds what it has become.
      next?.close();
      await this.#pause.sleep();
      return undefined;
    }
    this.#older = path !== this.#options.path;
    file.close();
    return this.#goOn(next);
  }

  #goOn(file: LogFile): Buffer | undefined {
    const merged = this.#last !== NEWLINE[0];
    if (merged) this.#at += 1;
    this.#last = NEWLINE[0];
    this.#leaving_since = undefined;
    this.#file = file;
    this.#options.places.begin(this.#at, file);
    return merged ? NEWLINE : undefined;
  }
}
