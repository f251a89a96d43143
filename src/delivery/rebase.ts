import type { Table } from '../batch.ts';
import { between, rowsOf, type Mark } from '../spool/mark.ts';
import type { LaneCursor } from './cursor.ts';

/**
 * The cursor of a lane whose pipeline sends it other tables than before. What was being sent is finished. Rows behind it of tables that go elsewhere now
 * are `dropped`, and of tables that it did not get before only those behind it are its own: so its ledger closes, before and after.
 */
export function rebase(
  found: LaneCursor,
  tables: ReadonlySet<Table>,
  mark: Mark,
): { readonly cursor: LaneCursor; readonly dropped: number } {
  const { tables: before = [...tables], block } = found;
  if (before.length === tables.size && before.every((table) => tables.has(table))) {
    return { cursor: { ...found, tables: [...tables] }, dropped: 0 };
  }
  const end = block?.end ?? found.at;
  const gone = before.filter((table) => !tables.has(table));
  const dropped = rowsOf(between(end, mark), new Set(gone));
  const totals = { ...found.totals, dropped: found.totals.dropped + dropped };
  const unsettled = (block?.parts ?? []).reduce((sum, { count }) => sum + count, 0);
  const { stored, dead_lettered, lost } = totals;
  const cursor: LaneCursor = {
    ...found,
    tables: [...tables],
    base: end,
    since: (block?.to ?? found.settled) + 1,
    carried: stored + dead_lettered + lost + totals.dropped + unsettled,
    totals,
  };
  return { cursor, dropped };
}
