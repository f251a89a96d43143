import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EVENT_TABLES } from '../../src/fields.ts';
import { TABLES, type Table } from '../../src/batch.ts';
import { acceptedBy, type LaneCursor, type PartCursor } from '../../src/delivery/cursor.ts';
import { rebase } from '../../src/delivery/rebase.ts';
import { between, NOTHING, rowsBy, rowsOf, type Mark } from '../../src/spool/mark.ts';

const rows: fc.Arbitrary<Mark> = fc
  .array(fc.nat(50), { minLength: TABLES.length + 1, maxLength: TABLES.length + 1 })
  .map((counts) => ({ ...rowsBy((_, n) => counts[n]!), bytes: counts.at(-1)! }));
const tables = fc.uniqueArray(fc.constantFrom<Table>(...EVENT_TABLES), { minLength: 1 });
const plus = (a: Mark, b: Mark): Mark => ({ ...rowsBy((table) => a[table] + b[table]), bytes: a.bytes + b.bytes });

/** A lane that got `own`: it has stored what was before its block, and some rows wait behind that. */
function lane(
  own: Table[],
  base: Mark,
  stored: Mark,
  block: Mark | undefined,
  behind: Mark,
): { found: LaneCursor; mark: Mark } {
  const at = plus(base, stored);
  const end = block === undefined ? at : plus(at, block);
  const parts = own
    .map((table): PartCursor => ({ table, first: 0, count: block?.[table] ?? 0, of: block?.[table] ?? 0 }))
    .filter(({ count }) => count > 0);
  const totals = { accepted: 0, stored: rowsOf(stored, new Set(own)), dead_lettered: 0, lost: 0, dropped: 0 };
  const begun = block === undefined ? {} : { block: { from: 8, to: 9, head: 9, end, parts } };
  return { found: { settled: 7, at, base, since: 1, tables: own, totals, ...begun }, mark: plus(end, behind) };
}

test('however tables come and go, accepted is stored, dropped and pending, at once and after more was committed', () => {
  const case_ = fc.tuple(tables, tables, tables, rows, rows, fc.option(rows, { nil: undefined }), rows, rows);
  fc.assert(
    fc.property(case_, ([own, then, last, base, stored, block, behind, more]) => {
      const { found, mark } = lane(own, base, stored, block, behind);
      let cursor = found;
      let dropped = 0;
      let end = mark;
      for (const next of [then, last]) {
        const now = new Set(next);
        const result = rebase(cursor, now, end);
        dropped += result.dropped;
        ({ cursor } = result);
        for (const at of [end, plus(end, more)]) {
          const waiting = rowsOf(between(cursor.block?.end ?? cursor.at, at), now);
          const unsettled = (cursor.block?.parts ?? []).reduce((sum, { count }) => sum + count, 0);
          // What waits is counted from the block's end on.
          const pending = cursor.block === undefined ? waiting : waiting + unsettled;
          expect(acceptedBy(cursor, now, at)).toBe(cursor.totals.stored + cursor.totals.dropped + pending);
        }
        end = plus(end, more);
      }
      expect(cursor.totals.dropped).toBe(dropped);
    }),
    { numRuns: 2_000 },
  );
});

test('a lane that gets what it got before stays as it was', () => {
  const { found, mark } = lane(['steps'], ZERO, ZERO, undefined, { ...ZERO, steps: 3 });
  expect(rebase(found, new Set<Table>(['steps']), mark)).toEqual({ cursor: found, dropped: 0 });
});

const ZERO: Mark = NOTHING;
