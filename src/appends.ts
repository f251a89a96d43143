import { batchBytes, type Batch } from './batch.ts';
import type { ReadCounts } from './counters.ts';
import type { PipelineOptions } from './pipeline.ts';
import type { Reading } from './reading.ts';
import type { Source } from './sources/source.ts';

/** Bytes that may be under way: a group commit takes up to 20 ms, and a pipe gives many small batches in that time. */
const MOST_UNDER_WAY = 2 << 20;
/** How often the position moves on while there are no rows. */
const POSITION_MS = 1_000;

/** What is on its way into the spool, of one source or of several that share a bound. */
export class UnderWay {
  readonly #appends = new Set<Promise<void>>();
  #bytes = 0;

  add(append: Promise<void>, bytes: number): void {
    this.#bytes += bytes;
    const committed = append.then(() => {
      this.#bytes -= bytes;
      this.#appends.delete(committed);
    });
    this.#appends.add(committed);
  }

  /** Resolves when more may be decoded. */
  async room(): Promise<void> {
    while (this.#bytes > MOST_UNDER_WAY) await this.#appends.values().next().value;
  }
}

/** `counted`: in counters, where the name would be one of too many. */
export type Appending = Pick<Source, 'name' | 'resumes'> & { readonly counted?: string };

/** The batches of one source on their way into the spool, in order. */
export class Appends {
  readonly #source: Appending;
  /** Up to where the source was decoded. */
  readonly #decoded: () => number;
  readonly #options: PipelineOptions;
  readonly #reading: Reading;
  readonly #under_way: UnderWay;
  /** The last append; those before it are settled before it is. */
  #last: Promise<void> = Promise.resolve();
  /** The last append: when, up to where, and whether its position has a carry. */
  #at: number;
  #offset: number;
  #carries: boolean;
  /** The spool cannot go on. */
  #failed = false;

  constructor(
    source: Appending,
    decoded: () => number,
    options: PipelineOptions,
    reading: Reading,
    under_way = new UnderWay(),
  ) {
    this.#under_way = under_way;
    this.#source = source;
    this.#decoded = decoded;
    this.#options = options;
    this.#reading = reading;
    this.#at = options.clock.monotonic();
    this.#offset = decoded();
    this.#carries = options.spool.positions.get(source.name)?.['carry'] !== undefined;
  }

  /** True when the spool has not taken something, and takes nothing after it. */
  get failed(): boolean {
    return this.#failed || this.#reading.over;
  }

  /** Resolves when more may be decoded: a full spool does not commit, and so it holds the source back. */
  async add({ batch, counts }: { batch: Batch; counts: ReadCounts }): Promise<void> {
    this.#options.counters.add(this.#source.counted ?? this.#source.name, counts);
    const due = this.#options.clock.monotonic() - this.#at > POSITION_MS && this.#decoded() !== this.#offset;
    if (batch.rows.length > 0 || batch.state !== undefined || due) this.#append(batch);
    await this.#under_way.room();
  }

  /** The last batch for now. Its position is appended though it has no rows; resolves when all of them are committed. */
  async end({ batch, counts }: { batch: Batch; counts: ReadCounts }): Promise<void> {
    this.#options.counters.add(this.#source.counted ?? this.#source.name, counts);
    const moved = this.#decoded() !== this.#offset || this.#carries !== (batch.position['carry'] !== undefined);
    const told = batch.rows.length > 0 || batch.state !== undefined;
    if (told || moved || batch.ended === true) this.#append(batch, true);
    await this.#last;
  }

  #append(batch: Batch, awaited = false): void {
    const reading = this.#reading;
    const rows = this.#source.resumes ? 0 : batch.rows.reduce((sum, { ends }) => sum + ends.length, 0);
    reading.waiting += rows;
    if (this.#failed || reading.over) return;
    this.#at = this.#options.clock.monotonic();
    this.#offset = this.#decoded();
    this.#carries = batch.position['carry'] !== undefined;
    const committed = this.#options.spool.append(batch, { awaited }).then(
      () => {
        reading.waiting -= rows;
      },
      (error: Error) => {
        this.#failed = true;
        if (!reading.over) reading.fail(error);
      },
    );
    this.#under_way.add(committed, batchBytes(batch));
    this.#last = Promise.all([this.#last, committed]).then(() => {});
  }
}
