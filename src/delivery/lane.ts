import type { Clock } from '../clock.ts';
import { RowsBuilder } from '../rows.ts';
import { SinkError, type Outcome, type Sink } from '../sinks/sink.ts';
import type { Spool, SpoolReader, TakeLimits } from '../spool/spool.ts';
import { pause, type Backoff } from './backoff.ts';
import { blockOf, rowAt, split, type Block, type LanePart } from './block.ts';
import { deadLetterRow } from './dead-letter.ts';
import type { LaneLedger } from './ledger.ts';

/** A block closes at whichever comes first. ClickHouse wants about one insert a second per table; 8 MiB bounds memory. */
export const BLOCK_LIMITS: TakeLimits = { max_rows: 10_000, max_bytes: 8 << 20, linger_ms: 1_000 };

/** How often a sink that waits for an operator is tried again. */
const HOLD_MS = 30_000;

export interface LaneState {
  readonly state: 'starting' | 'running' | 'retrying' | 'holding' | 'stopped';
  /** What the sink said, when it is retrying or holding. */
  readonly reason?: string;
}

export interface LaneOptions {
  readonly sink: Sink;
  readonly spool: Spool;
  readonly clock: Clock;
  readonly ledger: LaneLedger;
  readonly backoff: Backoff;
  readonly limits?: TakeLimits;
  readonly hold_ms?: number;
  /** Of the dead letters: it ends after the others. */
  readonly late?: boolean;
  /** Called once per change of state, never once per retry. */
  readonly changed?: (state: LaneState, sink: Sink) => void;
}

/**
 * One sink's own loop over the spool: a dead sink costs the other lanes nothing.
 *
 * A lane is `starting` until its sink opens. Then it takes records, fixes a block, and sends the block's parts one after the other:
 *
 *   stored        the rows are counted, and when all parts are settled the reader advances
 *   again         (some rows) those rows alone are sent again after a pause; `retrying`
 *   rejected      (some rows) they become dead letters, appended to the spool, before the reader advances
 *   retry         (the whole part) the same part with the same token, after a pause, for ever; `retrying`
 *   hold          an operator must act: `holding` until a part is settled, opened and tried again every 30 s; nothing is dropped
 *   split         two halves take the part's place; a single row becomes a dead letter
 *
 * `stopped` when the spool has ended and all of it is settled, or when the run is aborted: then what is not settled stays counted as pending.
 */
export class Lane {
  readonly sink: Sink;
  readonly #options: LaneOptions;
  readonly #reader: SpoolReader;
  #state: LaneState = { state: 'starting' };
  /** Rows of the block in hand that are settled, for `pending`. */
  #settledInHand = 0;

  constructor(options: LaneOptions) {
    this.sink = options.sink;
    this.#options = options;
    this.#reader = options.spool.reader(options.sink.name, { late: options.late ?? false });
  }

  get state(): LaneState {
    return this.#state;
  }

  /** Rows committed and not yet settled, counted in the spool. */
  pending(): number {
    let rows = 0;
    for (const record of this.#reader.unsettled()) {
      for (const table of record.batch.rows) if (this.sink.tables.has(table.table)) rows += table.ends.length;
    }
    return rows - this.#settledInHand;
  }

  /** Age in seconds of the oldest record that is not settled; 0 when there is none. */
  oldestPending(): number {
    for (const record of this.#reader.unsettled()) {
      return (this.#options.clock.monotonic() - record.committed_at) / 1000;
    }
    return 0;
  }

  /** Runs until the spool has ended and is drained, or the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#open(signal);
    if (!signal.aborted) this.#become({ state: 'running' });
    while (!signal.aborted) {
      const records = await this.#reader.take(this.#options.limits ?? BLOCK_LIMITS, signal);
      if (records.length === 0) break;
      const block = blockOf(records, this.sink.tables);
      if (!(await this.#settle(block, signal))) break;
      this.#settledInHand = 0;
      this.#reader.advance(block.to);
      this.#become({ state: 'running' });
    }
    this.#become({ state: 'stopped' });
  }

  /** Sends the block's parts until all are settled; false when aborted first. */
  async #settle(block: Block, signal: AbortSignal): Promise<boolean> {
    const parts = [...block.parts];
    let attempt = 0;
    for (let part = parts.shift(); part !== undefined;) {
      if (signal.aborted) return false;
      const answer = await this.#send(part, signal);
      if (signal.aborted && answer instanceof SinkError) return false;
      if (!(answer instanceof SinkError)) {
        part = await this.#account(part, answer);
        if (part === undefined) {
          attempt = 0;
          this.#become({ state: 'running' });
          part = parts.shift();
        } else {
          this.#become({ state: 'retrying', reason: `${answer.again.length} rows were refused for now` });
          await this.#rest('again', pause(this.#options.backoff, attempt++, answer.retry_after_ms), signal);
        }
        continue;
      }
      part = { ...part, in_doubt: part.in_doubt || answer.in_doubt };
      if (answer.failure === 'split') {
        part = await this.#divide(part, parts, answer);
        attempt = 0;
        continue;
      }
      if (answer.failure === 'hold') {
        this.#become({ state: 'holding', reason: answer.message });
        await this.#rest(answer.code, this.#options.hold_ms ?? HOLD_MS, signal);
        await this.#open(signal);
      } else {
        this.#become({ state: 'retrying', reason: answer.message });
        await this.#rest(answer.code, pause(this.#options.backoff, attempt++, answer.retry_after_ms), signal);
      }
    }
    return true;
  }

