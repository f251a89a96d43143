import { Readable } from 'node:stream';
import type { Clock } from '../../clock.ts';
import { OVER } from '../../clock.ts';
import { LogFile, READ_BYTES } from '../file/log-file.ts';
import { Places } from '../file/places.ts';
import { readFilePosition } from '../file/position.ts';
import { Spare } from '../file/spare.ts';
import type { Opened, ByteSource } from '../source.ts';

/** How often a file that was read to its end is looked at. */
const POLL_MS = 100;

/** A file without a name, read as it grows until somebody says that nothing will be added, and then to its end. */
export interface GrowingFile extends ByteSource {
  end(): void;
}

/** The descriptor is left open. `opening` is called when it is known where to go on, and nothing was read. */
export function growingFile(name: string, fd: number, clock: Clock, opening = (): void => {}): GrowingFile {
  const over = new AbortController();
  const places = new Places(name);
  const spare = new Spare();
  return {
    name,
    resumes: true,
    follows: true,
    own: true,
    open(from): Opened {
      opening();
      const file = LogFile.of(fd);
      const position = readFilePosition(from);
      const resumed = position !== undefined && file.resume(position) === 'resumed';
      const bytes = new Growing(file, places, spare, clock, over.signal);
      // Under the name may stand what another command has left unfinished.
      return resumed ? { bytes, offset: file.offset } : { bytes, offset: 0, carried: 'end' };
    },
    position: (offset) => places.of(offset),
    reuse: (piece) => spare.give(piece),
    end: () => over.abort(OVER),
  };
}

class Growing extends Readable {
  #file: LogFile;
  readonly #places: Places;
  readonly #spare: Spare;
  readonly #clock: Clock;
  readonly #over: AbortSignal;
  #at: number;

  constructor(file: LogFile, places: Places, spare: Spare, clock: Clock, over: AbortSignal) {
    super({ highWaterMark: READ_BYTES });
    this.#file = file;
    this.#places = places;
    this.#spare = spare;
    this.#clock = clock;
    this.#over = over;
    this.#at = file.offset;
    places.begin(this.#at, file);
  }

  override _read(): void {
    this.#next().then(
      (bytes) => this.destroyed || this.push(bytes),
      (error: Error) => this.destroy(error),
    );
  }

  /** The next bytes; null at the end. */
  async #next(): Promise<Buffer | null> {
    while (!this.destroyed) {
      const last = this.#over.aborted;
      const bytes = await this.#file.read(this.#spare.take);
      if (bytes !== undefined) {
        this.#at += bytes.length;
        return bytes;
      }
      const now = this.#file.look();
      if (now === 'shrunk') {
        this.#file = this.#file.anew();
        this.#places.begin(this.#at, this.#file);
      } else if (now === 'same') {
        if (last) return null;
        await this.#clock.sleep(POLL_MS, this.#over);
      }
    }
    return null;
  }
}
