import type { Line } from '../dialect.ts';
import type { Times } from '../when.ts';
import { isObject, type Value } from './base.ts';
import type { Commons } from './common.ts';
import { headOf, type Head, type Said, type Status } from './compose.ts';
import { executable } from './event.ts';
import { spanId, traceId } from './ids.ts';
import type { Reading } from './reading.ts';
import type { Session } from './sessions.ts';

/** What the three doubles say is said by the nanoseconds, and exactly. */
const TAKEN: ReadonlySet<string> = new Set([
  'trace_id',
  'span_id',
  'parent_span_id',
  'start_time_s',
  'end_time_s',
  'duration_ms',
  'status_code',
  'section',
]);
const WORKFLOW = 'asyncflow.workflow_id';
const INNER: ReadonlySet<string> = new Set([
  WORKFLOW,
  'session_id',
  'backend',
  'task_id',
  'executable',
  'status',
  'error_type',
]);

export function isSpan(value: Value): boolean {
  return value['section'] === 'span' && 'span_id' in value && 'trace_id' in value;
}

/** Why it is no span all the same, without its values. */
export function spanProblem(value: Value): string | undefined {
  if (typeof value['name'] !== 'string') return 'name must be text';
  if (traceId(value['trace_id']) === '') return 'trace_id must be text of at most 32 hex digits';
  if (spanId(value['span_id']) === '') return 'span_id must be text of at most 16 hex digits';
  for (const name of ['start_ns', 'end_ns']) {
    if (typeof value[name] !== 'number' && value[name] !== null) return `${name} must be a whole number`;
  }
  return isObject(value['attributes']) ? undefined : 'attributes must be an object';
}

/** `session`: whose the stream is, as far as that is known. Spans of workflows name their trace alone, and a session is one trace. */
export function readSpan(reading: Reading, line: Line, times: Times, commons: Commons, session: Session): Said {
  const start_ns = reading.nanoseconds('start_ns');
  const end_ns = reading.nanoseconds('end_ns');
  const us = (ns: bigint | undefined): number => (ns === undefined ? Number.NaN : Number(ns / 1000n));
  const trace_id = reading.id('trace_id', traceId);
  const session_id = reading.innerText('session_id');
  const streams = session_id === '' && session.trace_id === trace_id && session.session_id !== '';
  const about = {
    task: executable(reading),
    node_id: '',
    task_id: reading.innerText('task_id'),
    session_id: streams ? session.session_id : session_id,
    workflow_id: reading.innerText(WORKFLOW),
    backend: reading.innerText('backend'),
    trace_id,
    span_id: reading.id('span_id', spanId),
    parent_span_id: reading.id('parent_span_id', spanId),
  };
  const said = {
    when: times.of({ us: us(end_ns), zoned: true }, line.time),
    head: HEADS[statusOf(reading)],
    common: commons.make(about, line.origin, streams),
    start_us: us(start_ns),
    wall_time_s: start_ns === undefined || end_ns === undefined ? '' : seconds(end_ns - start_ns),
    error_type: reading.innerText('error_type'),
    depends_on: [],
    resources: '',
  };
  return { ...said, attributes: reading.attributes(TAKEN, INNER) };
}

const HEADS: Readonly<Record<Status, Head>> = {
  '': headOf('span', 'custom', ''),
  success: headOf('span', 'custom', 'success'),
  error: headOf('span', 'custom', 'error'),
  canceled: headOf('span', 'custom', 'canceled'),
  running: headOf('span', 'custom', 'running'),
  unknown: headOf('span', 'custom', 'unknown'),
};
const STATUSES: ReadonlyMap<unknown, Status> = new Map<unknown, Status>([
  ['completed', 'success'],
  ['failed', 'error'],
  ['canceled', 'canceled'],
]);
const CODES: ReadonlyMap<unknown, Status> = new Map<unknown, Status>([
  ['OK', 'success'],
  ['ERROR', 'error'],
  ['UNSET', 'unknown'],
]);

/** The task's own word, since a canceled one is an ERROR to OpenTelemetry; that of a workflow is UNSET whatever became of its tasks. */
function statusOf(reading: Reading): Status {
  const { value, inner } = reading;
  const own = STATUSES.get(inner['status']);
  if (own === undefined) reading.leaveInner('status');
  const status = CODES.get(value['status_code']);
  if (status === undefined) reading.leave('status_code');
  return own ?? status ?? '';
}

/** To the nanosecond; `''` when it ends before it begins. */
function seconds(ns: bigint): string {
  if (ns < 0n) return '';
  const digits = ns.toString().padStart(10, '0');
  return `${digits.slice(0, -9)}.${digits.slice(-9)}`;
}
