import type { Clock } from '../clock.ts';
import { closeSegment } from './closing.ts';
import { errorCode } from '../errors.ts';
import { isDamage } from './damage.ts';
import type { Log } from '../log.ts';
import type { SpoolFile, SpoolFs } from './files.ts';
import { HEADER_BYTES, type Header } from './format.ts';
import { findSegments, type SegmentFile } from './heads.ts';
import { firstInIndex } from './index-table.ts';
import { add, NOTHING, type Mark } from './mark.ts';
import { readSeal } from './seal.ts';
import type { Segment } from './segment.ts';
import { Sources, type Said, type Snapshot } from './sources.ts';
import { readUnsealed } from './unsealed.ts';

/** What a spool's directory holds. */
export interface Recovered {
  /** In order, without those that were set aside. */
  readonly segments: Segment[];
  /** The spool's own random number, 16 hex digits; undefined for a new one. */
  readonly spool: string | undefined;
  /** Number of the last record, and what was committed up to it. */
  readonly last: number;
  readonly mark: Mark;
  /** What was committed before the oldest record that is there. */
  readonly first_mark: Mark;
  readonly sources: Sources;
  /** The number of the next segment: above that of every file there is, good or bad. */
  readonly next_number: number;
}

export interface RecoverOptions {
  readonly directory: string;
  readonly fs: SpoolFs;
  readonly clock: Clock;
  readonly log: Log;
  /** A record that a lane has seen: it was committed, and all before it. */
  readonly least: { readonly seq: number };
}

/**
 * Reads what is there, whatever its state: nothing in a segment keeps the spool from opening. Segments that were closed in order are known by their seal;
 * only one that was not, as a rule the last, is read as a whole: what was not committed at its end is taken away, and it gets its seal. A file in which nothing
 * can be read is set aside as `<name>.bad`.
 */
export async function recover(options: RecoverOptions): Promise<Recovered> {
  const { spool, files, next_number } = await findSegments(options.fs, options.directory);
  const state = new Recovery(options, spool);
  for (const [n, file] of files.entries())
    await state.take(file, files.slice(n + 1).find(({ head }) => head !== undefined)?.head);
  return { ...state.result, spool, next_number };
}

class Recovery {
  readonly #options: RecoverOptions;
  readonly #spool: string | undefined;
  readonly result = {
    segments: [] as Segment[],
    last: 0,
    mark: NOTHING,
    first_mark: NOTHING,
    sources: new Sources(),
  };

  constructor(options: RecoverOptions, spool: string | undefined) {
    this.#options = options;
    this.#spool = spool;
  }

  /** `next` is the head of the segment behind it. */
  async take(found: SegmentFile, next: Header | undefined): Promise<void> {
    const { fs, log } = this.#options;
    const { path } = found;
    try {
      const file = await fs.open(path, 'update');
      try {
        if (!(await this.#sealed(file, found))) await this.#unsealed(file, found, next);
      } finally {
        await file.close();
      }
    } catch (error) {
      // A file that may not be opened now (permissions, too many open files) is not damaged, and is not given up.
      if (!isDamage(error)) throw error;
      log('error', `spool: ${path} cannot be read (${errorCode(error) ?? 'UNKNOWN'}); it is set aside as ${path}.bad`);
      await fs.rename(path, `${path}.bad`).catch(() => {});
    }
  }

  async #sealed(file: SpoolFile, { path, number, head }: SegmentFile): Promise<boolean> {
    const seal = await readSeal(file).catch(() => undefined);
    if (seal === undefined || !seal.header.src.startsWith(this.#spool ?? '')) return false;
    const { header, snapshot, index, end } = seal;
    this.#shelve({ number, path, first: firstInIndex(index) ?? header.seq + 1, last: header.seq, end }, head ?? header);
    this.#reached(header, header.before, snapshot);
    return true;
  }

  /** A segment that was being written when the process ended. */
  async #unsealed(file: SpoolFile, { path, number, head }: SegmentFile, next: Header | undefined): Promise<void> {
    const { least, clock, log } = this.#options;
    const { last } = this.result;
    const size = await file.size();
    if (head === undefined) return this.#nothing(file, path, size);
    const limit = next?.kind === 'snapshot' ? next.seq : Number.POSITIVE_INFINITY;
    const proven = Math.max(
      least.seq,
      next === undefined ? 0 : next.kind === 'batch' ? next.seq - next.group - 1 : next.seq,
    );
    const reached = (header: Header, says: Snapshot | Said): void =>
      this.#reached(header, header.kind === 'batch' ? add(header.before, header.size) : header.before, says);
    const found = await readUnsealed(file, { size, spool: this.#spool, last, limit, proven, found: reached });
    if (found.end === 0) return this.#nothing(file, path, size, head);
    if (found.damaged > 0) {
      const text = `spool: ${found.damaged} bytes of ${path} are damaged; the records around them are kept`;
      log('error', text, { bytes: found.damaged });
    }
    const segment = { number, path, first: found.first ?? last + 1, last: found.last ?? last, end: found.end };
    const { last: seq, mark, sources } = this.result;
    const stamp = { src: head.src, now: () => clock.wall() };
    const snapshot = sources.snapshot(clock.wall());
    await closeSegment(file, segment, found, { seq, mark, snapshot, stamp }, log);
    this.#shelve(segment, head);
  }

  /** A file without a single record: it was just made when the process or the machine stopped, or it is not ours. */
  async #nothing(file: SpoolFile, path: string, size: number, head?: Header): Promise<void> {
    const { fs, log } = this.#options;
    // Not even its snapshot is whole: nothing was written behind that.
    const begun = head?.kind === 'snapshot' && size < head.size.bytes;
    if (begun || size < HEADER_BYTES || (await isZero(file, size))) {
      log('warning', `spool: ${path} is empty, and is removed`);
      await fs.unlink(path);
      return;
    }
    log('error', `spool: nothing in ${path} can be read; it is set aside as ${path}.bad`);
    await fs.rename(path, `${path}.bad`);
  }

  #shelve(segment: Segment, head: Header): void {
    if (this.result.segments.length === 0) this.result.first_mark = head.before;
    this.result.segments.push(segment);
  }

  #reached({ seq, committed_ms }: Header, mark: Mark, says: Snapshot | Said): void {
    if (seq < this.result.last) return;
    this.result.last = seq;
    this.result.mark = mark;
    if ('positions' in says) this.result.sources.load(says);
    else this.result.sources.take(says, committed_ms);
  }
}

async function isZero(file: SpoolFile, size: number): Promise<boolean> {
  const bytes = Buffer.alloc(1 << 16);
  for (let at = 0; at < size; at += bytes.length) {
    const read = await file.read(bytes, 0, Math.min(bytes.length, size - at), at);
    if (read === 0 || bytes.subarray(0, read).some((byte) => byte !== 0)) return read === 0;
  }
  return true;
}
