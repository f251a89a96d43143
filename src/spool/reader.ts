import type { Clock } from '../clock.ts';
import { add, between, rowsOf, type Mark } from './mark.ts';
import type { ReaderOptions, SpoolReader, SpoolRecord, TakeLimits, Until } from './spool.ts';

/** A record in memory, and by how many it is held: by the spool as long as it may be read again, by every lane that has it in hand. */
export interface Held {
  readonly record: SpoolRecord;
  refs: number;
}

/** What a reader asks of the spool it reads. */
export interface ReadableSpool {
  /** Number of the last record that is committed, and what was committed up to it. */
  readonly last: number;
  readonly mark: Mark;
  /** True when nothing more comes for the reader. */
  over(until: Until): boolean;
  /** True when nothing more comes before something is settled: then there is nothing to linger for. */
  readonly pressed: boolean;
  /** The first record from that number on that can be read, held once more for the caller; undefined when there is none up to the last. */
  read(reader: Reader, seq: number): Held | undefined | Promise<Held | undefined>;
  /** The caller has no more use for it. */
  letGo(held: Held): void;
  /** The reader reads no more. */
  leave(reader: Reader): Promise<void>;
  /** Some reader has settled more than before. */
  release(): void;
  /** A reader takes: every lane has its reader by now. */
  begin(): void;
}

/** One lane's way through the records. One `take` at a time. */
export class Reader implements SpoolReader {
  readonly name: string;
  readonly give_up: ((seq: number) => void) | undefined;
  readonly #spool: ReadableSpool;
  readonly #clock: Clock;
  readonly #until: Until;
  /** Taken and not settled. */
  readonly #hand: Held[] = [];
  /** Read and not taken: it did not fit into the block before. */
  #peeked: Held | undefined;
  /** The number after the last record taken, and what was committed up to there. */
  #next: number;
  #mark: Mark;
  #settled: { seq: number; mark: Mark };
  /** Everything up to here is known to be settled after a restart too. */
  kept: number;
  /** Who waits in `take`, and for how much; nobody is woken for less. */
  #waiting: { readonly rows: number; readonly bytes: number; readonly wake: () => void } | undefined;
  #looking = false;

  constructor(
    name: string,
    spool: ReadableSpool,
    clock: Clock,
    from: { seq: number; mark: Mark },
    options: ReaderOptions,
  ) {
    this.name = name;
    this.give_up = options.give_up;
    this.#spool = spool;
    this.#clock = clock;
    this.#until = options.until ?? 'stages';
    this.#next = from.seq + 1;
    this.#mark = from.mark;
    this.#settled = from;
    this.kept = from.seq;
  }

  get settled(): { readonly seq: number; readonly mark: Mark } {
    return this.#settled;
  }

  get passed(): Mark {
    return this.#mark;
  }

  /** The number after the last record taken. */
  get next(): number {
    return this.#next;
  }

  get holding(): boolean {
    return this.#hand.length > 0;
  }

