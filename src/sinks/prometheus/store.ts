import { join } from 'node:path';
import type { Clock } from '../../clock.ts';
import type { CursorStore, LaneCursor } from '../../delivery/cursor.ts';
import type { Log } from '../../log.ts';
import type { SpoolFs } from '../../spool/files.ts';
import { Slots } from '../../spool/slots.ts';
import type { PrometheusSink, PrometheusState } from './index.ts';

/** A scrape that is lost in a crash is at most so much behind, until the records are read again. */
const EVERY_MS = 5_000;

interface Snapshot {
  readonly cursor: LaneCursor;
  readonly metrics: PrometheusState;
}

/**
 * Keeps the counts and the lane's cursor in one checksummed snapshot, every 5 s and at the end: at the next start the counts go on from there, and the records
 * behind the cursor are counted again. So each row is counted once, however the process ends.
 *
 * A snapshot is only taken between two blocks: within one, counts and cursor would not belong together.
 */
export async function openPrometheusStore(
  fs: SpoolFs,
  directory: string,
  sink: PrometheusSink,
  clock: Clock,
  log: Log,
): Promise<CursorStore> {
  const paths = [join(directory, 'prometheus.0'), join(directory, 'prometheus.1')] as const;
  const { slots, state, damaged } = await Slots.open(fs, paths, 0);
  if (damaged) log('error', `${paths[0]} and ${paths[1]} are damaged: histograms start anew`);
  const found = state as Snapshot | undefined;
  if (found !== undefined) sink.load(found.metrics);
  return new PrometheusStore(sink, slots, clock, found?.cursor);
}

class PrometheusStore implements CursorStore {
  readonly found: LaneCursor | undefined;
  readonly #sink: PrometheusSink;
  readonly #slots: Slots;
  readonly #clock: Clock;
  readonly #closed = new AbortController();
  /** The newest cursor, while it is not on the disk. */
  #dirty: { readonly cursor: LaneCursor; readonly kept: (seq: number) => void } | undefined;
  #last_ms: number;
  #waiting = false;
  #writing: Promise<void> = Promise.resolve();
  /** True while the newest attempt has not succeeded. */
  #failing = false;

  constructor(sink: PrometheusSink, slots: Slots, clock: Clock, found: LaneCursor | undefined) {
    this.#sink = sink;
    this.#slots = slots;
    this.#clock = clock;
    // The first block is kept at once: a process that is killed every few seconds, with a full spool behind it, gets on all the same.
    this.#last_ms = clock.monotonic() - EVERY_MS;
    this.found = found;
  }

  async save(cursor: LaneCursor, _sync: boolean, kept: (seq: number) => void): Promise<void> {
    this.#dirty = { cursor, kept };
    if (cursor.block !== undefined) return;
    // One that failed is tried again until it is written: who asks is told as long as it is not.
    if (this.#failing || this.#due() <= 0) await this.#write();
    else this.#later();
  }

  async close(): Promise<void> {
    this.#closed.abort('over');
    try {
      await this.#write();
    } finally {
      await this.#slots.close();
    }
  }

  #due(): number {
    return this.#last_ms + EVERY_MS - this.#clock.monotonic();
  }

  /** Nothing more may come for a long time. */
  #later(): void {
    if (this.#waiting) return;
    this.#waiting = true;
    void this.#clock.sleep(this.#due(), this.#closed.signal).then(async () => {
      this.#waiting = false;
      // A disk that is full now may not be at the next block.
      if (!this.#closed.signal.aborted) await this.#write().catch(() => {});
    });
  }

  /** One at a time. */
  #write(): Promise<void> {
    const written = this.#writing.then(() => this.#writeNow());
    this.#writing = written.catch(() => {});
    return written;
  }

  async #writeNow(): Promise<void> {
    const dirty = this.#dirty;
    if (dirty === undefined || dirty.cursor.block !== undefined) return;
    this.#last_ms = this.#clock.monotonic();
    this.#failing = true;
    await this.#slots.write({ cursor: dirty.cursor, metrics: this.#sink.dump() } satisfies Snapshot, true);
    this.#failing = false;
    if (this.#dirty === dirty) this.#dirty = undefined;
    dirty.kept(dirty.cursor.settled);
  }
}
