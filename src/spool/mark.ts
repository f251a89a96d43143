import type { Batch, Table } from '../batch.ts';

/**
 * How much has been committed since the spool was made: rows of each table, and bytes of records. Every record says what was committed before it, so that
 * a record which cannot be read any more is missed to the row, and what waits for a lane is a subtraction.
 */
export interface Mark {
  readonly steps: number;
  readonly logs: number;
  readonly events: number;
  readonly rejections: number;
  readonly bytes: number;
}

export const NOTHING: Mark = { steps: 0, logs: 0, events: 0, rejections: 0, bytes: 0 };

/** The rows of a batch, and the bytes that its record takes. */
export function markOf(batch: Batch, bytes: number): Mark {
  const rows = { steps: 0, logs: 0, events: 0, rejections: 0 };
  for (const { table, ends } of batch.rows) rows[table] += ends.length;
  return { ...rows, bytes };
}

export function add(a: Mark, b: Mark): Mark {
  return {
    steps: a.steps + b.steps,
    logs: a.logs + b.logs,
    events: a.events + b.events,
    rejections: a.rejections + b.rejections,
    bytes: a.bytes + b.bytes,
  };
}

/** What was committed between two marks. */
export function between(from: Mark, to: Mark): Mark {
  return {
    steps: to.steps - from.steps,
    logs: to.logs - from.logs,
    events: to.events - from.events,
    rejections: to.rejections - from.rejections,
    bytes: to.bytes - from.bytes,
  };
}

/** Rows of those tables. */
export function rowsOf(mark: Mark, tables: ReadonlySet<Table>): number {
  let rows = 0;
  for (const table of tables) rows += mark[table];
  return rows;
}