  async take(limits: TakeLimits, signal: AbortSignal): Promise<SpoolRecord[]> {
    this.#spool.begin();
    for (;;) {
      while (this.#next > this.#spool.last) {
        if (this.#spool.over(this.#until) || signal.aborted) return [];
        await this.#more(0, 0, signal, undefined);
      }
      const first = await this.#peek();
      if (first === undefined) continue;
      const left = first.committed_at + limits.linger_ms - this.#clock.monotonic();
      if (!this.#has(limits.max_rows, limits.max_bytes) && left > 0 && !this.#spool.pressed && !signal.aborted) {
        await this.#more(limits.max_rows, limits.max_bytes, signal, left);
      }
      const records = await this.#gather(limits);
      if (records.length > 0) return records;
    }
  }

  async retake(from: number, to: number): Promise<SpoolRecord[]> {
    this.#spool.begin();
    this.#next = from;
    const records: SpoolRecord[] = [];
    for (;;) {
      const record = this.#next > to ? undefined : await this.#peek();
      if (record === undefined || record.seq > to) break;
      records.push(this.#grasp());
    }
    this.#next = Math.max(this.#next, to + 1);
    return records;
  }

  advance(seq: number): void {
    let { mark } = this.#settled;
    while (this.#hand.length > 0 && this.#hand[0]!.record.seq <= seq) {
      const held = this.#hand.shift()!;
      mark = add(held.record.before, held.record.size);
      this.#spool.letGo(held);
    }
    if (this.#hand.length === 0 && seq >= this.#next - 1) mark = this.#mark;
    this.#settled = { seq: Math.max(this.#settled.seq, seq), mark };
    this.#spool.release();
  }

  /** Everything up to `seq` is given up: the next `take` begins behind it. */
  skip(seq: number): void {
    if (seq < this.#next) return;
    if (this.#peeked !== undefined && this.#peeked.record.seq <= seq) {
      this.#spool.letGo(this.#peeked);
      this.#peeked = undefined;
    }
    // What they held is told by `before` of the first record that is taken after them.
    this.#next = seq + 1;
  }

  keep(seq: number): void {
    this.kept = Math.max(this.kept, seq);
    this.#spool.release();
  }

  async close(): Promise<void> {
    for (const held of this.#hand.splice(0)) this.#spool.letGo(held);
    if (this.#peeked !== undefined) this.#spool.letGo(this.#peeked);
    this.#peeked = undefined;
    await this.#spool.leave(this);
  }

  oldest(): number | undefined {
    const known = this.#hand[0] ?? this.#peeked;
    if (known === undefined && this.#next <= this.#spool.last && !this.#looking) {
      this.#looking = true;
      void this.#peek()
        .catch(() => undefined)
        .then(() => {
          this.#looking = false;
        });
    }
    return (this.#hand[0] ?? this.#peeked)?.record.committed_at;
  }

  /** A record was committed. */
  added(): void {
    const waiting = this.#waiting;
    if (waiting !== undefined && this.#has(waiting.rows, waiting.bytes)) waiting.wake();
  }

  /** The spool has ended, is closed or is full. */
  wake(): void {
    this.#waiting?.wake();
  }

  #has(rows: number, bytes: number): boolean {
    const there = between(this.#mark, this.#spool.mark);
    return rowsOf(there) >= rows || there.bytes >= bytes;
  }

  #pending: Promise<Held | undefined> | undefined;

  /** The next record, which stays to be taken; undefined when no more can be read, and then what there was is passed over. */
  async #peek(): Promise<SpoolRecord | undefined> {
    while (this.#peeked === undefined || this.#peeked.record.seq < this.#next) {
      if (this.#peeked !== undefined) this.#spool.letGo(this.#peeked);
      this.#peeked = undefined;
      const { last, mark } = this.#spool;
      if (this.#next > last) return undefined;
      const next = this.#next;
      const got = this.#pending ?? this.#spool.read(this, next);
      if (got instanceof Promise) {
        // Whoever looks at the age of the oldest record and whoever takes it are two.
        this.#pending = got;
        const held = await got;
        if (this.#pending === got) {
          this.#pending = undefined;
          if (held !== undefined && held.record.seq >= this.#next) this.#peeked = held;
          else if (held !== undefined) this.#spool.letGo(held);
          else if (this.#next === next) this.#pass(last, mark);
        }
      } else if (got === undefined) this.#pass(last, mark);
      else this.#peeked = got;
    }
    return this.#peeked.record;
  }

  #pass(seq: number, mark: Mark): void {
    this.#next = seq + 1;
    this.#mark = mark;
  }

  /** Takes the record that was peeked at. */
  #grasp(): SpoolRecord {
    const held = this.#peeked!;
    this.#peeked = undefined;
    this.#hand.push(held);
    this.#pass(held.record.seq, add(held.record.before, held.record.size));
    return held.record;
  }

  /** At least one; no further than the limits, and not into another day or another epoch, nor over a gap. */
  async #gather(limits: TakeLimits): Promise<SpoolRecord[]> {
    const records: SpoolRecord[] = [];
    let rows = 0;
    let bytes = 0;
    for (;;) {
      const record = await this.#peek();
      if (record === undefined) break;
      const size = sizeOf(record);
      const first = records[0];
      if (first !== undefined) {
        const over = rows + size.rows > limits.max_rows || bytes + size.bytes > limits.max_bytes;
        if (over || record.day !== first.day || record.src !== first.src || record.seq !== this.#next) break;
      }
      records.push(this.#grasp());
      rows += size.rows;
      bytes += size.bytes;
    }
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

function sizeOf({ size, batch }: SpoolRecord): { rows: number; bytes: number } {
  let bytes = 0;
  for (const table of batch.rows) bytes += table.bytes.length;
  return { rows: rowsOf(size), bytes };
}
