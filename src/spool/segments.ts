import { errorCode } from '../errors.ts';
import type { Log } from '../log.ts';
import type { SpoolFs } from './files.ts';
import { Retired } from './retired.ts';
import type { Segment } from './segment.ts';

/** What is asked of a lane's reader. */
export interface Keeper {
  /** Everything up to this record is known to be settled after a restart too. */
  readonly kept: number;
  /** Gives up everything up to that record; absent where that is not allowed. */
  readonly give_up: ((seq: number) => void) | undefined;
  /** Closes the file of a segment, if that is open. */
  leave(number: number): Promise<void>;
}

export interface SegmentsOptions {
  readonly directory: string;
  readonly fs: SpoolFs;
  readonly log: Log;
  readonly max_bytes: number;
  readonly keepers: () => Iterable<Keeper>;
  /** A segment is gone, and its space is free. */
  readonly removed: () => void;
}

const SEGMENT_BYTES = { least: 1 << 20, most: 64 << 20 };

/**
 * The files of a spool, oldest first, and how much they may be. One is removed when every lane has settled it for good, but the last two stay; what it
 * held stays known to `steptap audit`.
 */
export class Segments {
  readonly all: Segment[];
  readonly #options: SegmentsOptions;
  readonly #retired: Retired;
  #removing: Promise<void> = Promise.resolve();
  /** Nothing is removed before: the lane that needs it may not have joined yet. */
  begun = false;

  constructor(found: Segment[], options: SegmentsOptions) {
    this.all = found;
    this.#options = options;
    this.#retired = new Retired(options.fs, options.directory, options.log);
  }

  get bytes(): number {
    let bytes = 0;
    for (const { end } of this.all) bytes += end;
    return bytes;
  }

  /** The first segment whose last committed record is not before that number. */
  of(seq: number): Segment | undefined {
    return this.all.find(({ last }) => last >= seq);
  }

  fits(bytes: number): boolean {
    // With nothing left that could be removed, the rest goes in: a spool must never hold a source back for ever.
    return this.bytes + bytes <= this.#options.max_bytes || this.all.length <= 2;
  }

  /** An eighth of what the spool may take, and of what its disk has: the last two segments stay, and must not be all that fits. */
  async sizeOfNext(): Promise<number> {
    const share = Math.floor(Math.min(this.#options.max_bytes, (await this.free()) + this.bytes) / 8);
    return Math.min(Math.max(share, SEGMENT_BYTES.least), SEGMENT_BYTES.most);
  }

  /** A file system that does not say how much it has says so when it is full. */
  free(): Promise<number> {
    return this.#options.fs.free(this.#options.directory).catch(() => Number.POSITIVE_INFINITY);
  }

  /** True when the oldest segment is large, and only kept because there are no two newer ones. */
  get rolls(): boolean {
    return this.all.length <= 2 && this.all[0]!.end > SEGMENT_BYTES.least && this.#unneeded();
  }

  /** Somebody waits for room: when only lanes hold the oldest segment that may give it up, they are asked to. */
  askForRoom(): void {
    const [oldest] = this.all;
    if (oldest === undefined || this.all.length <= 2) return;
    const holding = [...this.#options.keepers()].filter(({ kept }) => kept < oldest.last);
    if (holding.some(({ give_up }) => give_up === undefined)) return;
    for (const { give_up } of holding) give_up?.(oldest.last);
  }

  /** Removes what nobody needs any more. */
  collect(): void {
    if (this.#removable() !== undefined) this.#removing = this.#removing.then(() => this.#remove());
  }

  /** Resolves when nothing is being removed. */
  settled(): Promise<void> {
    return this.#removing;
  }

  /** The oldest segment, when nobody needs it any more. */
  #removable(): Segment | undefined {
    return this.all.length > 2 && this.#unneeded() ? this.all[0] : undefined;
  }

  /** True when every lane has settled the oldest segment for good. */
  #unneeded(): boolean {
    const [oldest] = this.all;
    if (oldest === undefined || !this.begun) return false;
    for (const { kept } of this.#options.keepers()) if (kept < oldest.last) return false;
    return true;
  }

  async #remove(): Promise<void> {
    for (let segment = this.#removable(); segment !== undefined; segment = this.#removable()) {
      const { number, path } = segment;
      try {
        await Promise.all([...this.#options.keepers()].map((keeper) => keeper.leave(number)));
        await this.#retired.remove(segment);
      } catch (error) {
        this.#options.log('error', `spool: ${path} cannot be removed (${errorCode(error) ?? 'UNKNOWN'})`);
        return;
      }
      this.all.shift();
      this.#options.removed();
    }
  }
}
