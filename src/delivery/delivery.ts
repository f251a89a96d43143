import type { Batch } from '../batch.ts';
import type { Clock } from '../clock.ts';
import {
  asSinkError,
  SinkError,
  STORED,
  type Found,
  type Outcome,
  type RowRejection,
  type Sink,
} from '../sinks/sink.ts';
import { pause, type Backoff } from './backoff.ts';
import type { Block } from './block.ts';
import { burial } from './bury.ts';
import { resolve } from './doubt.ts';
import type { LaneLedger } from './ledger.ts';
import { buriedRows, repair, settledRows, settling, split, type LanePart } from './part.ts';
import type { LaneState } from './tries.ts';

/** What a delivery asks of its lane. */
export interface DeliveryOptions {
  readonly sink: Sink;
  readonly clock: Clock;
  readonly ledger: LaneLedger;
  readonly backoff: Backoff;
  /** Says something that an operator wants to know, about so many rows. */
  readonly log: (message: string, rows: number) => void;
  /** Writes what is left of the block into the cursor; false when the run is aborted. */
  readonly save: (sync: boolean) => Promise<boolean>;
  /** Appends dead letters to the spool; false when the run is aborted. */
  readonly append: (letters: Batch) => Promise<boolean>;
  readonly become: (state: LaneState) => void;
  readonly rest: (code: string, ms: number) => Promise<void>;
  /** Waits for an operator, and opens the sink again. */
  readonly hold: (code: string) => Promise<void>;
  /** True when the block is to be given up. */
  readonly given_up: () => boolean;
  /** A part is settled: so many of its rows are stored, so many dead letters. */
  readonly done: (stored: number, dead_lettered: number) => void;
}

/**
 * Sends the parts of a block, one after the other, until all are settled. What became of a part:
 *
 *   stored        the rows are counted
 *   again         (some rows) those rows alone are sent again after a pause; `retrying`
 *   rejected      (some rows) they become dead letters, appended to the spool, before the part is settled
 *   retry         (the whole part) the same part with the same token, after a pause, for ever; `retrying`
 *   hold          an operator must act: `holding` until a part is settled, opened and tried again every 30 s; nothing is dropped
 *   split         two halves take the part's place, in the cursor too; a single row becomes a dead letter
 *
 * A part in doubt (a timeout, a reset, a 5xx, a process that was killed), or one that is to be split (a view may have refused what its table has taken), is first
 * looked for in the sink, where the sink can be asked and sending again would do harm: see `resolve`. Nothing is sent under a token that the cursor does not know.
 */
export class Delivery {
  readonly #options: DeliveryOptions;
  /** What is not settled, in order. It is the block's own list: who writes the cursor sees every change. */
  readonly #parts: LanePart[];
  #attempt = 0;

  constructor(block: Block, options: DeliveryOptions) {
    this.#options = options;
    this.#parts = block.parts;
  }

  /** Resolves with true when all is settled, with false when the run is aborted or the block is to be given up. */
  async settle(signal: AbortSignal): Promise<boolean> {
    for (let part = this.#parts[0]; part !== undefined; part = this.#parts[0]) {
      if (signal.aborted || this.#options.given_up()) return false;
      const answer = await this.#step(part, signal);
      if (answer instanceof SinkError) {
        if (!signal.aborted) await this.#failed(this.#parts[0]!, answer);
      } else if (answer !== undefined) await this.#account(this.#parts[0]!, answer);
    }
    return true;
  }

  /** One step of a part: looks for it when it is in doubt, then sends what has to be. Undefined when there is another step to take. */
  async #step(part: LanePart, signal: AbortSignal): Promise<Outcome | SinkError | undefined> {
    const { save } = this.#options;
    if (settledRows(part) === part.count) return STORED;
    if (!part.in_doubt || !this.#findable(part)) return this.#send(part, signal);
    const found = await this.#find(part, signal);
    if (found instanceof SinkError) return found;
    const next = resolve(part, found, this.#options);
    if (next === undefined) return STORED;
    this.#parts[0] = next;
    if (next.refused !== undefined) {
      await this.#divide({ ...next, in_doubt: found.lags }, next.refused);
      return undefined;
    }
    if (next.token !== part.token && !(await save(true))) return undefined;
    const answer = await this.#send(next, signal);
    const whole = !(answer instanceof SinkError) && answer.rejected.length === 0 && answer.again.length === 0;
    if (found.lags || !whole) return answer;
    this.#parts[0] = { ...next, doubt: { ...next.doubt, answered: true } };
    return undefined;
  }

  async #send(part: LanePart, signal: AbortSignal): Promise<Outcome | SinkError> {
    try {
      return await this.#options.sink.send(part, signal);
    } catch (error) {
      return asSinkError(error);
    }
  }

  #findable({ table }: LanePart): boolean {
    const { sink } = this.#options;
    return sink.find !== undefined && sink.replaces?.has(table) !== true;
  }

