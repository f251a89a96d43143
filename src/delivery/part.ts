import { rowIdText } from '../row-id.ts';
import type { Part, SinkError, Slice } from '../sinks/sink.ts';

/** A part with what the lane must know of it. */
export interface LanePart extends Part {
  /** Token of the unsplit part, where this one begins in it, and how many rows that has. */
  readonly whole: string;
  readonly first: number;
  readonly of: number;
  /** Of the rows in `settled`, those that became dead letters. */
  readonly buried?: Uint8Array | undefined;
  readonly doubt: Doubt;
  /** The sink wants it halved, or without its only row; it is looked for before. */
  readonly refused?: SinkError | undefined;
}

/** What came of looking for a part in the sink. */
export interface Doubt {
  /** How many times what was missing of it got a token of its own; counted through all processes, so that no token is given twice. */
  readonly repairs: number;
  /** True when it was sent and answered under the token that it has now: what is missing is not to be had under that. */
  readonly answered: boolean;
  /** Repairs that were answered, and of which nothing shows. */
  readonly fruitless: number;
  /** Rows that the sink was found to have twice. */
  readonly twice: number;
}

export const NO_DOUBT: Doubt = { repairs: 0, answered: false, fruitless: 0, twice: 0 };

/** The two halves of a part of at least two rows: `[first, middle)` and `[middle, first + count)`. */
export function split(part: LanePart): [LanePart, LanePart] {
  const middle = part.count >> 1;
  return [range(part, 0, middle), range(part, middle, part.count)];
}

/** True when the part has a token of its own, since its first one did not bring its rows. */
export function isRepair(part: LanePart): boolean {
  return part.token !== tokenOf(part);
}

/** The part under a token that none of its rows were sent under before. */
export function repair(part: LanePart): LanePart {
  const repairs = part.doubt.repairs + 1;
  return { ...part, token: `${tokenOf(part)}r${repairs}`, doubt: { ...part.doubt, repairs, answered: false } };
}

type What = Pick<LanePart, 'table' | 'whole' | 'of' | 'in_doubt'>;

/** The part of these rows, the first of which has the number `first` in its block. */
export function partOf(what: What, first: number, slices: readonly Slice[], doubt: Doubt): LanePart {
  const count = slices.reduce((sum, { from, to }) => sum + to - from, 0);
  const { day } = slices[0]!.record;
  return { ...what, day, token: tokenOf({ ...what, first, count }), first, slices, count, doubt };
}

function tokenOf({ whole, first, count, of }: Pick<LanePart, 'whole' | 'first' | 'count' | 'of'>): string {
  return count === of ? whole : `${whole}/${first}-${first + count - 1}`;
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
  const { settled, buried } = part;
  const { table, whole, of, in_doubt } = part;
  return {
    ...partOf({ table, whole, of, in_doubt }, part.first + from, slices, NO_DOUBT),
    ...(settled === undefined ? {} : { settled: settled.slice(from, to) }),
    ...(buried === undefined ? {} : { buried: buried.slice(from, to) }),
  };
}

/** The part with those of its rows settled for which `is` says so. */
export function settling(part: LanePart, is: (row: number) => boolean): LanePart {
  const settled = part.settled?.slice() ?? new Uint8Array(part.count);
  for (let row = 0; row < part.count; row++) if (is(row)) settled[row] = 1;
  return { ...part, settled };
}

/** How many of the part's rows are settled. */
export function settledRows({ settled }: Part): number {
  return settled?.reduce((sum, bit) => sum + bit, 0) ?? 0;
}

/** How many of the part's rows became dead letters. */
export function buriedRows({ buried }: Pick<LanePart, 'buried'>): number {
  return buried?.reduce((sum, bit) => sum + bit, 0) ?? 0;
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

/** `_id` of row `number`: `<src>-<seq>-<i>`. */
export function rowId(part: Part, number: number): string {
  const { slice, row } = rowAt(part, number);
  const { src, seq } = slice.record;
  return rowIdText({ src, seq, i: slice.base + row });
}
