import { randomBytes } from 'node:crypto';
import { batchBytes, type Batch } from '../batch.ts';
import type { Clock } from '../clock.ts';
import { buriedRows, laneSource } from '../delivery/bury.ts';
import { add, markOf, NOTHING, type Mark } from './mark.ts';
import { Reader, type Held, type ReadableSpool } from './reader.ts';
import { drop, recordOf } from './record.ts';
import { dayOf } from './segment.ts';
import { Sources } from './sources.ts';
import type { AppendOptions, Committed, ReaderOptions, Spool, SpoolReader, SpoolRecord, Until } from './spool.ts';

interface Waiting {
  readonly batch: Batch;
  readonly bytes: number;
  readonly admitted: (committed: Committed) => void;
}

export interface MemorySpoolOptions {
  readonly clock: Clock;
  /** Past this, `append` waits. */
  readonly max_bytes: number;
  /** Called for every record as it is committed: the ledger counts there what was accepted. */
  readonly appended?: (record: SpoolRecord) => void;
  /** Called when every lane has settled a record: its memory may be used again. */
  readonly settled?: (record: SpoolRecord) => void;
}

/** A new spool, or a new epoch of one: 8 and 6 random bytes, in hex. */
export function newSrc(spool = randomBytes(8).toString('hex')): string {
  return `${spool}-${randomBytes(6).toString('hex')}`;
}

/**
 * The spool without a disk: bounded in bytes, gone with the process. Same contract as the one on disk.
 */
export class MemorySpool implements Spool, ReadableSpool {
  readonly src = newSrc();
  readonly #sources = new Sources();
  readonly positions = this.#sources.positions;
  mark: Mark = NOTHING;
  readonly #options: MemorySpoolOptions;
  /** Records not yet settled by every reader: `#records[n]` has the number `#first + n`. */
  readonly #records: Held[] = [];
  readonly #readers: Reader[] = [];
  readonly #waiting: Waiting[] = [];
  #first = 1;
  #bytes = 0;
  readonly #ended = { sources: false, stages: false, lanes: false };

  constructor(options: MemorySpoolOptions) {
    this.#options = options;
  }

  get last(): number {
    return this.#first + this.#records.length - 1;
  }

  async append(batch: Batch, options: AppendOptions = {}): Promise<Committed> {
    const bytes = batchBytes(batch);
    if (options.reserved === true || (this.#waiting.length === 0 && this.#fits(bytes))) {
      return { seq: this.#commit(batch, bytes) };
    }
    const waited = new Promise<Committed>((admitted) => this.#waiting.push({ batch, bytes, admitted }));
    // Lanes that linger for more would wait for what cannot come.
    this.#wake();
    return waited;
  }

  seen(source: string, request: string): boolean {
    return this.#sources.seen(source, request, this.#options.clock.wall());
  }

  state(source: string): ReadonlyMap<string, string> {
    return this.#sources.state(source);
  }

  reader(lane: string, options: ReaderOptions = {}): SpoolReader {
    const oldest = { seq: this.#first - 1, mark: this.#records[0]?.record.before ?? this.mark };
    const { settled } = options;
    const from = settled === undefined || settled.seq < oldest.seq ? oldest : settled;
    const reader = new Reader(lane, this, this.#options.clock, from, options);
    this.#readers.push(reader);
    return reader;
  }

  /** Asked for by a lane that was made anew: whoever it took the place of has held what it appended since. */
  async buried(lane: string, after: number): Promise<ReadonlySet<string>> {
    const ids = new Set<string>();
    for (const { record } of this.#records) {
      if (record.seq <= after || record.batch.source !== laneSource(lane)) continue;
      for (const id of buriedRows(record.batch)) ids.add(id);
    }
    return ids;
  }

  end(who: 'sources' | 'stages' = 'stages'): void {
    this.#ended.sources = true;
    if (who === 'stages') this.#ended.stages = true;
    this.#wake();
  }

  usage(): { bytes: number; max_bytes: number; full: boolean } {
    return { bytes: this.#bytes, max_bytes: this.#options.max_bytes, full: this.#waiting.length > 0 };
  }

  async close(): Promise<void> {
    this.#ended.lanes = true;
    this.end();
  }

  async dispose(): Promise<void> {}

  over(until: Until): boolean {
    return this.#ended[until];
  }

  get pressed(): boolean {
    return this.#ended.sources || this.#waiting.length > 0;
  }

  read(_reader: Reader, seq: number): Held | undefined {
    const held = this.#records[seq - this.#first];
    if (held !== undefined) held.refs += 1;
    return held;
  }

  async leave(reader: Reader): Promise<void> {
    this.#readers.splice(this.#readers.indexOf(reader), 1);
    this.release();
  }

  letGo(held: Held): void {
    if (drop(held)) this.#options.settled?.(held.record);
  }

  begin(): void {}

  /** Lets go of the records that every reader has settled, and admits who waits for room. */
  release(): void {
    let settled = Number.POSITIVE_INFINITY;
    for (const reader of this.#readers) settled = Math.min(settled, reader.settled.seq);
    while (this.#records.length > 0 && this.#first <= settled) {
      const held = this.#records.shift()!;
      this.#bytes -= held.record.size.bytes;
      this.#first += 1;
      this.letGo(held);
    }
    this.#admit();
  }

  /** A single record larger than the bound still goes in, alone: a spool must never hold a source back for ever. */
  #fits(bytes: number): boolean {
    return this.#bytes === 0 || this.#bytes + bytes <= this.#options.max_bytes;
  }

  /** Commits on behalf of who waits, in order: an append that only resolved here could be overtaken before it commits. */
  #admit(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift();
      next.admitted({ seq: this.#commit(next.batch, next.bytes) });
    }
  }

  #commit(batch: Batch, bytes: number): number {
    const { clock } = this.#options;
    const size = markOf(batch, bytes);
    const header = { src: this.src, seq: this.last + 1, day: dayOf(clock.wall()), before: this.mark, size };
    const record = recordOf(header, batch, clock.monotonic());
    this.#records.push({ record, refs: 1 });
    this.#bytes += bytes;
    this.mark = add(this.mark, size);
    this.#sources.take(batch, clock.wall());
    this.#options.appended?.(record);
    for (const reader of this.#readers) reader.added();
    return record.seq;
  }

  #wake(): void {
    for (const reader of this.#readers) reader.wake();
  }
}
