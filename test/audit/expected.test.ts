import { expect, test } from 'vitest';
import { expectations } from '../../src/audit/expected.ts';
import { EVENT_TABLES } from '../../src/fields.ts';
import { NO_TOTALS } from '../../src/delivery/ledger.ts';
import { NO_ROWS, NOTHING } from '../../src/spool/mark.ts';

test('rows of a table in which newer rows replace older ones are not expected record by record, and are counted', () => {
  const entry = (seq: number, rows: object) => ({ ...NO_ROWS, seq, day: '2026-11-21', src: 's', bytes: 1, ...rows });
  const entries = [entry(1, { steps: 3, tasks: 2 }), entry(2, { tasks: 1 }), entry(3, { resources: 4, tasks: 9 })];
  const cursor = { settled: 2, at: NOTHING, base: NOTHING, since: 1, totals: NO_TOTALS };
  const plan = (replaces?: ReadonlySet<'tasks'>) => {
    const sink = { name: 'store', tables: new Set(EVENT_TABLES), ...(replaces === undefined ? {} : { replaces }) };
    const { runs, replaceable } = expectations(sink, cursor, entries as never, [], [], '');
    return { replaceable, rows: runs.map(({ table, records }) => [table, records.map(({ rows }) => rows)]) };
  };
  expect(plan(new Set(['tasks'] as const))).toEqual({ replaceable: 3, rows: [['steps', [3]]] });
  // NDJSON files hold every version.
  const whole = [
    ['steps', [3]],
    ['tasks', [2, 1]],
  ];
  expect(plan()).toEqual({ replaceable: 0, rows: whole });
});
