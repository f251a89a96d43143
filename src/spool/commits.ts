import type { Batch } from '../batch.ts';
import { errorCode } from '../errors.ts';
import type { Header } from './format.ts';
import { add, markOf } from './mark.ts';
import { encodePayload } from './payload.ts';
import { encodeRecord, type Segment } from './segment.ts';
import type { AppendOptions, Committed } from './spool.ts';
import { isFull, Writing, type Encoded, type WritingOptions } from './writing.ts';

/** A batch on its way into the spool. */
export interface Waiting {
  readonly batch: Batch;
  readonly bytes: number;
  readonly reserved: boolean;
  readonly since: number;
  readonly done: (committed: Committed) => void;
  readonly failed: (error: Error) => void;
}

export interface CommitsOptions extends WritingOptions {
  readonly fits: (bytes: number) => boolean;
  /** Bytes that the disk has left. */
  readonly free: () => Promise<number>;
  /** Called when appends have to wait for room. */
  readonly waits: () => void;
  readonly committed: (header: Header, waiting: Waiting) => void;
  /** Called after each group; the next one waits for it. */
  readonly paced: () => Promise<void>;
  readonly failed?: (error: Error) => void;
}

interface Member extends Encoded {
  readonly waiting: Waiting;
}

/** A group closes at whichever comes first. */
const GROUP_MS = 20;
const GROUP_BYTES = 1 << 20;
/** Left to what does not wait for room, dead letters and cursors: lanes that cannot write them make no room either. */
const RESERVE_BYTES = 1 << 20;
/** How often a full disk is tried again, though nothing was removed from the spool. */
const FULL_MS = 250;
/** There is room again when nothing has waited for it for so long. */
const AGAIN_MS = 10_000;
/** Segments that are given up one after the other before the disk is. */
const MOST_FAILURES = 5;
const FAILED_MS = 200;

/**
 * The one writer of the spool. Appends are gathered into groups; a group is written, synced, and only then committed, in order.
 *
 * No room (the bound, or the disk): what was half written is taken back, and the same is tried again when there is. Any other failure, of a write or a sync: that file is
 * never written or synced again (https://wiki.postgresql.org/wiki/Fsync_Errors), and the group, still in memory, goes into a new segment under the same numbers.
 * After five such failures in a row the spool has failed: what was committed is on the disk, and what was not was never acknowledged.
 */
export class Commits {
  readonly #options: CommitsOptions;
  readonly #queue: Waiting[] = [];
  readonly #stop = new AbortController();
  readonly #writing: Writing;
  #queued = 0;
  /** Somebody waits for one of them and appends nothing else. */
  #awaited = false;
  #running: Promise<void> | undefined;
  #wake: () => void = () => {};
  #failure: Error | undefined;
  #closed = false;
  /** True while appends wait for room. */
  full = false;
  /** When they last did, and whether that was said. */
  #full_at = 0;
  #told = false;

  constructor(options: CommitsOptions) {
    this.#options = options;
    this.#writing = new Writing(options);
  }

  /** Opens the first segment. Rejects when that is impossible for another reason than a full disk. */
  start(): Promise<void> {
    return this.#writing.start();
  }

  append(batch: Batch, bytes: number, { reserved = false, awaited = false }: AppendOptions): Promise<Committed> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#closed) return Promise.reject(new Error('the spool is closed'));
    return new Promise((done, failed) => {
      const waiting: Waiting = { batch, bytes, reserved, since: this.#options.clock.monotonic(), done, failed };
      // What a lane appends makes room in the end: it must not stand behind what waits for it.
      const sources = this.#queue.findIndex((each) => !each.reserved);
      if (reserved && sources !== -1) this.#queue.splice(sources, 0, waiting);
      else this.#queue.push(waiting);
      this.#queued += bytes;
      this.#awaited ||= awaited;
      if (reserved || awaited || this.#queued >= GROUP_BYTES) this.#wake();
      this.#running ??= this.#run();
    });
  }

  /** A segment was removed. */
  roomMade(): void {
    this.#wake();
  }

  offsetOf(segment: Segment, seq: number): number | undefined {
    return this.#writing.offsetOf(segment, seq);
  }

  /** What is appended by now is still committed, unless it waits for room. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#stop.abort('over');
    this.#wake();
    await this.#running;
  }

  /** Seals and closes the segment. */
  dispose(): Promise<void> {
    return this.#writing.dispose();
  }

  async #run(): Promise<void> {
    try {
      while (this.#queue.length > 0) {
        await this.#gather();
        const group = await this.#admit();
        if (group.length === 0) return;
        try {
          await this.#persist(group);
        } catch (error) {
          this.#fail(error as Error, group);
          return;
        }
        for (const { header, waiting } of group) this.#options.committed(header, waiting);
        await this.#options.paced();
      }
    } finally {
      // At once: who hears of its commit may append again before this promise is seen to be over.
      this.#running = undefined;
    }
  }

