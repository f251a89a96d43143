import type { Part, Slice } from '../../src/sinks/sink.ts';
import { partOf, stepRow, type PartOptions } from '../support/rows.ts';

/** A part of several records, with so many rows each; rows of record n are numbered from `base` on, as when another table came first. */
export function partOfRecords(
  rows: readonly (readonly [seq: number, count: number])[],
  options: PartOptions = {},
  base = 0,
): Part {
  const src = options.src ?? 'spool0-epoch0';
  const slices = rows.flatMap(([seq, count]): Slice[] => {
    const steps = Array.from({ length: count }, (_, row) => stepRow({ step: `${seq}-${row}` }));
    return partOf(steps, { ...options, seq }).slices.map((slice) => ({ ...slice, base }));
  });
  const token = options.token ?? `${src}-${rows[0]![0]}-${rows.at(-1)![0]}`;
  const { table = 'steps', day = '2026-11-21', settled } = options;
  const count = slices.reduce((sum, { from, to }) => sum + to - from, 0);
  return { table, day, token, slices, count, in_doubt: true, ...(settled === undefined ? {} : { settled }) };
}

/** Rows `[from, to)` of a part, as a split makes them. */
export function cut(part: Part, from: number, to: number): Part {
  let row = 0;
  const slices = part.slices.flatMap((slice): Slice[] => {
    const [start, end] = [Math.max(from - row, 0), Math.min(to - row, slice.to - slice.from)];
    row += slice.to - slice.from;
    return start < end ? [{ ...slice, from: slice.from + start, to: slice.from + end }] : [];
  });
  return { ...part, token: `${part.token}/${from}-${to - 1}`, slices, count: to - from };
}
