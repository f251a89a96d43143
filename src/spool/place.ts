import { errorCode } from '../errors.ts';
import { isDamage } from './damage.ts';
import type { SpoolFile, SpoolFs } from './files.ts';
import type { Header } from './format.ts';
import { offsetInIndex } from './index-table.ts';
import { Scanner } from './scan.ts';
import { readSeal } from './seal.ts';
import type { Segment } from './segment.ts';

/** What a place asks of the spool. */
export interface Shelf {
  readonly fs: SpoolFs;
  readonly spool: string;
  /** The first segment whose last committed record is not before that number. */
  segmentOf(seq: number): Segment | undefined;
  /** Where the record begins in a segment that this process wrote, or shortly before; undefined where only the file knows. */
  offsetOf(segment: Segment, seq: number): number | undefined;
  memory(length: number): ArrayBuffer;
  /** Lets some time pass: what the disk does not give now it may give then. */
  pause(ms: number): Promise<void>;
  damaged(segment: Segment, at: number, what: string): void;
}

/** Tries before the rest of a segment that the disk does not give back is passed over. */
const TRIES = 3;
const PAUSE_MS = 200;

/** Where a reader stands in the files: it goes through them in order, and keeps one open. */
export class Place {
  readonly #shelf: Shelf;
  #open: { readonly segment: Segment; readonly file: SpoolFile; readonly scanner: Scanner } | undefined;
  /** The number after the last record that was read. */
  #next = -1;

  constructor(shelf: Shelf) {
    this.#shelf = shelf;
  }

  /** The first record from that number on, of those that are asked for, which can be read; undefined when there is none that is committed. */
  async read(
    seq: number,
    which: (header: Header) => boolean = () => true,
  ): Promise<{ header: Header; payload: Buffer } | undefined> {
    let from = seq;
    for (let tries = 1; ;) {
      const segment = this.#shelf.segmentOf(from);
      if (segment === undefined) return undefined;
      // More may be committed to it meanwhile, and that is not looked at.
      const { last } = segment;
      try {
        const found = await this.#within(segment, from, which, tries === TRIES);
        if (found !== undefined) return found;
      } catch (error) {
        await this.leave();
        // What cannot be opened now is there all the same: it is waited for.
        if (!isDamage(error) || tries++ < TRIES) {
          await this.#shelf.pause(PAUSE_MS);
          continue;
        }
        this.#shelf.damaged(segment, segment.end, `cannot be read (${errorCode(error) ?? 'UNKNOWN'})`);
      }
      tries = 1;
      from = last + 1;
    }
  }

  /** Closes the file, when it is that one or none is named: the space of a file that is open is not free. */
  async leave(number?: number): Promise<void> {
    const open = this.#open;
    if (open === undefined || (number !== undefined && open.segment.number !== number)) return;
    this.#open = undefined;
    this.#next = -1;
    await open.file.close();
  }

  async #within(
    segment: Segment,
    seq: number,
    which: (header: Header) => boolean,
    around: boolean,
  ): Promise<{ header: Header; payload: Buffer } | undefined> {
    const scanner = await this.#scanner(segment, seq, around);
    const wanted = (header: Header): boolean => header.kind === 'batch' && header.seq >= seq && which(header);
    for (let item = await scanner.next(wanted); item !== undefined; item = await scanner.next(wanted)) {
      const { header, at } = item;
      if (header === undefined) {
        this.#shelf.damaged(segment, at, `${item.length} bytes are damaged`);
      } else if (wanted(header)) {
        if (item.payload !== undefined) {
          this.#next = header.seq + 1;
          return { header, payload: item.payload };
        }
        this.#shelf.damaged(segment, at, `record ${header.seq} is damaged`);
      }
    }
    this.#next = -1;
    return undefined;
  }

  /** A scanner that stands at the record or before it. */
  async #scanner(segment: Segment, seq: number, around: boolean): Promise<Scanner> {
    if (this.#open?.segment !== segment) {
      await this.leave();
      const file = await this.#shelf.fs.open(segment.path, 'read');
      const { spool } = this.#shelf;
      const scanner = new Scanner(file, { end: 0, spool, around, memory: (length) => this.#shelf.memory(length) });
      this.#open = { segment, file, scanner };
    }
    const { file, scanner } = this.#open;
    if (this.#next !== seq) scanner.moveTo(seq <= segment.first ? 0 : await this.#locate(segment, file, seq));
    scanner.extend(segment.end);
    return scanner;
  }

  async #locate(segment: Segment, file: SpoolFile, seq: number): Promise<number> {
    const known = this.#shelf.offsetOf(segment, seq);
    if (known !== undefined) return known;
    const seal = await readSeal(file);
    return seal === undefined ? 0 : offsetInIndex(seal.index, seq);
  }
}