  async #send(part: LanePart, signal: AbortSignal): Promise<Outcome | SinkError> {
    try {
      return await this.sink.send(part, signal);
    } catch (error) {
      return asSinkError(error);
    }
  }

  /** Counts what was stored, writes dead letters for what was rejected; gives back the part if some rows must go again. */
  async #account(part: LanePart, outcome: Outcome): Promise<LanePart | undefined> {
    const { rejected, again } = outcome;
    const before = part.settled?.reduce((sum, bit) => sum + bit, 0) ?? 0;
    await this.#reject(part, rejected);
    this.#options.ledger.stored(part.count - before - rejected.length - again.length);
    this.#settledInHand += part.count - before - again.length;
    if (again.length === 0) return undefined;
    const settled = new Uint8Array(part.count).fill(1);
    for (const row of again) settled[row] = 0;
    return { ...part, settled };
  }

  /** The next part after a split: the first half, with the second put back in front of the others. */
  async #divide(part: LanePart, parts: LanePart[], error: SinkError): Promise<LanePart | undefined> {
    if (part.count === 1) {
      if (part.settled?.[0] !== 1) {
        await this.#reject(part, [{ row: 0, code: error.code, detail: error.message }]);
        this.#settledInHand += 1;
      }
      return parts.shift();
    }
    this.#options.ledger.split();
    const [left, right] = split(part);
    parts.unshift(right);
    return left;
  }

  async #reject(part: LanePart, rejected: Outcome['rejected']): Promise<void> {
    if (rejected.length === 0) return;
    const builder = new RowsBuilder('rejections');
    for (const { row: number, code, detail } of rejected) {
      const { slice, row } = rowAt(part, number);
      const { bytes, ends } = slice.rows;
      const letter = deadLetterRow({
        at_us: this.#options.clock.wall() * 1000,
        reason: 'sink',
        sink: this.sink.name,
        code,
        detail,
        table: part.table,
        row: `${slice.record.src}-${slice.record.seq}-${slice.base + row}`,
        source: slice.record.batch.source,
        raw: bytes.toString('latin1', row === 0 ? 0 : ends[row - 1], ends[row]! - 1),
      });
      builder.add(letter.row, letter.tuple, Number.NaN);
      this.#options.ledger.deadLettered(1, code);
    }
    const rows = builder.take();
    const batch = { source: `lane:${this.sink.name}`, position: {}, lines: 0, rows: rows === undefined ? [] : [rows] };
    await this.#options.spool.append(batch, { reserved: true });
  }

  /** Opens the sink, again and again until it opens or the run is aborted. */
  async #open(signal: AbortSignal): Promise<void> {
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        await this.sink.open(signal);
        return;
      } catch (error) {
        const failure = asSinkError(error);
        if (signal.aborted) return;
        const hold = failure.failure === 'hold';
        this.#become({ state: hold ? 'holding' : 'retrying', reason: failure.message });
        const { backoff, hold_ms = HOLD_MS } = this.#options;
        const wait = hold ? hold_ms : pause(backoff, attempt, failure.retry_after_ms);
        await this.#rest(failure.code, wait, signal);
      }
    }
  }

  async #rest(code: string, ms: number, signal: AbortSignal): Promise<void> {
    this.#options.ledger.retried(code);
    await this.#options.clock.sleep(ms, signal);
  }

  #become(next: LaneState): void {
    const changed = next.state !== this.#state.state;
    this.#state = next;
    if (changed) this.#options.changed?.(next, this.sink);
  }
}

/** A sink throws SinkErrors only; anything else is a bug in it, and holds the data until it is mended. Its message may quote a row. */
function asSinkError(error: unknown): SinkError {
  if (error instanceof SinkError) return error;
  const { name, message, stack = '' } = error instanceof Error ? error : new Error('thrown');
  const [place = ''] = /\bat .+/.exec(stack.slice(stack.indexOf(message) + message.length)) ?? [];
  const text = `${name} ${place}`;
  return new SinkError('hold', 'BUG', `the sink failed in a way it does not know: ${text}`, {
    cause: error,
    in_doubt: true,
  });
}
