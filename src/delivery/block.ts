import type { Table } from '../batch.ts';
import type { Slice } from '../sinks/sink.ts';
import { add, type Mark } from '../spool/mark.ts';
import type { SpoolRecord } from '../spool/spool.ts';
import type { BlockCursor, PartCursor } from './cursor.ts';
import { NO_DOUBT, partOf, type LanePart } from './part.ts';

/**
 * A block is what a lane settles at once: consecutive records `[from..to]` of one `_day` and one epoch. Its bounds are fixed before the first send and
 * never change; neither do those of its parts, nor of the halves that a split makes of a part.
 */
export interface Block {
  readonly from: number;
  readonly to: number;
  /** Number of the spool's last record when it was taken. */
  readonly head: number;
  /** What was committed up to its end. */
  readonly end: Mark;
  /** What is not settled of it, in order. */
  readonly parts: LanePart[];
}

/** The block of these records: one part for each of `tables` that has rows. `records` is not empty. `in_doubt` when an earlier process may have sent some of them. */
export function blockOf(
  records: readonly SpoolRecord[],
  tables: ReadonlySet<Table>,
  head: number,
  in_doubt: boolean,
): Block {
  const { src, seq: from } = records[0]!;
  const last = records.at(-1)!;
  const whole = `${src}-${from}-${last.seq}`;
  const parts = [...slicesOf(records, tables)].map(([table, slices]) => {
    const of = slices.reduce((sum, { from: start, to }) => sum + to - start, 0);
    return partOf({ table, whole, of, in_doubt }, 0, slices, NO_DOUBT);
  });
  return { from, to: last.seq, head, end: add(last.before, last.size), parts };
}

/**
 * A block that an earlier process had begun, with what it had not settled, of the records that can still be read; `start` is what was committed before it.
 * Where a record is missing, the part is cut in two: rows keep the numbers that they had, so that a token means the same rows for ever. `lost` are the
 * rows in between.
 */
export function blockAgain(
  records: readonly SpoolRecord[],
  begun: BlockCursor,
  start: Mark,
): { block: Block; lost: number } {
  const { from, to, head, end } = begun;
  // Its own tables: the lane may take others by now.
  const slices = slicesOf(records, new Set(begun.parts.map(({ table }) => table)));
  const parts: LanePart[] = [];
  let lost = 0;
  for (const { table, first, count, of, repairs } of begun.parts) {
    lost += count;
    for (const run of runsOf(slices.get(table) ?? [], table, start, first, first + count)) {
      const whole = `${run.slices[0]!.record.src}-${from}-${to}`;
      const part = partOf({ table, whole, of, in_doubt: true }, run.first, run.slices, {
        ...NO_DOUBT,
        repairs: repairs ?? 0,
      });
      lost -= part.count;
      parts.push(part);
    }
  }
  return { block: { from, to, head, end, parts }, lost };
}

/** What is kept of a block in the lane's cursor. */
export function cursorOf({ from, to, head, end, parts }: Block): BlockCursor {
  const kept = parts.map(({ table, first, count, of, doubt }): PartCursor => {
    const { repairs } = doubt;
    return { table, first, count, of, ...(repairs === 0 ? {} : { repairs }) };
  });
  return { from, to, head, end, parts: kept };
}

/** All rows of those tables, in order. */
function slicesOf(records: readonly SpoolRecord[], tables: ReadonlySet<Table>): Map<Table, Slice[]> {
  const slices = new Map<Table, Slice[]>();
  for (const record of records) {
    record.batch.rows.forEach((rows, index) => {
      if (!tables.has(rows.table) || rows.ends.length === 0) return;
      const slice: Slice = { record, rows, base: record.bases[index]!, from: 0, to: rows.ends.length };
      const list = slices.get(rows.table);
      if (list === undefined) slices.set(rows.table, [slice]);
      else list.push(slice);
    });
  }
  return slices;
}

/** Rows `[from, to)` of a table's rows in a block that began at `start`: one run where all of them are there. */
function runsOf(
  slices: readonly Slice[],
  table: Table,
  start: Mark,
  from: number,
  to: number,
): { first: number; slices: Slice[] }[] {
  const runs: { first: number; slices: Slice[] }[] = [];
  let next = -1;
  let record: SpoolRecord | undefined;
  for (const slice of slices) {
    // The number in the block of the slice's first row.
    const number: number = slice.record === record ? next : slice.record.before[table] - start[table];
    const gap = number !== next;
    ({ record } = slice);
    next = number + slice.to - slice.from;
    const low = Math.max(from, number);
    const high = Math.min(to, next);
    if (low >= high) continue;
    const own = { ...slice, from: slice.from + low - number, to: slice.from + high - number };
    if (gap || runs.length === 0) runs.push({ first: low, slices: [own] });
    else runs.at(-1)!.slices.push(own);
  }
  return runs;
}
