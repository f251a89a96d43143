import type { Times } from '../when.ts';
import type { Kind, Said, Status } from './compose.ts';
import { spanId, traceId } from './ids.ts';
import type { Reading } from './reading.ts';
import { RESOURCE_COLUMNS, resourceColumns } from './resource.ts';

interface EventType {
  readonly kind: Kind;
  readonly status: Status;
  /** What it is about has ended, and `duration_seconds` is how long it took. */
  readonly ends: boolean;
}

function type(kind: Kind, status: Status = '', ends = false): EventType {
  return { kind, status, ends };
}

/** Those of RHAPSODY and AsyncFlow; of every other type its own fields say all there is. A session that ends says nothing of how. */
const TYPES: ReadonlyMap<unknown, EventType> = new Map([
  ['SessionStarted', type('run', 'running')],
  ['SessionEnded', type('run', '', true)],
  ['TaskCreated', type('task')],
  ['asyncflow.TaskResolved', type('task')],
  ['TaskQueued', type('task')],
  ['TaskSubmitted', type('task')],
  ['TaskStarted', type('task', 'running')],
  ['TaskCompleted', type('task', 'success', true)],
  ['TaskFailed', type('task', 'error', true)],
  ['TaskCanceled', type('task', 'canceled', true)],
  ['ResourceUpdate', type('resource')],
]);
const CUSTOM = type('custom');

const BASE = [
  'event_type',
  'event_time',
  'session_id',
  'backend',
  'task_id',
  'node_id',
  'trace_id',
  'span_id',
  'name',
  'section',
];
const OTHER: ReadonlySet<string> = new Set(BASE);
const RESOURCE: ReadonlySet<string> = new Set([...BASE, ...RESOURCE_COLUMNS]);
const ENDED: ReadonlySet<string> = new Set([...BASE, 'duration_seconds', 'error_type']);
const WORKFLOW = 'asyncflow.workflow_id';
const INNER: ReadonlySet<string> = new Set([WORKFLOW]);
const INNER_OF_TASK: ReadonlySet<string> = new Set([
  WORKFLOW,
  'executable',
  'depends_on',
  'target_backend',
  'error_type',
]);

/** Reads an event whose base fields are as they must be. */
export function readEvent(reading: Reading, runtime: string, times: Times): Said {
  const { value } = reading;
  const found = TYPES.get(value['event_type']) ?? CUSTOM;
  const { kind, status, ends } = found;
  const when = reading.when('event_time', runtime, times);
  const wall_time_s = ends ? duration(reading) : '';
  const task = kind === 'task';
  const said = {
    when,
    start_us: wall_time_s === '' ? Number.NaN : when.us - Math.round(Number(wall_time_s) * 1e6),
    event: reading.text('event_type'),
    kind,
    status,
    wall_time_s,
    error_type: task && ends ? errorType(reading) : '',
    about: {
      task: task ? executable(reading) : '',
      node_id: reading.text('node_id'),
      task_id: reading.text('task_id'),
      session_id: reading.text('session_id'),
      workflow_id: reading.innerText(WORKFLOW),
    },
    ownSession: true,
    // Where there are several backends it is the one that the task goes to; `backend` is then the default one in all of its events.
    backend: (task && reading.innerText('target_backend')) || reading.text('backend'),
    depends_on: task ? reading.innerTexts('depends_on') : [],
    trace_id: reading.id('trace_id', traceId),
    span_id: reading.id('span_id', spanId),
    parent_span_id: '',
    resources: kind === 'resource' ? resourceColumns(reading) : '',
  };
  leaveOwn(reading, found);
  const taken = kind === 'resource' ? RESOURCE : ends ? ENDED : OTHER;
  return { ...said, attributes: reading.attributes(taken, task ? INNER_OF_TASK : INNER) };
}

/** How long it took; not where nobody saw it start: that is then written as 0. */
function duration(reading: Reading): string {
  if (reading.inner['incomplete_lifecycle'] !== true) return reading.figure('duration_seconds');
  reading.leave('duration_seconds');
  return '';
}

/** The class of the exception, where one of the two places says more than that there was one. */
function errorType(reading: Reading): string {
  const said = reading.text('error_type');
  const { inner } = reading;
  if (said !== '' && (said !== 'unknown' || typeof inner['error_type'] !== 'string')) {
    if (inner['error_type'] !== said) reading.leaveInner('error_type');
    return said;
  }
  return reading.innerText('error_type') || said;
}

/** A function without a name is written as None. */
export function executable(reading: Reading): string {
  const name = reading.innerText('executable');
  return name === 'None' ? '' : name;
}

/** The writer's own marks are in no column, and say nothing more; where one says something else, a field of the event's own has its name. */
function leaveOwn(reading: Reading, { kind, ends }: EventType): void {
  const { value } = reading;
  if (value['section'] !== 'event') reading.leave('section');
  if (value['name'] !== value['event_type']) reading.leave('name');
  if (ends && kind !== 'task') reading.leave('error_type');
}
