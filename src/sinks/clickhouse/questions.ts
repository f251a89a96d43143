import { SinkError } from '../sink.ts';
import type { Ask } from './exchange.ts';

/*
 * Questions about rows that are stored. What they say decides what is sent again, so an answer is believed only when it is whole: the last
 * line is the total, made by the server before anything could cut the lines above it (a `limit` in a profile, a proxy).
 */

/** Asks, and says where the answer came from. */
export type Asking = (ask: Ask) => Promise<{ readonly where: string; readonly text: string }>;

/** A piece of text in SQL. */
export function literal(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}

/** Whatever it is, it is no answer to what was asked. */
export function unbelievable(where: string): SinkError {
  const what = 'the answer is cut, or is none to what was asked: check what stands in front of the server';
  return new SinkError('retry', 'BAD_ANSWER', `ClickHouse at ${where}: BAD_ANSWER: ${what}`, { in_doubt: true });
}

/** Three numbers of up to 20 digits, and what separates them. */
const LONGEST_LINE = 63;
/** Beyond what is expected: copies of rows that are none of ours do no harm. */
const MORE_LINES = 10_000;

export type Line = readonly [number, number, number];

/**
 * The answer to `query`: lines of three whole numbers, the last a `count()`. It has to end with its GROUP BY. `expected` is how many lines there are
 * when all is well.
 */
export async function countLines(
  ask: Asking,
  query: string,
  settings: NonNullable<Ask['settings']>,
  expected: number,
): Promise<Line[]> {
  const max_answer_bytes = (MORE_LINES + expected) * LONGEST_LINE;
  const { where, text } = await ask({ query: `${query} WITH TOTALS FORMAT TSV`, settings, max_answer_bytes });
  const given = text.split('\n').map((line) => line.split('\t').map(Number));
  // What stands at the end: an empty line, the totals, and the newline behind them.
  const [empty, totals, end] = given.splice(-3);
  const counted = given.reduce((sum, line) => sum + (line[2] ?? Number.NaN), 0);
  const whole = given.every((line) => line.length === 3 && line.every((number) => Number.isSafeInteger(number)));
  const blank = (line: readonly number[] | undefined): boolean => line?.length === 1 && line[0] === 0;
  if (!whole || !blank(empty) || !blank(end) || totals?.[2] !== counted) throw unbelievable(where);
  return given as unknown as Line[];
}
