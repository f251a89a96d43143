import { createHash } from 'node:crypto';
import type { Tuple } from '../batch.ts';
import { encodeUtf8 } from '../bytes.ts';
import { fieldsOf } from '../fields.ts';
import { formatTime, storable } from '../time.ts';
import { tupleOf } from '../tuples.ts';
import type { TaskRecord } from './assembler.ts';

/** By what a task is known: texts that no line can change any more. */
export function taskKey(...parts: readonly (string | number)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}

/** What a row says behind `ts`, `task_key`, `version`, `revision` and `task_day`, in this order. */
const COLUMNS = fieldsOf('tasks')
  .slice(5)
  .map(({ name, search }) => ({ name, time: search === 'date_nanos' }));

export interface TaskRow {
  /** JSON, as a byte string. */
  readonly row: string;
  readonly tuple: Tuple;
  readonly duration: number;
}

/** A row of table `tasks`; its keys are in the order of FIELDS. */
export function taskRow({ task_key, ts_us, revision, task_day, fields }: TaskRecord, version: number): TaskRow {
  const row: Record<string, unknown> = { ts: formatTime(ts_us), task_key, version, revision, task_day };
  for (const { name, time } of COLUMNS) {
    const value = fields[name];
    if (value === undefined) continue;
    if (!time) row[name] = value;
    else if (typeof value === 'number' && storable(value)) row[name] = formatTime(value);
  }
  const label = (name: string): string => (typeof fields[name] === 'string' ? fields[name] : '');
  const tuple = tupleOf({
    dialect: label('dialect'),
    kind: label('kind'),
    status: label('status'),
    project: label('project'),
    domain: label('domain'),
    task: label('task'),
    workflow: label('workflow'),
    error_kind: label('error_kind'),
    root_error_type: label('root_error_type'),
  });
  const { wall_time_s } = fields;
  return {
    row: encodeUtf8(JSON.stringify(row)),
    tuple,
    duration: typeof wall_time_s === 'number' ? wall_time_s : Number.NaN,
  };
}
