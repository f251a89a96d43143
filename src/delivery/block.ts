import type { Table } from '../batch.ts';
import type { Part, Slice } from '../sinks/sink.ts';
import type { SpoolRecord } from '../spool/spool.ts';

/**
 * A block is what a lane settles at once: consecutive records `[from..to]` of one `_day`. Its bounds are fixed before the first send and
 * never change; neither do those of its parts, nor of the halves that a split makes of a part.
 */
export interface Block {
  readonly src: string;
  readonly day: string;
  readonly from: number;
  readonly to: number;
  readonly parts: readonly LanePart[];
}

/** A part with what the lane must know of it. */
export interface LanePart extends Part {
  /** Token of the unsplit part, and where this one begins in it. */
  readonly whole: string;
  readonly first: number;
}

/** The block of these records: one part for each of `tables` that has rows. `records` is not empty. */
export function blockOf(records: readonly SpoolRecord[], tables: ReadonlySet<Table>): Block {
  const first = records[0]!;
  const last = records.at(-1)!;
  const whole = `${first.src}-${first.seq}-${last.seq}`;
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
  const parts = [...slices].map(([table, list]): LanePart => ({
    table,
    day: first.day,
    token: whole,
    whole,
    first: 0,
    slices: list,
    count: list.reduce((count, slice) => count + slice.to - slice.from, 0),
    in_doubt: false,
  }));
  return { src: first.src, day: first.day, from: first.seq, to: last.seq, parts };
}

/** The two halves of a part of at least two rows: `[first, middle)` and `[middle, first + count)`. */
export function split(part: LanePart): [LanePart, LanePart] {
  const middle = part.count >> 1;
  return [range(part, 0, middle), range(part, middle, part.count)];
}

function range(part: LanePart, from: number, to: number): LanePart {
  const slices: Slice[] = [];
  let row = 0;
  for (const slice of part.slices) {
    const size = slice.to - slice.from;
    const start = Math.max(from - row, 0);
    const end = Math.min(to - row, size);
    if (start < end) slices.push({ ...slice, from: slice.from + start, to: slice.from + end });
    row += size;
  }
  const first = part.first + from;
  const { table, day, whole, in_doubt } = part;
  const base = { table, day, whole, first, slices, count: to - from, in_doubt };
  const token = `${whole}/${first}-${first + (to - from) - 1}`;
  return part.settled === undefined ? { ...base, token } : { ...base, token, settled: part.settled.slice(from, to) };
}

/** Row `number` of a part: its slice and its place in the slice's rows. */
export function rowAt(part: Part, number: number): { slice: Slice; row: number } {
  let left = number;
  for (const slice of part.slices) {
    const size = slice.to - slice.from;
    if (left < size) return { slice, row: slice.from + left };
    left -= size;
  }
  throw new RangeError(`row ${number} of a part of ${part.count}`);
}
