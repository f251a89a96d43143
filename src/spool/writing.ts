import type { Clock } from '../clock.ts';
import { errorCode } from '../errors.ts';
import type { Log } from '../log.ts';
import type { SyncPolicy } from './disk.ts';
import type { SpoolFs } from './files.ts';
import type { Header } from './format.ts';
import type { Mark } from './mark.ts';
import { SegmentWriter, type Segment, type Stamp } from './segment.ts';
import type { Snapshot } from './sources.ts';

export interface WritingOptions {
  readonly directory: string;
  readonly clock: Clock;
  readonly fs: SpoolFs;
  readonly log: Log;
  readonly sync: SyncPolicy;
  readonly src: string;
  /** Number of the first segment. */
  readonly number: number;
  /** How large the segment is to be that is opened now. */
  readonly segment_bytes: () => Promise<number>;
  /** The last record that is committed. */
  readonly at: () => { seq: number; mark: Mark };
  readonly snapshot: () => Snapshot;
  /** True when the oldest segment is only kept because there are no two newer ones. */
  readonly rolls: () => boolean;
  readonly opened: (segment: Segment) => void;
}

/** A record in pieces, its header first. */
export interface Encoded {
  readonly header: Header;
  readonly pieces: readonly Uint8Array[];
}

/** True for the errors of a disk that is full: it will not stay so. */
export function isFull(error: unknown): boolean {
  return FULL.has(errorCode(error) ?? '');
}

const FULL = new Set(['ENOSPC', 'EDQUOT']);

/** The segment that is being written, and the next one when that is full or has failed. */
export class Writing {
  readonly #options: WritingOptions;
  #writer: SegmentWriter | undefined;
  #number: number;
  #segment_bytes = 0;

  constructor(options: WritingOptions) {
    this.#options = options;
    this.#number = options.number;
  }

  /** Opens a segment. Rejects when that is impossible for another reason than a full disk. */
  async start(): Promise<void> {
    try {
      await this.#open();
    } catch (error) {
      if (!isFull(error)) throw error;
      this.#options.log('warning', `spool: no space left for ${this.#options.directory}; waiting for some`);
    }
  }

  get stamp(): Stamp {
    return { src: this.#options.src, now: () => this.#options.clock.wall() };
  }

  /** Writes the records of a group, and syncs them. Rejects with the file system's error; then none of them counts. */
  async put(group: readonly Encoded[]): Promise<void> {
    const writer = await this.#ready(group.reduce((sum, { header }) => sum + header.size.bytes, 0));
    await writer.write(group);
    await writer.sync(this.#options.sync !== 'never');
  }

  offsetOf(segment: Segment, seq: number): number | undefined {
    return this.#writer?.segment === segment ? this.#writer.offsetOf(seq) : undefined;
  }

  /** On a disk that something else has filled: large segments that nobody needs make room for small ones. */
  async makeRoom(): Promise<boolean> {
    const writer = this.#writer;
    if (writer === undefined || !this.#options.rolls()) return false;
    try {
      await this.#seal(writer);
      this.#writer = undefined;
      await writer.close();
      await this.#open();
      return true;
    } catch (error) {
      if (this.#writer !== undefined && !(isFull(error) && (await this.takenBack()))) await this.giveUp();
      return false;
    }
  }

  /** After a write that found no room; false when even that fails. */
  async takenBack(): Promise<boolean> {
    try {
      await this.#writer?.rollBack();
      return true;
    } catch {
      return false;
    }
  }

  /** The file is never written to again. */
  async giveUp(): Promise<void> {
    const writer = this.#writer;
    this.#writer = undefined;
    // So that the same records do not stand there twice; where it fails, the next start sees that they do.
    await writer?.rollBack().catch(() => {});
    await writer?.close().catch(() => {});
  }

  /** Seals and closes the segment. */
  async dispose(): Promise<void> {
    const writer = this.#writer;
    this.#writer = undefined;
    if (writer === undefined) return;
    try {
      await this.#seal(writer);
    } catch (error) {
      // The next start reads it as a whole instead.
      this.#options.log(
        'warning',
        `spool: ${writer.segment.path} could not be sealed (${errorCode(error) ?? 'UNKNOWN'})`,
      );
    } finally {
      await writer.close();
    }
  }

  /** A writer with room for so much. */
  async #ready(bytes: number): Promise<SegmentWriter> {
    const writer = this.#writer;
    if (writer === undefined) return this.#open();
    const { end, first, last } = writer.segment;
    if (last < first || end + bytes <= this.#segment_bytes) return writer;
    await this.#seal(writer);
    this.#writer = undefined;
    await writer.close();
    return this.#open();
  }

  async #open(): Promise<SegmentWriter> {
    const { fs, directory, at, snapshot, segment_bytes } = this.#options;
    const { seq, mark } = at();
    this.#segment_bytes = await segment_bytes();
    const writer = await SegmentWriter.create(fs, directory, this.#number, seq, mark, snapshot(), this.stamp).catch(
      (error: unknown) => {
        // The file could not even be removed.
        if (errorCode(error) === 'EEXIST') this.#number += 1;
        throw error;
      },
    );
    this.#number += 1;
    this.#writer = writer;
    this.#options.opened(writer.segment);
    return writer;
  }

  #seal(writer: SegmentWriter): Promise<void> {
    return writer.seal(this.#options.at().mark, this.#options.snapshot(), this.stamp, this.#options.sync !== 'never');
  }
}
