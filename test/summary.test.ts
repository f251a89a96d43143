import { expect, test } from 'vitest';
import type { Batch, Table } from '../src/batch.ts';
import { Summary } from '../src/summary.ts';
import { tupleOf } from '../src/tuples.ts';
import { width } from '../src/terminal/text.ts';

interface Row {
  readonly step?: string;
  readonly status?: string;
  readonly reason?: string;
  readonly seconds?: number;
}

/** A batch of one table, with a tuple for each row and one that no row has. */
function batch(table: Table, rows: readonly Row[], source = 'stdin'): Batch {
  const dictionary = [tupleOf({ dialect: 'flytekit', step: 'of no row', status: 'error', reason: 'of no row' })];
  for (const { step = '', status = '', reason = '' } of rows)
    dictionary.push(tupleOf({ dialect: 'flytekit', step, status, reason }));
  return {
    source,
    position: {},
    lines: rows.length,
    rows: [
      {
        table,
        bytes: Buffer.alloc(0),
        ends: new Uint32Array(rows.length),
        tuple: Uint16Array.from(rows, (_, n) => n + 1),
        dictionary,
        durations: Float64Array.from(rows, ({ seconds = Number.NaN }) => seconds),
      },
    ],
  };
}

function summaryOf(...batches: readonly Batch[]): Summary {
  const summary = new Summary();
  for (const each of batches) summary.add(each);
  return summary;
}

test('steps are counted by status, dead letters by why', () => {
  const summary = summaryOf(
    batch('steps', [
      { step: 'fit', status: 'success', seconds: 2 },
      { step: 'fit', status: 'error', seconds: 4 },
    ]),
    batch('rejections', [{ reason: 'schema' }, { reason: 'schema' }]),
    batch('rejections', [{ reason: 'sink' }, { reason: 'dropped' }], 'lane:clickhouse'),
    batch('logs', [{}]),
  );
  expect([...summary.statuses]).toEqual([
    ['success', 1],
    ['error', 1],
  ]);
  expect([...summary.letters]).toEqual([
    ['schema', 2],
    ['refused by clickhouse', 1],
    ['given up for clickhouse', 1],
  ]);
  expect(summary.render(160)).toBe(`\
STEP  COUNT     P50     P95     MAX   TOTAL  ERRORS
fit       2  2.02 s  4.00 s  4.00 s  6.00 s       1

1 log event, 0 captured errors, 4 dead letters: 2 schema, 1 refused by clickhouse, 1 given up for clickhouse`);
});

test('the table fits any width, with the names of wide characters aligned and no control character in it', () => {
  const names = [
    '\u001b[2Jevil',
    '下载数据',
    'a_step_with_a_name_that_is_longer_than_anybody_would_want_it_to_be_and_more',
    'fit',
  ];
  const steps = batch(
    'steps',
    names.map((step, n) => ({ step, status: 'success', seconds: 10 ** n })),
  );
  for (const columns of [40, 60, 80, 99, 100, 160]) {
    const lines = summaryOf(steps, batch('rejections', [{ reason: 'schema' }]))
      .render(columns)
      .split('\n');
    for (const line of lines) expect(width(line)).toBeLessThanOrEqual(columns);
    expect(new Set(lines.slice(0, 5).map(width)).size).toBe(1);
    expect(lines.join('')).not.toMatch(/\p{Cc}/u);
  }
});

test('of more steps than the table has lines, those that failed are shown and the fastest are not', () => {
  const rows = Array.from({ length: 60 }, (_, n) => ({
    step: `step ${n}`,
    status: n === 0 ? 'error' : 'success',
    seconds: n + 1,
  }));
  const text = summaryOf(batch('steps', rows)).render(80);
  expect(text).toMatch(/\nstep 59 .*\n/);
  expect(text).toMatch(/\nstep 21 .*\nstep 0 .* 1\n\.\.\. and 20 more steps\n/);
});
