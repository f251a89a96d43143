import { performance } from 'node:perf_hooks';
import type { DecodeOptions } from '../decode.ts';
import { members } from '../json.ts';
import { align } from './align.ts';
import { differences, type Difference, type GotRow } from './compare.ts';
import { decoded } from './decoded.ts';
import type { ExpectedAt, PipelineTest } from './load.ts';

/** One event or rejection that is not as it must be: another than expected, missing (nothing came), or too many (nothing was expected). */
export interface Failure {
  readonly what: 'event' | 'rejection';
  /** From 1, and of how many: among those expected, or among those that came where none was. */
  readonly number: number;
  readonly of: number;
  readonly expected?: ExpectedAt;
  /** The row that came: JSON as it would be stored. */
  readonly got?: string;
  readonly differences: readonly Difference[];
}

export interface Outcome {
  readonly test: PipelineTest;
  readonly failures: readonly Failure[];
  readonly ms: number;
}

/** Decodes the input of the test as the pipeline says, and compares what comes out. */
export function runTest(test: PipelineTest, options: DecodeOptions): Outcome {
  const started = performance.now();
  const { events, rejections } = decoded(test.input, test.source, options, test.now_ms);
  const failures = [
    ...compare('event', test.events, events, test.more),
    ...compare('rejection', test.rejections, rejections, test.more),
  ];
  return { test, failures, ms: performance.now() - started };
}

function compare(
  what: Failure['what'],
  expected: readonly ExpectedAt[],
  got: readonly string[],
  more: boolean,
): Failure[] {
  const rows: GotRow[] = got.map(members);
  const apart = (e: number, g: number): number => {
    const { row } = expected[e]!;
    return differences(row, rows[g]!).length / leaves(row);
  };
  const failures: Failure[] = [];
  for (const pair of align(expected.length, got.length, apart, more)) {
    const wanted = pair.expected === undefined ? undefined : expected[pair.expected]!;
    const came = pair.got === undefined ? undefined : rows[pair.got]!;
    const found = wanted === undefined || came === undefined ? [] : differences(wanted.row, came);
    if (wanted !== undefined && came !== undefined && found.length === 0) continue;
    failures.push({
      what,
      number: (pair.expected ?? pair.got!) + 1,
      of: wanted === undefined ? got.length : expected.length,
      ...(wanted === undefined ? {} : { expected: wanted }),
      ...(came === undefined ? {} : { got: got[pair.got!]! }),
      differences: found,
    });
  }
  return failures;
}

/** Fields that are named, those of mappings each by itself. */
function leaves(row: object): number {
  const values = Object.values(row) as unknown[];
  return Math.max(
    1,
    values.reduce<number>((sum, value) => sum + (typeof value === 'object' ? leaves(value as object) : 1), 0),
  );
}
