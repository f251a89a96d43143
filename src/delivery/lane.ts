import type { Clock } from '../clock.ts';
import type { Sink } from '../sinks/sink.ts';
import { between, rowsOf, type Mark } from '../spool/mark.ts';
import type { Spool, SpoolReader, SpoolRecord, TakeLimits, Until } from '../spool/spool.ts';
import type { Backoff } from './backoff.ts';
import { blockAgain, blockOf, type Block } from './block.ts';
import { gap } from './bury.ts';
import { memoryStore, type BlockCursor, type CursorStore, type LaneCursor } from './cursor.ts';
import { Delivery } from './delivery.ts';
import type { LaneLedger } from './ledger.ts';
import { buriedRows, rowId, settling } from './part.ts';
import { Standing } from './standing.ts';
import { Tries, type LaneState } from './tries.ts';

export type { LaneState } from './tries.ts';

/** A block closes at whichever comes first. ClickHouse wants about one insert a second per table; 8 MiB bounds memory. */
export const BLOCK_LIMITS: TakeLimits = { max_rows: 10_000, max_bytes: 8 << 20, linger_ms: 1_000 };

/** Takes what is there already, and waits for nothing. */
const AT_ONCE = AbortSignal.abort('over');

export interface LaneOptions {
  readonly sink: Sink;
  readonly spool: Spool;
  readonly clock: Clock;
  readonly ledger: LaneLedger;
  readonly backoff: Backoff;
  /** Where the lane keeps how far it is; absent where nothing outlives the process. */
  readonly cursor?: CursorStore;
  readonly limits?: TakeLimits;
  readonly hold_ms?: number;
  /** Of the dead letters: it ends after the other lanes. */
  readonly until?: Until | undefined;
  /** When the spool is full, this lane's oldest records are given up. */
  readonly drop_oldest?: boolean;
  /** Called once per change of state, or of the reason why it holds; never once per retry. */
  readonly changed?: (state: LaneState, sink: Sink) => void;
  readonly log?: (message: string, rows: number) => void;
}

/**
 * One sink's own loop over the spool: a dead sink costs the other lanes nothing.
 *
 * A lane is `starting` until its sink opens. Then it settles the block that an earlier process had begun, if there is one, and goes on: it takes records, fixes a
 * block, writes the block into its cursor, and delivers the block's parts one after the other (see Delivery). When all of them are settled the cursor says so, and
 * the records may go. `retrying` and `holding` (an operator must act) last until a part is settled; nothing is dropped meanwhile, unless the spool is full and
 * `drop_oldest` says so: then the oldest records are passed over, counted, and told in a dead letter.
 *
 * Records of an earlier process are in doubt from the start, whether or not the cursor knows of a block: the newest cursor may be lost.
 *
 * `stopped` when the spool has ended and all of it is settled, or when the run is aborted: then what is not settled stays counted as pending.
 */
export class Lane {
  readonly sink: Sink;
  readonly #options: LaneOptions;
  readonly #store: CursorStore;
  readonly #reader: SpoolReader;
  readonly #standing: Standing;
  readonly #tries: Tries;
  /** Records up to here are to be given up. */
  #given_up = 0;
  #found_letters: Promise<ReadonlySet<string>> | undefined;