  /** Waits for more, as long as the policy says. */
  async #gather(): Promise<void> {
    if (this.#options.sync !== 'group') return;
    const { clock } = this.#options;
    const until = this.#queue[0]!.since + GROUP_MS;
    while (this.#queued < GROUP_BYTES && !this.#awaited && !this.#closed) {
      const left = until - clock.monotonic();
      if (left <= 0) return;
      await this.#sleep(left);
    }
  }

  /** The next group, encoded; empty when the spool is closed and there is no room. */
  async #admit(): Promise<Member[]> {
    const first = this.#queue[0]!;
    let free = await this.#options.free();
    while (!first.reserved && this.#queue[0] === first) {
      const low = free - first.bytes < RESERVE_BYTES;
      if (!low && this.#options.fits(first.bytes)) break;
      this.#blocked(low ? 'hardly any space is left on its disk' : 'it has reached its bound');
      if (this.#closed) return [];
      if (!low || !(await this.#writing.makeRoom())) await this.#sleep(FULL_MS);
      free = await this.#options.free();
    }
    const fits = (more: number): boolean => free - more >= RESERVE_BYTES && this.#options.fits(more);
    const group: Member[] = [];
    this.#awaited = false;
    let { seq, mark } = this.#options.at();
    let bytes = 0;
    const most = this.#options.sync === 'always' ? 1 : Number.POSITIVE_INFINITY;
    for (let next = this.#queue[0]; next !== undefined && group.length < most; next = this.#queue[0]) {
      if (group.length > 0 && (bytes + next.bytes > 2 * GROUP_BYTES || !(next.reserved || fits(bytes + next.bytes))))
        break;
      this.#queue.shift();
      this.#queued -= next.bytes;
      bytes += next.bytes;
      const payload = encodePayload(next.batch);
      const rows = markOf(next.batch, 0);
      const { header, pieces } = encodeRecord('batch', ++seq, mark, rows, payload, this.#writing.stamp, group.length);
      mark = add(mark, header.size);
      group.push({ waiting: next, header, pieces });
    }
    return group;
  }

  async #persist(group: readonly Member[]): Promise<void> {
    let failures = 0;
    for (;;) {
      try {
        await this.#writing.put(group);
        this.#freed();
        return;
      } catch (error) {
        const code = errorCode(error) ?? 'UNKNOWN';
        if (isFull(error) && (await this.#writing.takenBack())) {
          this.#blocked('no space is left on its disk');
          if (this.#closed) throw error;
          if (!(await this.#writing.makeRoom())) await this.#sleep(FULL_MS);
          continue;
        }
        this.#options.log(
          'error',
          `spool: writing to ${this.#options.directory} failed (${code}); going on in another segment`,
        );
        await this.#writing.giveUp();
        failures += 1;
        if (failures >= MOST_FAILURES) throw error;
        await this.#sleep(FAILED_MS * 2 ** failures);
      }
    }
  }

  #fail(error: Error, group: readonly Member[]): void {
    if (this.#closed && isFull(error)) {
      // Not acknowledged, and not to be: the process ends.
      for (const { waiting } of group) waiting.failed(error);
      return;
    }
    this.#failure = new Error(`the spool in ${this.#options.directory} cannot be written: ${error.message}`, {
      cause: error,
    });
    for (const { failed } of [...group.map(({ waiting }) => waiting), ...this.#queue]) failed(this.#failure);
    this.#queue.length = 0;
    this.#options.failed?.(this.#failure);
  }

  /** Said once, also when room comes and goes: where the oldest rows are given up it does, with every segment. */
  #blocked(why: string): void {
    if (!this.full && !this.#told) {
      this.#told = true;
      this.#options.log('warning', `spool: full, ${why}: sources wait, nothing is lost`, {
        directory: this.#options.directory,
      });
    }
    this.full = true;
    this.#full_at = this.#options.clock.monotonic();
    this.#options.waits();
  }

  #freed(): void {
    this.full = false;
    if (!this.#told || this.#options.clock.monotonic() - this.#full_at < AGAIN_MS) return;
    this.#told = false;
    this.#options.log('info', 'spool: there is room again', { directory: this.#options.directory });
  }

  /** Until something is appended, room was made, or the time is over. */
  async #sleep(ms: number): Promise<void> {
    const over = new AbortController();
    this.#wake = () => over.abort('over');
    if (this.#stop.signal.aborted) return;
    await this.#options.clock.sleep(ms, over.signal);
    this.#wake = () => {};
  }
}
