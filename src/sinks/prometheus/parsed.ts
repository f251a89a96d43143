import type { Tuple } from '../../batch.ts';
import type { Part } from '../sink.ts';

export type ParsedRow = Readonly<Record<string, unknown>>;

/** The rows of a part that are not settled, parsed: for tables whose rows are few, or for the few that are wanted. */
export function* parsedRows(part: Part, wanted?: (tuple: Tuple) => boolean): Iterable<ParsedRow> {
  let n = 0;
  for (const { rows, from, to } of part.slices) {
    const { bytes, ends, tuple, dictionary } = rows;
    for (let row = from; row < to; row++, n++) {
      if (part.settled?.[n] === 1 || wanted?.(dictionary[tuple[row]!]!) === false) continue;
      yield JSON.parse(bytes.toString('utf8', row === 0 ? 0 : ends[row - 1], ends[row])) as ParsedRow;
    }
  }
}

/** A text or a number of a row as a label; `''` where there is none. */
export function labelOf(row: ParsedRow, name: string): string {
  const value = row[name];
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}