  /** Whatever is wrong with a question, no row is to blame for it. */
  async #find(part: LanePart, signal: AbortSignal): Promise<Found | SinkError> {
    try {
      return await this.#options.sink.find!(part, signal);
    } catch (error) {
      const { failure, code, message, retry_after_ms } = asSinkError(error);
      return new SinkError(failure === 'split' ? 'hold' : failure, code, message, { retry_after_ms, cause: error });
    }
  }

  async #failed(part: LanePart, error: SinkError): Promise<void> {
    const { become, rest, hold, backoff } = this.#options;
    const { failure, code, message, retry_after_ms } = error;
    this.#parts[0] = { ...part, in_doubt: part.in_doubt || error.in_doubt };
    if (failure === 'split') {
      if (!this.#findable(part)) await this.#divide(this.#parts[0], error);
      else this.#parts[0] = { ...part, in_doubt: true, refused: error };
    } else if (failure === 'hold') {
      become({ state: 'holding', reason: message });
      await hold(code);
    } else {
      become({ state: 'retrying', reason: message });
      await rest(code, pause(backoff, this.#attempt++, retry_after_ms));
    }
  }

  /** Puts two halves in the part's place; of a single row makes a dead letter. */
  async #divide(part: LanePart, { code, message }: SinkError): Promise<void> {
    const { ledger, save } = this.#options;
    this.#attempt = 0;
    if (part.count === 1) {
      await this.#account(part, { rejected: [{ row: 0, code, detail: message }], again: [] });
      return;
    }
    ledger.split();
    // A half of which some rows are there already has never been sent as it is now, and its token is to mean all of it.
    const findable = this.#findable(part);
    const halves = split(part).map((half) => (findable && settledRows(half) > 0 ? repair(half) : half));
    this.#parts.splice(0, 1, ...halves);
    await save(true);
  }

  /** Counts what was stored, and buries what was rejected. The part is settled, unless some rows must go again. */
  async #account(part: LanePart, { rejected, again, retry_after_ms }: Outcome): Promise<void> {
    const { ledger, become, rest, backoff } = this.#options;
    if (!(await this.#bury(part, rejected))) return;
    for (const { code } of rejected) ledger.deadLettered(1, code);
    ledger.stored(part.count - settledRows(part) - rejected.length - again.length);
    const buried = part.buried?.slice() ?? new Uint8Array(part.count);
    for (const { row } of rejected) buried[row] = 1;
    const open = new Set(again);
    const next = { ...settling(part, (row) => !open.has(row)), buried };
    this.#parts[0] = next;
    if (again.length === 0) {
      await this.#close(next);
      return;
    }
    const rows = again.length === 1 ? '1 row was' : `${again.length} rows were`;
    become({ state: 'retrying', reason: `${rows} refused for now` });
    await rest('again', pause(backoff, this.#attempt++, retry_after_ms));
  }

  async #close(part: LanePart): Promise<void> {
    const { done, become, save } = this.#options;
    const dead = buriedRows(part);
    done(part.count - dead, dead);
    this.#attempt = 0;
    this.#parts.shift();
    become({ state: 'running' });
    if (this.#parts.length > 0) await save(false);
  }

  /** Dead letters are on the disk before their rows count as settled; a process that dies in between finds them there. */
  async #bury(part: LanePart, rejected: readonly RowRejection[]): Promise<boolean> {
    if (rejected.length === 0) return true;
    const { sink, clock, append } = this.#options;
    return append(burial(part, rejected, sink, clock));
  }
}
