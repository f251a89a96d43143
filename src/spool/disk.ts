import { batchBytes, type Batch, type Position } from '../batch.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { Slabs } from '../slabs.ts';
import { buriedIn } from './buried.ts';
import { Cache } from './cache.ts';
import { Commits, type Waiting } from './commits.ts';
import type { SpoolFs } from './files.ts';
import type { Header } from './format.ts';
import { add, rowsBy, type Mark } from './mark.ts';
import { newSrc } from './memory.ts';
import { decodePayload } from './payload.ts';
import { Place, type Shelf } from './place.ts';
import { Reader, type Held, type ReadableSpool } from './reader.ts';
import { committedAt, drop, memoryOf, recordOf } from './record.ts';
import { recover } from './recover.ts';
import type { Segment } from './segment.ts';
import { Segments, type Keeper } from './segments.ts';
import type { Sources } from './sources.ts';
import type { AppendOptions, Committed, ReaderOptions, Spool, SpoolReader, SpoolRecord, Until } from './spool.ts';

/** When what was appended is committed: together every 20 ms or 1 MiB, each alone, or without asking the disk (a power cut then loses what it had not written). */
export type SyncPolicy = 'group' | 'always' | 'never';

export interface DiskSpoolOptions {
  readonly directory: string;
  readonly clock: Clock;
  readonly fs: SpoolFs;
  readonly log: Log;
  readonly sync: SyncPolicy;
  /** Past so many bytes of segments, `append` waits, or the oldest are given up for lanes that allow it. */
  readonly max_bytes: number;
  /** Records that are kept in memory for lanes that keep up; others read them from the disk. */
  readonly memory_bytes: number;
  readonly slabs: Slabs;
  /** What the lanes' cursors know: a spool that lost its end must not use a number twice. */
  readonly least: { readonly seq: number; readonly mark: Mark };
  /** Called for every record as it is committed: the ledger counts there what was accepted. */
  readonly appended?: (record: SpoolRecord) => void;
  /** Called once, when the disk does not take what has to be written, whatever is tried. */
  readonly failed?: (error: Error) => void;
}

/** The longest a group waits for lanes: sources are never held below 10 MiB/s for their sake. */
const PACE_MS = 100;

/**
 * The spool on disk. An append is committed when its bytes are synced; readers see it then, and not before. Every start is a new epoch and a new segment.
 *
 * A full disk, or the bound, is backpressure: appends wait and nothing is lost.
 */
export class DiskSpool implements Spool, ReadableSpool, Shelf {
  readonly src: string;
  readonly spool: string;
  readonly fs: SpoolFs;
  readonly positions: Map<string, Position>;
  readonly #sources: Sources;
  mark: Mark;
  last: number;
  readonly #options: DiskSpoolOptions;
  readonly #first: { seq: number; mark: Mark };
  readonly #commits: Commits;
  readonly #segments: Segments;
  readonly #cache: Cache;
  readonly #places = new Map<Reader, Place>();
  readonly #damaged = new Set<string>();
  #appended = false;
  readonly #ended = { sources: false, stages: false, lanes: false };

  /** Opens the spool of a directory, made if need be, whatever state it is in. Rejects when the directory cannot be used at all. */
  static async open(options: DiskSpoolOptions): Promise<DiskSpool> {
    await options.fs.makeDirectory(options.directory);
    const found = await recover(options);
    const spool = new DiskSpool(options, found);
    await spool.#commits.start();
    return spool;
  }

