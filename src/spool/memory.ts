import { randomBytes } from 'node:crypto';
import { batchBytes, type Batch } from '../batch.ts';
import type { Clock } from '../clock.ts';
import { Reader } from './memory-reader.ts';
import type { Committed, Spool, SpoolReader, SpoolRecord } from './spool.ts';

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

/**
 * The spool without a disk: bounded in bytes, gone with the process. Same contract as the one on disk.
 */
export class MemorySpool implements Spool {
  readonly src: string;
  readonly #clock: Clock;
  readonly #max_bytes: number;
  readonly #appended: (record: SpoolRecord) => void;
  readonly #settled: (record: SpoolRecord) => void;
  /** Records not yet settled by every reader: `#records[n]` has the number `#first + n`. */
  readonly #records: SpoolRecord[] = [];
  readonly #sizes: number[] = [];
  readonly #readers: Reader[] = [];
  readonly #waiting: Waiting[] = [];
  #first = 1;
  #bytes = 0;
  #ended = false;
  #closed = false;

  constructor(options: MemorySpoolOptions) {
    this.#clock = options.clock;
    this.#max_bytes = options.max_bytes;
    this.#appended = options.appended ?? (() => {});
    this.#settled = options.settled ?? (() => {});
    this.src = `${randomBytes(8).toString('hex')}-${randomBytes(6).toString('hex')}`;
  }

  async append(batch: Batch, options: { reserved?: boolean } = {}): Promise<Committed> {
    const bytes = batchBytes(batch);
    if (options.reserved === true || (this.#waiting.length === 0 && this.#fits(bytes))) {
      return { seq: this.#commit(batch, bytes) };
    }
    const waited = new Promise<Committed>((admitted) => this.#waiting.push({ batch, bytes, admitted }));
    // Lanes that linger for more would wait for what cannot come.
    this.#wake();
    return waited;
  }

  reader(_lane: string, options: { late?: boolean } = {}): SpoolReader {
    const reader = new Reader(this, this.#clock, this.#first, options.late ?? false);
    this.#readers.push(reader);
    return reader;
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  usage(): { bytes: number; max_bytes: number } {
    return { bytes: this.#bytes, max_bytes: this.#max_bytes };
  }

  close(): void {
    this.#ended = true;
    this.#closed = true;
    this.#wake();
  }

  /** True when nothing more comes for the reader. */
  over(late: boolean): boolean {
    return late ? this.#closed : this.#ended;
  }

  /** True when nothing more comes before something is settled. */
  get pressed(): boolean {
    return this.#ended || this.#waiting.length > 0;
  }

  /** The record with that number, if it is still held. */
  at(seq: number): SpoolRecord | undefined {
    return this.#records[seq - this.#first];
  }

  /** Lets go of the records that every reader has settled, and admits who waits for room. */
  release(): void {
    let settled = Number.POSITIVE_INFINITY;
    for (const reader of this.#readers) settled = Math.min(settled, reader.settled);
    while (this.#records.length > 0 && this.#first <= settled) {
      const record = this.#records.shift()!;
      this.#settled(record);
      this.#bytes -= this.#sizes.shift() ?? 0;
      this.#first += 1;
    }
    this.#admit();
  }

  /** A single record larger than the bound still goes in, alone: a spool must never hold a source back for ever. */
  #fits(bytes: number): boolean {
    return this.#bytes === 0 || this.#bytes + bytes <= this.#max_bytes;
  }

  /** Commits on behalf of who waits, in order: an append that only resolved here could be overtaken before it commits. */
  #admit(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift();
      next.admitted({ seq: this.#commit(next.batch, next.bytes) });
    }
  }

  #commit(batch: Batch, bytes: number): number {
    const now = this.#clock.wall();
    const bases: number[] = [];
    let row = 0;
    for (const rows of batch.rows) {
      bases.push(row);
      row += rows.ends.length;
    }
    const record: SpoolRecord = {
      src: this.src,
      seq: this.#first + this.#records.length,
      day: new Date(now).toISOString().slice(0, 10),
      committed_at: this.#clock.monotonic(),
      batch,
      bases,
    };
    this.#records.push(record);
    this.#sizes.push(bytes);
    this.#bytes += bytes;
    this.#appended(record);
    for (const reader of this.#readers) reader.added(record);
    return record.seq;
  }

  #wake(): void {
    for (const reader of this.#readers) reader.wake();
  }
}
