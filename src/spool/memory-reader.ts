import type { Clock } from '../clock.ts';
import type { SpoolReader, SpoolRecord, TakeLimits } from './spool.ts';

/** What a reader asks of the spool it reads. */
export interface ReadableSpool {
  /** The record with that number, if it is held. */
  at(seq: number): SpoolRecord | undefined;
  /** True when nothing more comes for the reader. */
  over(late: boolean): boolean;
  /** True when nothing more comes before something is settled: then there is nothing to linger for. */
  readonly pressed: boolean;
  /** Some reader has settled more than before. */
  release(): void;
}

/** One lane's way through the records of a MemorySpool. One `take` at a time. */
export class Reader implements SpoolReader {
  readonly #spool: ReadableSpool;
  readonly #clock: Clock;
  readonly #late: boolean;
  /** Everything up to this number is settled. */
  settled: number;
  /** The number after the last record taken. */
  #next: number;
  /** Rows and bytes of the records that are there to be taken. */
  #rows = 0;
  #bytes = 0;
  /** Who waits in `take`, and for how much; nobody is woken for less. */
  #waiting: { readonly rows: number; readonly bytes: number; readonly wake: () => void } | undefined;

  constructor(spool: ReadableSpool, clock: Clock, first: number, late: boolean) {
    this.#spool = spool;
    this.#clock = clock;
    this.#late = late;
    this.settled = first - 1;
    this.#next = first;
    for (const record of this.unsettled()) this.added(record);
  }

  async take(limits: TakeLimits, signal: AbortSignal): Promise<SpoolRecord[]> {
    let first = this.#spool.at(this.#next);
    while (first === undefined) {
      if (this.#spool.over(this.#late) || signal.aborted) return [];
      await this.#more(0, 0, signal, undefined);
      first = this.#spool.at(this.#next);
    }
    const left = first.committed_at + limits.linger_ms - this.#clock.monotonic();
    if (!this.#has(limits.max_rows, limits.max_bytes) && left > 0 && !this.#spool.pressed && !signal.aborted) {
      await this.#more(limits.max_rows, limits.max_bytes, signal, left);
    }
    return this.#gather(first, limits);
  }

  advance(seq: number): void {
    this.settled = Math.max(this.settled, seq);
    this.#spool.release();
  }

  *unsettled(): Iterable<SpoolRecord> {
    for (let seq = this.settled + 1; ; seq++) {
      const record = this.#spool.at(seq);
      if (record === undefined) return;
      yield record;
    }
  }

  /** A record was committed. */
  added(record: SpoolRecord): void {
    const { rows, bytes } = sizeOf(record);
    this.#rows += rows;
    this.#bytes += bytes;
    const waiting = this.#waiting;
    if (waiting !== undefined && this.#has(waiting.rows, waiting.bytes)) waiting.wake();
  }

  /** The spool has ended, is closed or is full. */
  wake(): void {
    this.#waiting?.wake();
  }

  #has(rows: number, bytes: number): boolean {
    return this.#rows >= rows || this.#bytes >= bytes;
  }

  /** At least `first`; no further than the limits, and not into another day. */
  #gather(first: SpoolRecord, limits: TakeLimits): SpoolRecord[] {
    const records: SpoolRecord[] = [];
    let rows = 0;
    let bytes = 0;
    for (let record: SpoolRecord | undefined = first; record !== undefined; record = this.#spool.at(this.#next)) {
      const size = sizeOf(record);
      const over = rows + size.rows > limits.max_rows || bytes + size.bytes > limits.max_bytes;
      if (record !== first && (record.day !== first.day || over)) break;
      records.push(record);
      rows += size.rows;
      bytes += size.bytes;
      this.#next += 1;
    }
    this.#rows -= rows;
    this.#bytes -= bytes;
    return records;
  }

  /** Resolves when so much is there, when the spool ends or the signal aborts, or after `timeout_ms`. */
  async #more(rows: number, bytes: number, signal: AbortSignal, timeout_ms: number | undefined): Promise<void> {
    const over = new AbortController();
    const stop = (): void => over.abort('over');
    const enough = new Promise<void>((resolve) => {
      this.#waiting = { rows, bytes: bytes === 0 ? Number.POSITIVE_INFINITY : bytes, wake: resolve };
      over.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
    await (timeout_ms === undefined ? enough : Promise.race([enough, this.#clock.sleep(timeout_ms, over.signal)]));
    signal.removeEventListener('abort', stop);
    this.#waiting = undefined;
    stop();
  }
}

function sizeOf(record: SpoolRecord): { rows: number; bytes: number } {
  let rows = 0;
  let bytes = 0;
  for (const table of record.batch.rows) {
    rows += table.ends.length;
    bytes += table.bytes.length;
  }
  return { rows, bytes };
}
