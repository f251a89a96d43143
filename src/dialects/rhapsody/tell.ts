import type { Observer } from '../../observer.ts';
import { RESOURCE_COLUMNS } from './resource.ts';

/** Which columns are read from which keys, where the names differ. */
const COMMON = { trace_id: 'trace_id', span_id: 'span_id' };
const OF_EVENT = {
  ...COMMON,
  ts: 'event_time',
  event: 'event_type',
  status: 'event_type',
  wall_time_s: 'duration_seconds',
  error_type: 'error_type',
  task: 'executable',
  node_id: 'node_id',
  task_id: 'task_id',
  session_id: 'session_id',
  workflow_id: 'asyncflow.workflow_id',
  backend: 'backend',
  depends_on: 'depends_on',
  ...Object.fromEntries(RESOURCE_COLUMNS.map((name) => [name, name])),
};
const OF_SPAN = {
  ...COMMON,
  parent_span_id: 'parent_span_id',
  ts: 'end_ns',
  ts_start: 'start_ns',
  status: 'status_code',
  error_type: 'error_type',
  task: 'executable',
  task_id: 'task_id',
  session_id: 'session_id',
  workflow_id: 'asyncflow.workflow_id',
  backend: 'backend',
};

/** Says how a line was recognised, and where its columns come from. */
export function tellLine(section: unknown, sort: 'event' | 'metric' | 'span', tell: Observer): void {
  const how = section === undefined ? 'has the nine base fields of an event' : `section is ${sort}`;
  tell.note('dialect', how, 'rhapsody');
  const keys = sort === 'event' ? OF_EVENT : sort === 'span' ? OF_SPAN : { ts: 'checkpoint_time' };
  for (const [field, key] of Object.entries(keys)) tell.from(field, { key });
  if (sort === 'event') tell.from('ts_start', 'ts less wall_time_s');
  if (sort === 'span') tell.from('wall_time_s', 'end_ns less start_ns');
  tell.from('attributes', 'line: every other key');
}
