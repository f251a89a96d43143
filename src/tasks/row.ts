import { hash } from 'node:crypto';
import type { Tuple } from '../batch.ts';
import { encodeUtf8, quote } from '../bytes.ts';
import { fieldsOf } from '../fields.ts';
import { formatTime, storable } from '../time.ts';
import { tupleOf } from '../tuples.ts';
import type { TaskRecord } from './assembler.ts';

/** By what a task is known: texts that no line can change any more. */
export function taskKey(...parts: readonly (string | number)[]): string {
  return hash('sha256', JSON.stringify(parts), 'hex').slice(0, 32);
}

/** The value of a column that is JSON text already, as a byte string. */
export class Json {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
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
  let row = `{"ts":"${formatTime(ts_us)}","task_key":"${task_key}","version":${version},"revision":${revision}`;
  if (task_day !== undefined) row += `,"task_day":"${task_day}"`;
  for (const { name, time } of COLUMNS) {
    const value = fields[name];
    if (value === undefined) continue;
    if (!time) row += `,"${name}":${jsonOf(value)}`;
    else if (typeof value === 'number' && storable(value)) row += `,"${name}":"${formatTime(value)}"`;
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
    row: `${row}}`,
    tuple,
    duration: typeof wall_time_s === 'number' ? wall_time_s : Number.NaN,
  };
}

function jsonOf(value: unknown): string {
  if (typeof value === 'string') return quote(value);
  if (value instanceof Json) return value.text;
  return typeof value === 'number' ? String(value) : encodeUtf8(JSON.stringify(value));
}
