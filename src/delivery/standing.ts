import type { Table } from '../batch.ts';
import { between, rowsOf, type Mark } from '../spool/mark.ts';
import { cursorOf, type Block } from './block.ts';
import type { BlockCursor, LaneCursor } from './cursor.ts';
import { NO_TOTALS, type LaneTotals } from './ledger.ts';
import { buriedRows, settledRows } from './part.ts';

/**
 * How far a lane is. Every row that was committed is in one of three places: in the totals, in the block, or behind it. Whoever moves some from one to
 * another does so without a pause in between, so that the ledger closes whenever it is looked at.
 */
export class Standing {
  readonly #tables: ReadonlySet<Table>;
  /** Without its block. */
  #cursor: LaneCursor;
  #block: Block | undefined;
  #begun: BlockCursor | undefined;

  /** `from` is where the lane's reader begins, for a lane without a past. */
  constructor(tables: ReadonlySet<Table>, found: LaneCursor | undefined, from: { seq: number; mark: Mark }) {
    const { seq, mark } = from;
    const { block, ...cursor } = found ?? { settled: seq, at: mark, base: mark, since: seq + 1, totals: NO_TOTALS };
    this.#tables = tables;
    this.#cursor = { ...cursor, tables: [...tables] };
    this.#begun = block;
  }

  /** Number of the last record that is settled. */
  get settled(): number {
    return this.#cursor.settled;
  }

  /** What was committed up to where the rows are counted. */
  get at(): Mark {
    return this.#cursor.at;
  }

  /** Records that were given up, and whose rows are not counted yet. */
  get dropping(): { readonly from: number; readonly to: number } | undefined {
    return this.#cursor.dropping;
  }

  get block(): Block | undefined {
    return this.#block;
  }

  /** A block that an earlier process had begun, and that was not taken up yet. */
  get begun(): BlockCursor | undefined {
    return this.#begun;
  }

  /** All of it, as it is written down. */
  cursor(): LaneCursor {
    const block = this.#block === undefined ? this.#begun : cursorOf(this.#block);
    return block === undefined ? this.#cursor : { ...this.#cursor, block };
  }

  /** Rows that are not settled, when so much was committed. */
  pending(mark: Mark): number {
    const { end = this.at } = this.#block ?? this.#begun ?? {};
    return rowsOf(between(end, mark), this.#tables) + this.unsettled();
  }

  /** Rows of the block that are not settled. */
  unsettled(): number {
    let rows = 0;
    for (const part of this.#block?.parts ?? []) rows += part.count - settledRows(part);
    for (const { count } of this.#begun?.parts ?? []) rows += count;
    return rows;
  }

  add(rows: Partial<LaneTotals>): void {
    const totals = { ...this.#cursor.totals };
    for (const [edge, count] of Object.entries(rows)) totals[edge as keyof LaneTotals] += count;
    this.#cursor = { ...this.#cursor, totals };
  }

  /** What lies before that mark is counted. */
  reach(at: Mark): void {
    this.#cursor = { ...this.#cursor, at, dropping: undefined };
  }

  /** The block is in hand from now on; everything before it is settled and counted. */
  begin(block: Block): void {
    this.#block = block;
    this.#begun = undefined;
    this.#cursor = { ...this.#cursor, settled: block.from - 1 };
  }

  /** Nothing of the block is to be done any more. */
  end(): void {
    const { to, end } = this.#block ?? this.#begun!;
    this.#block = undefined;
    this.#begun = undefined;
    this.#cursor = { ...this.#cursor, settled: to };
    this.reach(end);
  }

  /** What of the block is not settled is given up: so many rows, which this counts. */
  abandon(): number {
    const dropped = this.unsettled();
    for (const part of this.#block?.parts ?? []) {
      const dead_lettered = buriedRows(part);
      this.add({ stored: settledRows(part) - dead_lettered, dead_lettered });
    }
    this.add({ dropped });
    this.end();
    return dropped;
  }

  /** Records up to that one are given up; how many rows they have is told later. */
  skip(to: number): void {
    const from = this.dropping?.from ?? this.settled + 1;
    this.#cursor = { ...this.#cursor, settled: to, dropping: { from, to } };
  }
}
