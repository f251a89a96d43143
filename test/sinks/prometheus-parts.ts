import { batchBytes, type Rows, type Table, type Tuple } from '../../src/batch.ts';
import type { Part } from '../../src/sinks/sink.ts';
import { markOf, NOTHING } from '../../src/spool/mark.ts';

export interface Row {
  readonly tuple: Tuple;
  /** None: the row has no duration. */
  readonly seconds?: number;
}

/** A new tuple, equal to others of the same labels, but not the same object. */
export function tuple(labels: Partial<Tuple> = {}): Tuple {
  return {
    id: 0,
    dialect: 'flytekit',
    kind: 'step',
    step: 'fit',
    status: 'success',
    project: 'ml',
    domain: 'production',
    task: 'train.fit',
    workflow: 'train',
    error_kind: '',
    root_error_type: '',
    reason: '',
    user: new Map(),
    ...labels,
  };
}

/** Rows whose bytes are `{}`: this sink does not read them. */
export function rowsOf(table: Table, rows: readonly Row[]): Rows {
  const dictionary = [...new Set(rows.map((row) => row.tuple))];
  const index = new Map(dictionary.map((entry, n) => [entry, n]));
  return {
    table,
    bytes: Buffer.from('{}\n'.repeat(rows.length)),
    ends: Uint32Array.from(rows, (_, n) => (n + 1) * 3),
    tuple: Uint16Array.from(rows, (row) => index.get(row.tuple)!),
    dictionary,
    durations: Float64Array.from(rows, (row) => row.seconds ?? Number.NaN),
  };
}

/** A part of slices, each with all of its rows or with `[from, to)` of them. */
export function partOf(slices: readonly { rows: Rows; from?: number; to?: number }[], settled?: Uint8Array): Part {
  const day = '2026-11-21';
  const whole = slices.map(({ rows, from = 0, to = rows.ends.length }, seq) => {
    const batch = { source: 'test', position: {}, lines: rows.ends.length, rows: [rows] };
    const size = markOf(batch, batchBytes(batch));
    const record = { src: 's-e', seq, day, committed_at: 0, batch, bases: [0], before: NOTHING, size };
    return { record, rows, base: 0, from, to };
  });
  return {
    table: slices[0]!.rows.table,
    day,
    token: 's-e-1-1',
    slices: whole,
    count: whole.reduce((count, { from, to }) => count + to - from, 0),
    in_doubt: false,
    ...(settled === undefined ? {} : { settled }),
  };
}

export function steps(...rows: readonly Row[]): Part {
  return partOf([{ rows: rowsOf('steps', rows) }]);
}

export function events(...tuples: readonly Tuple[]): Part {
  return partOf([
    {
      rows: rowsOf(
        'events',
        tuples.map((entry) => ({ tuple: entry })),
      ),
    },
  ]);
}