  private constructor(options: DiskSpoolOptions, found: Awaited<ReturnType<typeof recover>>) {
    const { least } = options;
    this.#options = options;
    this.fs = options.fs;
    this.src = newSrc(found.spool);
    this.spool = this.src.slice(0, 16);
    this.#sources = found.sources;
    this.positions = found.sources.positions;
    this.last = Math.max(found.last, least.seq);
    this.mark = atLeast(found.mark, least.mark);
    const oldest = found.segments[0];
    this.#first =
      oldest === undefined ? { seq: this.last, mark: this.mark } : { seq: oldest.first - 1, mark: found.first_mark };
    this.#cache = new Cache(options.memory_bytes, (record) => this.#giveBack(record));
    this.#segments = new Segments(found.segments, {
      ...options,
      keepers: () => this.#keepers(),
      removed: () => this.#commits.roomMade(),
    });
    this.#commits = new Commits({
      ...options,
      src: this.src,
      number: found.next_number,
      segment_bytes: () => this.#segments.sizeOfNext(),
      free: () => this.#segments.free(),
      at: () => ({ seq: this.last, mark: this.mark }),
      snapshot: () => this.#sources.snapshot(options.clock.wall()),
      fits: (bytes) => this.#segments.fits(bytes),
      rolls: () => this.#segments.rolls,
      waits: () => {
        // Lanes that linger would wait for what cannot come.
        this.#wake();
        this.#segments.askForRoom();
      },
      opened: (segment) => {
        this.#segments.all.push(segment);
        this.release();
      },
      committed: (header, waiting) => this.#commit(header, waiting),
      paced: () => this.#pace(),
    });
  }

  /** The files, oldest first. */
  get segments(): readonly Segment[] {
    return this.#segments.all;
  }

  append(batch: Batch, options: AppendOptions = {}): Promise<Committed> {
    this.#appended = true;
    return this.#commits.append(batch, batchBytes(batch), options);
  }

  seen(source: string, request: string): boolean {
    return this.#sources.seen(source, request, this.#options.clock.wall());
  }

  state(source: string): ReadonlyMap<string, string> {
    return this.#sources.state(source);
  }

  reader(lane: string, options: ReaderOptions = {}): SpoolReader {
    const { settled } = options;
    if (settled !== undefined && settled.seq > this.last && !this.#appended) {
      // The end was lost, and this lane has seen it: its numbers are not used again.
      this.last = settled.seq;
      this.mark = atLeast(this.mark, settled.mark);
    }
    const from = settled === undefined || settled.seq < this.#first.seq ? this.#first : settled;
    const reader = new Reader(lane, this, this.#options.clock, from, options);
    this.#places.set(reader, new Place(this));
    return reader;
  }

  buried(lane: string, after: number): Promise<ReadonlySet<string>> {
    return buriedIn(this, lane, after);
  }

  end(who: 'sources' | 'stages' = 'stages'): void {
    this.#ended.sources = true;
    if (who === 'stages') this.#ended.stages = true;
    this.#wake();
  }

  async close(): Promise<void> {
    this.end();
    await this.#commits.close();
    this.#ended.lanes = true;
    this.#wake();
  }

  async dispose(): Promise<void> {
    this.release();
    await this.#segments.settled();
    await Promise.allSettled([...this.#places.values()].map((place) => place.leave()));
    await this.#commits.dispose();
  }

  usage(): { bytes: number; max_bytes: number; full: boolean } {
    return { bytes: this.#segments.bytes, max_bytes: this.#options.max_bytes, full: this.#commits.full };
  }

  over(until: Until): boolean {
    return this.#ended[until];
  }

  get pressed(): boolean {
    return this.#ended.sources || this.#commits.full;
  }

  read(reader: Reader, seq: number): Held | undefined | Promise<Held | undefined> {
    if (seq > this.last) return undefined;
    return this.#cache.hold(seq) ?? this.#fromDisk(this.#places.get(reader)!, seq);
  }

  letGo(held: Held): void {
    if (drop(held)) this.#giveBack(held.record);
  }

  async leave(reader: Reader): Promise<void> {
    const place = this.#places.get(reader);
    this.#places.delete(reader);
    this.release();
    await place?.leave();
  }

  release(): void {
    let settled = Number.POSITIVE_INFINITY;
    for (const reader of this.#places.keys()) settled = Math.min(settled, reader.settled.seq);
    this.#cache.forget(settled);
    if (!this.#goOn.signal.aborted && !this.#followed()) this.#goOn.abort('over');
    this.#segments.collect();
  }

  begin(): void {
    if (this.#segments.begun) return;
    this.#segments.begun = true;
    this.release();
  }

  segmentOf(seq: number): Segment | undefined {
    return this.#segments.of(seq);
  }

  offsetOf(segment: Segment, seq: number): number | undefined {
    return this.#commits.offsetOf(segment, seq);
  }

  memory(length: number): ArrayBuffer {
    return this.#options.slabs.take(length);
  }

  pause(ms: number): Promise<void> {
    return this.#options.clock.sleep(ms, new AbortController().signal);
  }

  damaged(segment: Segment, at: number, what: string): void {
    const key = `${segment.number}:${at}`;
    if (this.#damaged.has(key)) return;
    this.#damaged.add(key);
    this.#options.log('error', `spool: ${segment.path}, byte ${at}: ${what}; the records around it are delivered`, {
      segment: segment.path,
      offset: at,
    });
  }

  async #fromDisk(place: Place, seq: number): Promise<Held | undefined> {
    const found = await place.read(seq);
    if (found === undefined) return undefined;
    const { header, payload } = found;
    return { record: recordOf(header, decodePayload(payload), committedAt(header, this.#options.clock)), refs: 1 };
  }

  #commit(header: Header, { batch, done }: Waiting): void {
    const record = recordOf(header, batch, this.#options.clock.monotonic());
    this.last = header.seq;
    this.mark = add(header.before, header.size);
    this.#sources.take(batch, header.committed_ms);
    this.#cache.keep(record);
    this.#options.appended?.(record);
    for (const reader of this.#places.keys()) reader.added();
    done({ seq: header.seq });
  }

  /**
   * Waits for lanes that follow in memory, when they are behind by more than it may hold. Else a source that is faster than they are for a moment sends them to the
   * disk, where each reads everything once more. Whoever is further behind, or slower than that, is not waited for.
   */
  async #pace(): Promise<void> {
    if (this.#followed() && !this.#ended) {
      this.#goOn = new AbortController();
      await this.#options.clock.sleep(PACE_MS, this.#goOn.signal);
    }
    this.#cache.trim();
  }

  #goOn = new AbortController();

  #followed(): boolean {
    const { first } = this.#cache;
    if (first === undefined) return false;
    for (const { next, settled } of this.#places.keys()) {
      if (next >= first && this.mark.bytes - settled.mark.bytes > this.#options.memory_bytes) return true;
    }
    return false;
  }

  *#keepers(): Iterable<Keeper> {
    for (const [{ kept, give_up }, place] of this.#places) {
      yield { kept, give_up, leave: (number) => place.leave(number) };
    }
  }

  #giveBack(record: SpoolRecord): void {
    for (const memory of memoryOf(record)) this.#options.slabs.give(memory);
  }

  #wake(): void {
    for (const reader of this.#places.keys()) reader.wake();
  }
}

function atLeast(a: Mark, b: Mark): Mark {
  return {
    ...rowsBy((table) => Math.max(a[table], b[table])),
    bytes: Math.max(a.bytes, b.bytes),
  };
}
