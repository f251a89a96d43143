import { expect, test } from 'vitest';
import { fieldsOf, type EventTable } from '../../src/fields.ts';
import {
  stepEvents,
  stepEventsOfLines,
  type EventOptions,
  type LogEvent,
  type OtherEvent,
  type ResourceEvent,
  type StepEvent,
} from '../../src/index.ts';
import { readAll, SAMPLES } from './parts.ts';

test.each([
  [{ logs: 'none' }, TypeError, 'logs: give true or false, not string'],
  [{ timezone: 'Mars/Olympus' }, RangeError, 'timezone: no such zone "Mars/Olympus"; UTC, +02:00, Europe/Berlin'],
  [{ timezone: 2 }, TypeError, 'timezone: give the name of a zone, not number'],
  [{ max_line_bytes: '1m' }, TypeError, 'max_line_bytes: give a number of bytes, not string'],
  [{ max_line_bytes: 10 }, RangeError, 'max_line_bytes: give a whole number from 1024 to 268435456'],
  [{ constants: ['ml'] }, TypeError, 'constants: give an object, not an array'],
  [{ constants: { namespace: '' } }, TypeError, 'constants.namespace: give a text that is not empty, not string'],
  [{ constants: { team: 'ml' } }, TypeError, /^constants\.team: there is no such option; there are namespace, pod, /],
  [{ privacy: null }, TypeError, 'privacy: give an object, not null'],
  [{ privacy: { mask: 'token' } }, TypeError, 'privacy.mask: give a list of names, not string'],
  [{ privacy: { params: 'some' } }, TypeError, "privacy.params: give 'all' or a list of names, not string"],
  [{ privacy: { hash: ['user'] } }, TypeError, 'privacy.hash_key: privacy.hash needs a secret of at least 16 bytes'],
  [
    { privacy: { hash: ['user'], hash_key: 'short-secret' } },
    RangeError,
    'privacy.hash_key: too short a secret; it needs at least 16 bytes',
  ],
  [
    { maxLineBytes: 4096 },
    TypeError,
    /^maxLineBytes: there is no such option; there are constants, privacy, timezone, /,
  ],
  ['UTC', TypeError, 'options: give an object, not string'],
])('an option that makes no sense is an error that names it: %j', (options, kind, message) => {
  const made = (): unknown => stepEvents(options as EventOptions);
  expect(made).toThrow(kind);
  expect(made).toThrow(message);
});

test('every option does what the option of steptap run does', async () => {
  const stream = stepEvents({
    constants: { namespace: 'ml' },
    privacy: { params: ['epochs'], mask: ['reason'] },
    timezone: '+02:00',
    logs: false,
    max_line_bytes: 1024,
  });
  stream.end(SAMPLES);
  const { events } = await readAll(stream);
  expect(events.filter(({ kind }) => kind === 'log')).toEqual([]);
  expect(new Set(events.map(({ namespace }) => namespace))).toEqual(new Set(['ml']));
  expect(events.find((event) => event.kind === 'step' && event.params !== undefined)).toMatchObject({
    // Ten at the clock of the pod.
    ts: '2026-02-19T08:31:12.640000Z',
    params: { epochs: expect.anything(), lr: '[redacted]' },
  });
  expect(events.find(({ kind }) => kind === 'error')).toMatchObject({ attributes: { reason: '***' } });
  const long = stepEvents({ max_line_bytes: 1024 });
  long.end('x'.repeat(1_025));
  expect((await readAll(long)).rejections).toMatchObject([{ reason: 'line_too_long', cut: true }]);
});

/** Every field once: tsc refuses one that the type does not have, and one that is missing. */
type Names<Kind> = Record<keyof Kind, true>;
const told: Omit<Names<LogEvent>, 'level' | 'message' | 'logger' | 'error_type' | 'error_kind'> = {
  ts: true,
  dialect: true,
  event: true,
  kind: true,
  execution_id: true,
  workflow: true,
  task: true,
  task_version: true,
  node_id: true,
  attempt: true,
  map_index: true,
  task_id: true,
  session_id: true,
  workflow_id: true,
  project: true,
  domain: true,
  task_project: true,
  task_domain: true,
  namespace: true,
  pod: true,
  pod_uid: true,
  container: true,
  node: true,
  app: true,
  component: true,
  labels: true,
  k8s_enriched: true,
  stream: true,
  trace_id: true,
  span_id: true,
  parent_span_id: true,
  attributes: true,
  lines: true,
  provenance: true,
};
const timed = {
  ts_start: true,
  step: true,
  step_raw: true,
  step_target: true,
  status: true,
  error_type: true,
  wall_time_s: true,
  process_time_s: true,
  params: true,
} as const;
const logged = { error_type: true, level: true, message: true, logger: true } as const;
const engine = { backend: true, depends_on: true, conditions: true } as const;
const used = {
  resource_scope: true,
  gpu_id: true,
  backend: true,
  cpu_percent: true,
  memory_percent: true,
  gpu_percent: true,
  disk_read_bytes: true,
  disk_write_bytes: true,
  net_sent_bytes: true,
  net_recv_bytes: true,
} as const;
const TYPES: readonly [Exclude<EventTable, 'tasks'>, object][] = [
  ['steps', { ...told, ...timed } satisfies Names<StepEvent>],
  ['logs', { ...told, ...logged, error_kind: true } satisfies Names<LogEvent>],
  [
    'events',
    { ...told, ...timed, ...logged, ...engine, root_error_type: true, error_kind: true } satisfies Names<OtherEvent>,
  ],
  ['resources', { ...told, ...used } satisfies Names<ResourceEvent>],
];

test.each(TYPES)('the types have the fields of %s, all of them and no other', (table, names) => {
  expect(Object.keys(names).sort()).toEqual(
    fieldsOf(table)
      .map(({ name }) => name)
      .sort(),
  );
});

test('events of your own are read as a pipeline with them reads them, and a wrong one is an error that says where', async () => {
  const fit = { match: { event: 'fit' }, kind: 'step', fields: { wall_time_s: { key: 'ms', unit: 'ms' } } } as const;
  const stream = stepEventsOfLines({ events: { fit } });
  stream.end('{"event": "fit", "ms": 1500}');
  const events = await stream.toArray();
  expect(events).toMatchObject([{ dialect: 'custom', kind: 'step', step: 'fit', wall_time_s: 1.5 }]);
  const wrong = { fit: { ...fit, kind: 'stp' } } as unknown as NonNullable<EventOptions['events']>;
  expect(() => stepEvents({ events: wrong })).toThrow('events.fit.kind: "stp" is no choice; did you mean step?');
  const hashed = { fit: { ...fit, privacy: { hash: ['user'] } } };
  expect(() => stepEvents({ events: hashed })).toThrow('privacy.hash_key: privacy.hash needs a secret');
});
