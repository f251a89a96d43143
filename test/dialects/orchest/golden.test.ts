import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FIELDS, fieldsOf } from '../../../src/fields.ts';
import { EVENT_TYPES } from '../../../src/dialects/orchest/types.ts';
import { Decoder } from '../../../src/decode.ts';
import { types } from '../../event-types/parts.ts';
import { decode, OPTIONS, source, StillClock, type Fields } from '../../support/decode.ts';
import { DELIVERIES } from './samples.ts';

interface Delivery {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const deliveries = readFileSync('test/fixtures/orchest-webhook-samples.jsonl', 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Delivery);

/** As the http source hands it on. */
function lineOf({ headers, body }: Delivery): string {
  if (headers['Content-Type'] === 'application/json') return body;
  const form = new URLSearchParams(body);
  return `{"delivered_for": ${form.get('delivered_for')}, "event": ${form.get('event')}}`;
}

function eventsOf(...lines: readonly string[]): readonly Fields[] {
  const { events, logs, rejections } = decode(`${lines.join('\n')}\n`);
  expect([...logs, ...rejections]).toEqual([]);
  return events;
}

test.each(DELIVERIES)('The delivery on line %i is what the format says, and nothing else', (number, expected) => {
  const { webhook = {}, ...event } = Object.fromEntries(Object.entries(eventsOf(lineOf(deliveries[number - 1]!))[0]!));
  expect(webhook).toEqual({});
  expect(event).toEqual(expected);
});

test('There is an expectation for every delivery of the samples', () => {
  expect(DELIVERIES.map(([line]) => line)).toEqual(deliveries.map((_, n) => n + 1));
});

test('Fields stand in the one order, and none of them is empty', () => {
  const order = FIELDS.map(({ name }) => name);
  const known = fieldsOf('events').map(({ name }) => name);
  for (const delivery of deliveries) {
    const [event] = eventsOf(lineOf(delivery));
    const names = Object.keys(event!);
    expect(names).toEqual(order.filter((name) => names.includes(name)));
    expect(known).toEqual(expect.arrayContaining(names));
    expect(Object.values(event!)).not.toContain('');
  }
});

test('The analytics module has 66 names, the database one more, and webhooks have ping', () => {
  expect(EVENT_TYPES.size).toBe(68);
  expect(EVENT_TYPES).toContain('project:cron-job:run:pipeline-run:succeeded');
  expect(EVENT_TYPES).toContain('project:cron-job:succeeded');
});

const created = (timestamp: string, uuid = 'a'): string =>
  JSON.stringify({ uuid, type: 'project:created', timestamp, project: { uuid: 'p', name: 'churn' } });

test('Trap 20: a timestamp has a space, and a fraction only where it is not 0; an unknown time is the word None', () => {
  expect(eventsOf(created('2022-06-02 16:13:00+00:00'))[0]).toMatchObject({ ts: '2022-06-02T16:13:00.000000Z' });
  expect(eventsOf(created('2022-06-02 18:13:00.5+02:00'))[0]).toMatchObject({ ts: '2022-06-02T16:13:00.500000Z' });
  expect(eventsOf(created('None'))[0]).toMatchObject({ provenance: 'ts:arrival' });
});

test('Trap 22: an event that comes again, for another webhook or in another try, is stored once', () => {
  const [first] = DELIVERIES.find(([line]) => line === 11)!;
  const decoder = new Decoder(source, OPTIONS, new StillClock());
  const lines = [lineOf(deliveries[first - 1]!), lineOf(deliveries[first]!), lineOf(deliveries[first - 1]!)];
  const bytes = Buffer.from(`${lines.join('\n')}\n`);
  const { batch, counts } = decoder.feed({ bytes, offset: 0 });
  expect(batch.rows.map(({ table, ends }) => [table, ends.length])).toEqual([['events', 1]]);
  expect([...counts.filtered]).toEqual([['duplicate', 2]]);
  // Over a restart, too: what is remembered is in the batch.
  const again = new Decoder(source, OPTIONS, new StillClock(), undefined, {
    offset: 0,
    state: new Map(batch.state!.put),
  });
  expect(again.feed({ bytes, offset: 0 }).batch.rows).toEqual([]);
});

test('What is remembered of events has a bound', () => {
  const decoder = new Decoder(source, OPTIONS, new StillClock());
  const uuid = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
  const lines = Array.from({ length: 12_500 }, (_, n) => created('2022-06-02 16:13:00+00:00', uuid(n))).join('\n');
  decoder.feed({ bytes: Buffer.from(`${lines}\n`), offset: 0 });
  // An eighth more until the oldest of them go.
  expect(decoder.state.size).toBeLessThanOrEqual(11_250);
  expect(decoder.state.has(`orchest webhook ${uuid(12_499)}`)).toBe(true);
});

test('Trap 23: the uuid of a pipeline is its event\u2019s own; the true one is in url_path', () => {
  const [, expected] = DELIVERIES.find(([line]) => line === 7)!;
  const [event] = eventsOf(lineOf(deliveries[6]!));
  expect(event).toMatchObject({ workflow_id: '7b9d5e1c-9d49-4f7b-b3a5-1f3c0a6d9e77' });
  expect(Object.values(expected['attributes'] as Fields)).not.toContain(event!['workflow_id']);
  expect(JSON.stringify(event!['attributes'])).not.toContain('pipeline.uuid');
});

test('Trap 24: what was changed of a job stands one level deeper', () => {
  expect(eventsOf(lineOf(deliveries[8]!))[0]).toMatchObject({
    message: 'updated schedule: None to 0 1 * * *; updated name',
  });
  expect(eventsOf(lineOf(deliveries[2]!))[0]).toMatchObject({ message: 'created environment_variable' });
});

test('Trap 26: cancelled, ABORTED and canceled are one status', () => {
  const run = { uuid: 'r', status: 'ABORTED', number: 1, url_path: '/job-run?pipeline_uuid=p1' };
  const event = {
    uuid: 'e',
    type: 'project:one-off-job:pipeline-run:cancelled',
    timestamp: '2022-06-02 16:13:00+00:00',
    project: { uuid: 'p', name: 'churn', job: { uuid: 'j', pipeline_name: 'Train', pipeline_run: run } },
  };
  expect(eventsOf(JSON.stringify(event))[0]).toMatchObject({ status: 'canceled', execution_id: 'r', kind: 'run' });
});

const telemetry = {
  event_properties: {
    uuid: '00000000-0000-4000-8000-000000000011',
    type: 'project:one-off-job:pipeline-run:failed',
    timestamp: '2022-06-02 16:19:30.250000+00:00',
    project: {
      uuid: 'p',
      job: { uuid: 'j', status: 'STARTED', pipeline_run: { uuid: 'r', status: 'FAILURE', number: 0 } },
    },
    job_uuid: 'j',
    deprecated: ['job_uuid'],
  },
  derived_properties: { project: { job: { pipeline_run: { failed_steps_count: 1 } } } },
  app_properties: { orchest_version: 'v2022.06.0', max_job_runs_parallelism: 2 },
  system_properties: { host_os: 'linux' },
};

const TELEMETRY = {
  ts: '2022-06-02T16:19:30.250000Z',
  event: 'project:one-off-job:pipeline-run:failed',
  kind: 'run',
  status: 'error',
  execution_id: 'r',
  project: 'p',
  app: 'orchest',
  component: 'telemetry',
  attributes: {
    'pipeline_run.status': 'FAILURE',
    'derived_properties.project.job.pipeline_run.failed_steps_count': '1',
    'app_properties.orchest_version': 'v2022.06.0',
    'system_properties.host_os': 'linux',
    deprecated: '["job_uuid"]',
  },
};

test('Telemetry is the same event with counts for names, by itself, in its envelope and in a batch of them', () => {
  expect(eventsOf(JSON.stringify(telemetry))[0]).toMatchObject(TELEMETRY);
  const message = {
    properties: { ...telemetry, $lib: 'posthog-python' },
    timestamp: '2022-06-02T16:19:31+00:00',
    context: {},
    distinct_id: 'd',
    event: telemetry.event_properties.type,
  };
  expect(eventsOf(JSON.stringify(message))[0]).toMatchObject(TELEMETRY);
  const heartbeat = {
    ...message,
    properties: { event_properties: { type: 'heartbeat-trigger', active: true }, derived_properties: {} },
    event: 'heartbeat-trigger',
  };
  const batch = eventsOf(
    JSON.stringify({ batch: [message, heartbeat], sentAt: '2022-06-02T16:19:31+00:00', api_key: 'k' }),
  );
  expect(batch).toHaveLength(2);
  expect(batch[0]).toMatchObject(TELEMETRY);
  // It has no time of its own but that of its envelope, and the line is the first one's.
  expect(batch[1]).toMatchObject({ ts: '2022-06-02T16:19:31.000000Z', event: 'heartbeat-trigger', lines: 0 });
});

test('The same event is told by the webhook and by the telemetry, which say different things of it', () => {
  const lines = [lineOf(deliveries[10]!), JSON.stringify(telemetry)];
  expect(eventsOf(...lines).map(({ component }) => component)).toEqual(['orchest-api', 'telemetry']);
});

test('What the client posts to /analytics is an event, also without properties', () => {
  expect(eventsOf('{"event": "view:loaded", "properties": {"name": "jobs"}}')[0]).toMatchObject({
    event: 'view:loaded',
    component: 'orchest-webserver',
    attributes: { name: 'jobs' },
  });
  expect(eventsOf('{"event": "alert:shown"}')[0]).toMatchObject({ event: 'alert:shown', kind: 'custom' });
});

test.each([
  '{"event": "page_view", "properties": {"name": "jobs"}}',
  '{"uuid": "x", "type": "ping", "timestamp": "2022-06-02 16:12:25+00:00"}',
  '{"uuid": "x", "type": "car", "timestamp": "2022-06-02 16:12:25+00:00"}',
  '{"batch": [1, 2]}',
  '{"batch": []}',
  '{"event_properties": {"type": "sale"}, "derived_properties": {}}',
])('%s is somebody else\u2019s', (line) => {
  expect(decode(`${line}\n`).events).toEqual([]);
});

test('A delivery that is cut short is a dead letter, and one without a uuid', () => {
  const body = lineOf(deliveries[10]!);
  expect(decode(`${body.slice(0, 300)}\n`).rejections).toMatchObject([{ reason: 'json_syntax', dialect: 'orchest' }]);
  const without = body.replace('"uuid": "00000000-0000-4000-8000-000000000011", ', '');
  expect(decode(`${without}\n`).rejections).toMatchObject([{ reason: 'schema', dialect: 'orchest' }]);
});

const PAUSED = JSON.stringify({
  uuid: 'u',
  type: 'project:pipeline:paused',
  timestamp: '2022-06-02 16:13:00+00:00',
  seconds: 12.5,
  project: { uuid: 'p', name: 'churn' },
});

test('A type that Orchest does not have can be declared; else it is what the pipeline says of unknown ones', () => {
  const declared = 'project:pipeline:paused: { fields: { seconds: float }, conditions: { long: seconds > 10 } }';
  expect(decode(`${PAUSED}\n`, { types: types(declared, 'reject') }).events[0]).toMatchObject({
    conditions: ['long'],
    seconds: 12.5,
    attributes: { 'project.uuid': 'p' },
  });
  const wrong = PAUSED.replace('12.5', '"long"');
  expect(decode(`${wrong}\n`, { types: types(declared) }).rejections).toMatchObject([{ reason: 'schema' }]);
  const other = 'a.B: { fields: { x: int } }';
  const of = (unknown: 'accept' | 'log' | 'reject'): ReturnType<typeof decode> =>
    decode(`${PAUSED}\n${created('2022-06-02 16:13:00+00:00')}\n`, { types: types(other, unknown) });
  expect(of('accept').events).toMatchObject([{ attributes: { seconds: '12.5' } }, { event: 'project:created' }]);
  expect(of('log').logs).toMatchObject([{ attributes: { type: 'project:pipeline:paused' } }]);
  expect(of('reject').rejections).toMatchObject([{ reason: 'unknown_event', dialect: 'orchest' }]);
  expect(of('reject').events).toHaveLength(1);
});

test('A marked key is masked wherever it stands, and inputs are redacted unless they are allowed', () => {
  const privacy = { ...OPTIONS.privacy, mask: ['job'], params: ['env'] };
  const { events } = decode(`${lineOf(deliveries[9]!)}\n`, { privacy });
  expect(events[0]).toMatchObject({
    params: { 'get-data.limit': '[redacted]', env: 'prod' },
    attributes: { 'job.name': '***', 'project.uuid': '5f1a3c9e-0b7d-4c55-9d0e-0d3f7c0f2a11' },
  });
});

test('Whatever becomes of a payload, no line is lost and none is told twice', () => {
  const texts = [...deliveries.map(lineOf), JSON.stringify(telemetry)];
  const mutated = fc
    .tuple(
      fc.constantFrom(...texts),
      fc.nat(2_000),
      fc.nat(60),
      fc.constantFrom('', '{', '[1]', 'null', '"', '9e999', '{"a":{"b":1}}'),
    )
    .map(([text, at, length, put]) => text.slice(0, at % text.length) + put + text.slice((at % text.length) + length));
  fc.assert(
    fc.property(mutated, (line) => {
      const { lines, rejections, events, logs, blank } = decode(`${line.replaceAll('\n', ' ')}\n`);
      expect(lines).toBe(1);
      expect(rejections.length + events.length + logs.length + blank).toBeGreaterThan(0);
    }),
    { numRuns: 500 },
  );
});

test("What is remembered of an event is short, and is nobody's name, whatever stands for its uuid", () => {
  const decoder = new Decoder(source, OPTIONS, new StillClock());
  const uuids = ['jane@example.com', 'x'.repeat(500_000), '00000000-0000-4000-8000-000000000001'];
  const lines = [...uuids, ...uuids].map((uuid) => created('2022-06-02 16:13:00+00:00', uuid));
  const { batch, counts } = decoder.feed({ bytes: Buffer.from(`${lines.join('\n')}\n`), offset: 0 });
  expect([...counts.filtered]).toEqual([['duplicate', 3]]);
  const remembered = batch.state!.put!.map(([key]) => key);
  expect(Math.max(...remembered.map(({ length }) => length))).toBeLessThan(100);
  expect(remembered.join()).not.toContain('jane');
});

test('A batch takes as long as it is long, and not a hundred times that', () => {
  const properties = {
    event_properties: { type: 'project:created', list: Array(4_900).fill(1) },
    derived_properties: {},
  };
  const batch = JSON.stringify({
    batch: Array.from({ length: 100 }, () => ({ event: 'project:created', properties })),
  });
  const begun = process.cpuUsage();
  expect(eventsOf(batch)).toHaveLength(100);
  expect(process.cpuUsage(begun).user).toBeLessThan(1e6);
});
