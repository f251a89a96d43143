import { batchBytes, type Rows, type Table } from '../../src/batch.ts';
import { encodeUtf8 } from '../../src/bytes.ts';
import { RowsBuilder } from '../../src/rows.ts';
import type { Part } from '../../src/sinks/sink.ts';
import { markOf, NOTHING } from '../../src/spool/mark.ts';
import type { SpoolRecord } from '../../src/spool/spool.ts';
import { tupleOf } from '../../src/tuples.ts';

/** A row as an object; `ts` has to be `YYYY-MM-DDTHH:MM:SS.ffffffZ` and comes first. */
export type RowObject = { readonly ts: string } & Readonly<Record<string, unknown>>;

/** Rows of one table out of objects, or out of text where the very bytes matter. */
export function rowsOf(table: Table, rows: readonly (RowObject | string)[]): Rows {
  const builder = new RowsBuilder(table);
  for (const row of rows) {
    const object = typeof row === 'string' ? (JSON.parse(row) as RowObject) : row;
    const { wall_time_s } = object;
    const labels = Object.entries(object).filter(([name, value]) => typeof value === 'string' && name in tupleOf({}));
    builder.add(
      encodeUtf8(typeof row === 'string' ? row : JSON.stringify(row)),
      tupleOf(Object.fromEntries(labels)),
      typeof wall_time_s === 'number' ? wall_time_s : Number.NaN,
    );
  }
  const taken = builder.take();
  if (taken === undefined) throw new Error('no rows');
  return taken;
}

export interface PartOptions {
  readonly table?: Table;
  readonly day?: string;
  readonly src?: string;
  readonly seq?: number;
  readonly token?: string;
  readonly in_doubt?: boolean;
  readonly settled?: Uint8Array;
}

/** A part of one record. Its token is `<src>-<seq>-<seq>` unless given. */
export function partOf(rows: readonly (RowObject | string)[], options: PartOptions = {}): Part {
  const { table = 'steps', day = '2026-11-21', src = 'spool0-epoch0', seq = 1, settled } = options;
  const taken = rowsOf(table, rows);
  const batch = { source: 'test', position: {}, lines: rows.length, rows: [taken] };
  const size = markOf(batch, batchBytes(batch));
  const record: SpoolRecord = { src, seq, day, committed_at: 0, batch, bases: [0], before: NOTHING, size };
  return {
    table,
    day,
    token: options.token ?? `${src}-${seq}-${seq}`,
    slices: [{ record, rows: taken, base: 0, from: 0, to: rows.length }],
    count: rows.length,
    in_doubt: options.in_doubt ?? false,
    ...(settled === undefined ? {} : { settled }),
  };
}

/** A step as flytekit's dialect makes it; what is given replaces its fields. */
export function stepRow(fields: Readonly<Record<string, unknown>> = {}): RowObject {
  return {
    ts: '2026-02-19T10:31:12.640123Z',
    ts_start: '2026-02-19T10:31:11.406123Z',
    dialect: 'flytekit',
    event: 'flytekit_step',
    kind: 'step',
    step: 'execute_user_code',
    step_raw: 'Execute user level code',
    status: 'success',
    wall_time_s: 1.234,
    process_time_s: 0.89,
    execution_id: 'f12abc',
    task: 'workflows.train.fit',
    project: 'ml',
    domain: 'production',
    ...fields,
  };
}