  constructor(options: LaneOptions) {
    const { sink, spool, ledger, cursor = memoryStore(), until } = options;
    this.sink = sink;
    this.#options = options;
    this.#store = cursor;
    this.#tries = new Tries({ ...options, store: cursor, urged: () => this.#asked });
    const { found } = cursor;
    const settled = found === undefined ? undefined : { seq: found.settled, mark: found.at };
    const give_up = options.drop_oldest === true ? (seq: number): void => this.#giveUp(seq) : undefined;
    this.#reader = spool.reader(sink.name, { until, settled, give_up });
    const from = { seq: this.#reader.settled.seq, mark: this.#reader.passed };
    this.#standing = new Standing(sink.tables, found, from);
    if (found === undefined) ledger.accepted(this.#standing.pending(spool.mark));
    this.#reader.keep(this.#standing.settled);
  }

  get state(): LaneState {
    return this.#tries.state;
  }

  /** Number of the last record that is settled. */
  get settled(): number {
    return this.#standing.settled;
  }

  /** Where it stands, also when that is not written down. */
  get cursor(): LaneCursor {
    return this.#standing.cursor();
  }

  /** Rows committed and not yet settled, counted in the spool. */
  pending(): number {
    return this.#standing.pending(this.#options.spool.mark);
  }

  pendingBytes(): number {
    return between(this.#standing.at, this.#options.spool.mark).bytes;
  }

  /** Age in seconds of the oldest record that is not settled; 0 when there is none. */
  oldestPending(): number {
    const oldest = this.#reader.oldest();
    return oldest === undefined ? 0 : (this.#options.clock.monotonic() - oldest) / 1000;
  }

  /** Nothing is kept for it any more. It has run. */
  release(): Promise<void> {
    return this.#reader.close();
  }

  /** Runs until the spool has ended and is drained, the signal aborts, or nobody is at the other end of the sink any more. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { gone } = this.sink;
    await this.#serve(gone === undefined ? signal : AbortSignal.any([signal, gone]));
    if (gone?.aborted === true && this.#store.forgetful === true) await this.#discard(signal);
    await this.#store.close().catch(() => {});
    this.#tries.become({ state: 'stopped' });
  }

  async #serve(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.#asked) await this.#drop(signal);
      else if (!this.#tries.opened) await this.#tries.open(signal);
      else {
        const block = this.#standing.block ?? (await this.#next(signal));
        if (block === 'over') break;
        if (block !== 'aborted') await this.#deliver(block, signal);
      }
    }
  }

  /** Nobody will ever take the rows, in this run or another: they are let go as they come, so that other lanes have room, and counted as dropped. */
  async #discard(signal: AbortSignal): Promise<void> {
    const { ledger, limits = BLOCK_LIMITS } = this.#options;
    const drop = (block: Block): void => {
      ledger.dropped(this.#standing.abandon());
      this.#reader.advance(block.to);
    };
    if (this.#standing.block !== undefined) drop(this.#standing.block);
    for (;;) {
      const records = await this.#reader.take({ ...limits, linger_ms: 0 }, signal);
      if (records.length === 0) return;
      const block = blockOf(records, this.sink.tables, this.#options.spool.last, false);
      this.#standing.begin(block);
      drop(block);
    }
  }

  /** The block that an earlier process had begun, or else the next one; in the cursor before anything of it is sent. */
  async #next(signal: AbortSignal): Promise<Block | 'over' | 'aborted'> {
    const { begun } = this.#standing;
    if (begun !== undefined) return this.#again(begun, signal);
    const records = await this.#reader.take(this.#options.limits ?? BLOCK_LIMITS, signal);
    if (records.length > 0) return this.#begin(records, signal);
    if (!signal.aborted) await this.#finish(signal);
    return 'over';
  }

  async #begin(records: readonly SpoolRecord[], signal: AbortSignal): Promise<Block | 'aborted'> {
    const { spool } = this.#options;
    const [first] = records;
    if (!(await this.#reach(first!.before, first!.seq - 1, signal))) return 'aborted';
    const earlier = first!.src !== spool.src;
    const block = blockOf(records, this.sink.tables, spool.last, earlier);
    // A lane that has lost its cursor may have buried rows of any record.
    if (earlier && this.#store.found === undefined) this.#settleBuried(block, await this.#letters());
    this.#standing.begin(block);
    return (await this.#save(signal, true)) ? block : 'aborted';
  }

  async #again(begun: BlockCursor, signal: AbortSignal): Promise<Block | 'aborted'> {
    const { spool, ledger } = this.#options;
    const records = await this.#reader.retake(begun.from, begun.to);
    const buried = await spool.buried(this.sink.name, begun.head);
    const { block, lost } = blockAgain(records, begun, this.#standing.at);
    this.#settleBuried(block, buried);
    ledger.lost(lost);
    this.#standing.add({ lost });
    this.#standing.begin(block);
    return (await this.#save(signal, true)) ? block : 'aborted';
  }

  /** Ids of the rows of which earlier processes have made dead letters. */
  #letters(): Promise<ReadonlySet<string>> {
    this.#found_letters ??= this.#options.spool.buried(this.sink.name, 0);
    return this.#found_letters;
  }

  /** Rows whose dead letters are in the spool already, though the cursor does not know it. */
  #settleBuried({ parts }: Block, ids: ReadonlySet<string>): void {
    if (ids.size === 0) return;
    for (const [n, part] of parts.entries()) {
      const is = (row: number): boolean => ids.has(rowId(part, row));
      const buried = new Uint8Array(part.count).map((_, row) => (is(row) ? 1 : 0));
      const rows = buriedRows({ buried });
      if (rows === 0) continue;
      parts[n] = { ...settling(part, is), buried };
      this.#options.ledger.deadLettered(rows, 'earlier');
    }
  }

  async #deliver(block: Block, signal: AbortSignal): Promise<void> {
    const { sink, clock, ledger, backoff, log = () => {} } = this.#options;
    const delivery = new Delivery(block, {
      sink,
      clock,
      ledger,
      backoff,
      log,
      save: (sync) => this.#save(signal, sync),
      append: (letters) => this.#tries.append(letters, signal),
      become: (state) => this.#tries.become(state),
      rest: (code, ms) => this.#tries.rest(code, ms, signal),
      hold: (code) => this.#tries.hold(code, signal),
      given_up: () => this.#asked,
      done: (stored, dead_lettered) => this.#standing.add({ stored, dead_lettered }),
    });
    if (!(await delivery.settle(signal))) return;
    this.#standing.end();
    this.#reader.advance(block.to);
    await this.#save(signal, true);
  }

  /** Counts the rows up to there that cannot be had any more: `to` is the last record that has any. False when aborted first. */
  async #reach(at: Mark, to: number, signal: AbortSignal): Promise<boolean> {
    const { ledger, clock } = this.#options;
    const { dropping } = this.#standing;
    const rows = Math.max(0, rowsOf(between(this.#standing.at, at), this.sink.tables));
    if (dropping === undefined) {
      ledger.lost(rows);
      this.#standing.add({ lost: rows });
    } else if (rows > 0) {
      const letter = gap(dropping.from, Math.max(dropping.to, to), rows, this.sink, clock);
      if (!(await this.#tries.append(letter, signal))) return false;
      ledger.dropped(rows);
      this.#standing.add({ dropped: rows });
    }
    this.#standing.reach(at);
    return true;
  }

  /** Everything is taken, and the spool has ended: what is behind the last record that can be read is lost. */
  async #finish(signal: AbortSignal): Promise<void> {
    const { spool } = this.#options;
    const end = this.settled >= spool.last ? spool.mark : this.#reader.passed;
    if (rowsOf(between(this.#standing.at, end), this.sink.tables) <= 0) return;
    if (await this.#reach(end, spool.last, signal)) await this.#save(signal, true);
  }

  /** The spool is full, and this lane holds its oldest records. */
  #giveUp(seq: number): void {
    this.#given_up = Math.max(this.#given_up, seq);
    if (this.#asked) this.#tries.wake();
  }

  /** True while records are to be given up that are not settled. */
  get #asked(): boolean {
    return this.#given_up > this.#standing.settled;
  }

  /** Gives up what it is asked to, and with it what is left of a block that holds some of it. */
  async #drop(signal: AbortSignal): Promise<void> {
    const { clock, ledger } = this.#options;
    const standing = this.#standing;
    const block = standing.block ?? standing.begun;
    if (block !== undefined) {
      const rows = standing.unsettled();
      if (rows > 0 && !(await this.#tries.append(gap(block.from, block.to, rows, this.sink, clock), signal))) return;
      ledger.dropped(standing.abandon());
    }
    if (this.#asked) standing.skip(this.#given_up);
    this.#reader.skip(standing.settled);
    this.#reader.advance(standing.settled);
    if (!(await this.#save(signal, true)) || standing.dropping === undefined) return;
    // The record behind them tells how many rows they had.
    const records = await this.#reader.take(this.#options.limits ?? BLOCK_LIMITS, AT_ONCE);
    if (records.length > 0) await this.#begin(records, signal);
  }

  #save(signal: AbortSignal, sync: boolean): Promise<boolean> {
    return this.#tries.save(
      () => this.#standing.cursor(),
      sync,
      (seq) => this.#reader.keep(seq),
      signal,
    );
  }
}
