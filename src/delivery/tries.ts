import type { Batch } from '../batch.ts';
import type { Clock } from '../clock.ts';
import { errorCode } from '../errors.ts';
import { asSinkError, type Sink } from '../sinks/sink.ts';
import type { Spool } from '../spool/spool.ts';
import { pause, type Backoff } from './backoff.ts';
import type { CursorStore, LaneCursor } from './cursor.ts';
import type { LaneLedger } from './ledger.ts';

export interface LaneState {
  readonly state: 'starting' | 'running' | 'retrying' | 'holding' | 'stopped';
  /** What the sink said, or the disk, when it is retrying or holding. */
  readonly reason?: string;
}

/** How often a sink that waits for an operator is tried again. */
const HOLD_MS = 30_000;

export interface TriesOptions {
  readonly sink: Sink;
  readonly spool: Spool;
  readonly clock: Clock;
  readonly ledger: LaneLedger;
  readonly backoff: Backoff;
  readonly hold_ms?: number;
  readonly store: CursorStore;
  readonly changed?: ((state: LaneState, sink: Sink) => void) | undefined;
  /** True while the lane has something better to do than to wait. */
  readonly urged: () => boolean;
}

/** What a lane tries again until it works, and the state that it is in meanwhile. */
export class Tries {
  readonly #options: TriesOptions;
  #state: LaneState = { state: 'starting' };
  #started = false;
  /** True while the sink is open, as far as is known. */
  opened = false;
  /** Ends the pause that the lane is in. */
  wake: () => void = () => {};

  constructor(options: TriesOptions) {
    this.#options = options;
  }

  get state(): LaneState {
    return this.#state;
  }

  /** Says so once: when the state is another one, or when it holds for another reason. */
  become(next: LaneState): void {
    const { state, reason } = this.#state;
    this.#state = next;
    const told = next.state !== state || (next.state === 'holding' && next.reason !== reason);
    if (told) this.#options.changed?.(next, this.#options.sink);
  }

  /** Opens the sink, until it opens, the run is aborted, or the lane is urged. */
  async open(signal: AbortSignal): Promise<void> {
    const { sink, backoff, hold_ms = HOLD_MS, urged } = this.#options;
    this.opened = false;
    for (let attempt = 0; !signal.aborted && !urged(); attempt++) {
      try {
        await sink.open(signal);
        this.opened = true;
        if (!this.#started && !signal.aborted) this.become({ state: 'running' });
        this.#started = true;
        return;
      } catch (error) {
        const { failure, code, message, retry_after_ms } = asSinkError(error);
        if (signal.aborted) return;
        const holding = failure === 'hold';
        this.become({ state: holding ? 'holding' : 'retrying', reason: message });
        await this.rest(code, holding ? hold_ms : pause(backoff, attempt, retry_after_ms), signal);
      }
    }
  }

  /** A pause before the sink is tried again; none when the lane is urged. */
  async rest(code: string, ms: number, signal: AbortSignal): Promise<void> {
    const { ledger, clock, urged } = this.#options;
    ledger.retried(code);
    if (signal.aborted || urged()) return;
    const over = new AbortController();
    this.wake = () => over.abort('over');
    signal.addEventListener('abort', this.wake, { once: true });
    await clock.sleep(ms, over.signal);
    signal.removeEventListener('abort', this.wake);
    this.wake = () => {};
  }

  /** Waits for an operator, and opens the sink again. */
  async hold(code: string, signal: AbortSignal): Promise<void> {
    this.opened = false;
    await this.rest(code, this.#options.hold_ms ?? HOLD_MS, signal);
    await this.open(signal);
  }

  /** Writes the cursor, until it is written; false when aborted first. */
  async save(
    cursor: () => LaneCursor,
    sync: boolean,
    kept: (seq: number) => void,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { store, backoff, clock, ledger } = this.#options;
    const before = this.#state;
    for (let attempt = 0; ; attempt++) {
      try {
        await store.save(cursor(), sync, kept);
        if (attempt > 0) this.become(before);
        return true;
      } catch (error) {
        const code = errorCode(error) ?? 'UNKNOWN';
        this.become({
          state: 'retrying',
          reason: `its cursor cannot be written (${code}): is the disk of --state full?`,
        });
        if (signal.aborted) return false;
        ledger.retried(code);
        await clock.sleep(pause(backoff, attempt), signal);
      }
    }
  }

  /** Appends to the spool what only a lane knows. False when the spool cannot go on: then nothing can, and the run is about to be aborted. */
  async append(letters: Batch, signal: AbortSignal): Promise<boolean> {
    const { spool, clock } = this.#options;
    const over = new AbortController();
    const stop = (): void => over.abort('over');
    try {
      const appended = spool.append(letters, { reserved: true }).then(() => true);
      // A full disk is waited for, but not beyond the end of the run: then the rows are in doubt, as they were.
      const aborted = new Promise<boolean>((done) => {
        over.signal.addEventListener('abort', () => done(false), { once: true });
      });
      if (signal.aborted) stop();
      else signal.addEventListener('abort', stop, { once: true });
      return await Promise.race([appended, aborted]);
    } catch {
      this.become({ state: 'holding', reason: 'its dead letters cannot be written to the spool' });
      while (!signal.aborted) await clock.sleep(HOLD_MS, signal);
      return false;
    } finally {
      // A lane lives long, and may bury a row at a time.
      signal.removeEventListener('abort', stop);
    }
  }
}
