import { TABLES, type Batch, type Table } from '../batch.ts';

/**
 * How much has been committed since the spool was made: rows of each table, and bytes of records. Every record says what was committed before it, so that
 * a record which cannot be read any more is missed to the row, and what waits for a lane is a subtraction.
 */
export type Mark = TableRows & { readonly bytes: number };

export type TableRows = Readonly<Record<Table, number>>;

export const NO_ROWS: TableRows = rowsBy(() => 0);
export const NOTHING: Mark = { ...NO_ROWS, bytes: 0 };

/** A number for each table. */
export function rowsBy(count: (table: Table, n: number) => number): Record<Table, number> {
  return Object.fromEntries(TABLES.map((table, n) => [table, count(table, n)])) as Record<Table, number>;
}

/** The rows of a batch, and the bytes that its record takes. */
export function markOf(batch: Batch, bytes: number): Mark {
  const rows: Record<Table, number> = { ...NO_ROWS };
  for (const { table, ends } of batch.rows) rows[table] += ends.length;
  return { ...rows, bytes };
}

export function add(a: Mark, b: Mark): Mark {
  const sum: { -readonly [K in keyof Mark]: number } = { ...a, bytes: a.bytes + b.bytes };
  for (const table of TABLES) sum[table] += b[table];
  return sum;
}

/** What was committed between two marks. */
export function between(from: Mark, to: Mark): Mark {
  const rest: { -readonly [K in keyof Mark]: number } = { ...to, bytes: to.bytes - from.bytes };
  for (const table of TABLES) rest[table] -= from[table];
  return rest;
}

/** Rows of those tables; of all of them, when none are named. */
export function rowsOf(mark: TableRows, tables: Iterable<Table> = TABLES): number {
  let rows = 0;
  for (const table of tables) rows += mark[table];
  return rows;
}
