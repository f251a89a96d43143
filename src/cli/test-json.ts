import type { Failure, Outcome } from '../pipeline-tests/run.ts';

/** What tests came to, one JSON object a line, with rows as they would be stored, down to how a number is written. */
export function jsonReport(outcomes: readonly Outcome[], ms: number): string {
  const lines = outcomes.map(({ test, failures, ms }) => {
    const { name, pipeline } = test;
    const about = { ...test.place, name, pipeline, ok: failures.length === 0, ms: round(ms) };
    return `${JSON.stringify(about).slice(0, -1)},"failures":[${failures.map(failureJson).join(',')}]}`;
  });
  const passed = outcomes.filter(({ failures }) => failures.length === 0).length;
  return [...lines, JSON.stringify({ passed, failed: outcomes.length - passed, ms: round(ms) })].join('\n');
}

function failureJson({ what, number, of, expected, got, differences }: Failure): string {
  const about = {
    what,
    number,
    of,
    problem: problem(expected, got),
    ...(expected && { expected: { ...expected.place, row: expected.row } }),
  };
  const fields = differences.map(
    (each) =>
      `{"field":${JSON.stringify(each.field)},"expected":${JSON.stringify(each.expected)},"got":${each.got ?? 'null'}}`,
  );
  return `${JSON.stringify(about).slice(0, -1)},"differences":[${fields.join(',')}],"got":${got ?? 'null'}}`;
}

function problem(expected: unknown, got: unknown): 'differs' | 'missing' | 'unexpected' {
  if (expected === undefined) return 'unexpected';
  return got === undefined ? 'missing' : 'differs';
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
