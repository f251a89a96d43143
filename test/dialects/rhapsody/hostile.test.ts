import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decode, OPTIONS, ARRIVAL, type Fields } from '../../support/decode.ts';
import { eventLine, metricLine, Raw, spanLine, taskLine } from './lines.ts';

const sample = readFileSync('test/fixtures/sample-session.telemetry.jsonl');
const whole = decode(sample);
const lines = sample.toString('utf8').trimEnd().split('\n');

test.each([
  ['event_id', 7],
  ['event_type', ''],
  ['session_id', null],
  ['event_time', '1781613000.125'],
  ['emit_time', null],
  ['backend', 5],
  ['task_id', ['task.000001']],
  ['node_id', true],
  ['attributes', 'secret'],
])('An event whose %s is %j is a rejection that names it, and not its value', (name, value) => {
  const { rows, rejections } = decode(`${eventLine('TaskStarted', { [name]: value })}\n`);
  expect(rows).toHaveLength(1);
  expect(rejections).toMatchObject([{ reason: 'schema', dialect: 'rhapsody' }]);
  expect(rejections[0]?.['detail']).toMatch(new RegExp(`^${name} must be `));
  expect(rejections[0]?.['detail']).not.toMatch(/secret|1781613000/);
});

test.each([
  ['a span', spanLine({ trace_id: 'T-1' })],
  ['a span', spanLine({ start_ns: 'soon' })],
  ['a span', spanLine({ attributes: null })],
  ['a snapshot', metricLine({ checkpoint_time: null })],
])('%s of the wrong types is a rejection', (_, line) => {
  expect(decode(`${line}\n`).rejections).toMatchObject([{ reason: 'schema', dialect: 'rhapsody' }]);
});

test.each([
  ['event', taskLine('TaskStarted')],
  ['span', spanLine()],
  ['snapshot', metricLine({ tasks_running: 1 })],
])('The first half of %s is a rejection, and the line behind it is stored', (what, line) => {
  const { rejections, events } = decode(`${line.slice(0, line.length >> 1 || 30)}\n${line}\n`);
  expect(rejections).toMatchObject([{ reason: 'json_syntax', dialect: 'rhapsody' }]);
  expect(rejections[0]?.['detail']).toContain(`${what} of RHAPSODY`);
  expect(events).toHaveLength(1);
});

test.each([-1, 1e300, 9e9 * 1e3, new Raw('NaN'), new Raw('-Infinity')])(
  'An event at %j is stored all the same',
  (time) => {
    const text = time instanceof Raw ? time.text : String(time);
    const lines = [eventLine('TaskStarted', { event_time: time }), metricLine({ checkpoint_time: time })];
    for (const line of lines) {
      const { events } = decode(`${line}\n`);
      expect(events).toMatchObject([{ ts: ARRIVAL, provenance: expect.stringMatching(/^ts:arrival/) as string }]);
      expect(Object.values(events[0]!['attributes'] as Fields)).toContain(text);
    }
  },
);

test.each(['1', '-5', '1.5', 'null', '9'.repeat(400), '18446744073709551615'])(
  'A span whose ends are %s is stored',
  (ns) => {
    const { rows } = decode(`${spanLine({ start_ns: new Raw(ns), end_ns: new Raw('7') })}\n`);
    expect(rows).toHaveLength(1);
  },
);

test('What is nested ten thousand deep is told, and does not stop the next line', () => {
  const deep = new Raw(`${'['.repeat(10_000)}${']'.repeat(10_000)}`);
  const { rows, events } = decode(`${eventLine('my.Deep', { deep })}\n${eventLine('my.Next')}\n`);
  expect(rows).toHaveLength(2);
  expect(events.at(-1)?.['event']).toBe('my.Next');
});

test('Numbers in resources that no column can hold are attributes', () => {
  const odd = { gpu_id: -1, cpu_percent: -3.5, net_sent_bytes: 'much', memory_percent: 0, resource_scope: 'per_rack' };
  const { resources } = decode(`${eventLine('ResourceUpdate', odd)}\n`);
  expect(resources[0]).toMatchObject({ resource_scope: 'per_node', memory_percent: 0 });
  expect(resources[0]?.['attributes']).toMatchObject({
    gpu_id: '-1',
    cpu_percent: '-3.5',
    net_sent_bytes: 'much',
    resource_scope: 'per_rack',
  });
});

test('A key with a rule fills no column, and is treated as the rule says, wherever it stands', () => {
  const privacy = {
    ...OPTIONS.privacy,
    mask: ['executable', 'token'],
    drop: ['node_id', 'user'],
    hash: ['task_id'],
    hash_key: 'k',
  };
  const attributes = { executable: 'CANARY', user: 'CANARY', config: { token: 'CANARY', n: 1 } };
  const line = taskLine('TaskStarted', { task_id: 'CANARY', node_id: 'CANARY', attributes, note: 'token=CANARY' });
  for (const each of [line, line.slice(0, -1)]) {
    const { rows } = decode(`${each}\n`, { privacy });
    expect(rows).toHaveLength(1);
    expect(rows[0]?.text).not.toContain('CANARY');
  }
  const row = decode(`${line}\n`, { privacy }).events[0]!;
  expect(row).not.toHaveProperty('task');
  expect(row).not.toHaveProperty('task_id');
  expect(row['attributes']).toMatchObject({ executable: '***', note: 'token=***' });
});

test.each(['mask', 'drop', 'hash'])('A rule for attributes is one for all of them: %s', (rule) => {
  const privacy = { ...OPTIONS.privacy, [rule]: ['attributes'], hash_key: 'k' };
  const attributes = { executable: 'CANARY', depends_on: ['CANARY'], who: 'CANARY', incomplete_lifecycle: true };
  const line = taskLine('TaskFailed', { attributes, duration_seconds: new Raw('0.0'), error_type: 'KeyError' });
  const { events } = decode(`${line}\n${spanLine({ attributes })}\n`, { privacy });
  expect(JSON.stringify(events)).not.toContain('CANARY');
  expect(events.map((row) => 'attributes' in (row['attributes'] as Fields))).toEqual(Array(2).fill(rule !== 'drop'));
  // Of a duration that nobody measured that is still said.
  expect(events[0]).toMatchObject({ task_id: 'task.000001', error_type: 'KeyError' });
  expect(events[0]).not.toHaveProperty('wall_time_s');
});

test.each([
  '{"event_id": "evt_17", "event_type": "click", "user": "x',
  '{"event_type": "click", "time": "2026-02-19T10:30:44Z", "event_id": "bdd640fb06671ad11c80317fa3b1799d", "us',
  '{"event_id": "17", "event_type": "click", "event_time": "2026-02-19T10:30:44Z", "us',
])("A user's event that is cut short is a log: %s", (line) => {
  const { logs, rows } = decode(`${line}\n`);
  expect([rows.length, logs.length]).toEqual([1, 1]);
});

test("A user's events with some of the same keys are logs", () => {
  const own = { event_id: 'evt_17', event_type: 'click', session_id: 's', attributes: {}, node_id: null };
  const lines = [own, { ...own, event_time: 1, section: 'events' }, { section: 'metric', cpu: 1 }, { section: 'span' }];
  expect(decode(lines.map((line) => JSON.stringify(line)).join('\n')).logs).toHaveLength(lines.length);
});

test('Whole numbers that a double cannot tell apart are told each as it was written', () => {
  const attributes = { big: new Raw('9007199254740993'), n: 1 };
  const { events } = decode(`${eventLine('my.Event', { attributes, big: new Raw('9007199254740992') })}\n`);
  expect(events[0]!['attributes']).toMatchObject({ big: '9007199254740992', 'attributes.big': '9007199254740993' });
});

test('Attributes that are not named are left out where they are allowed by name', () => {
  const privacy = { ...OPTIONS.privacy, attributes: ['task_type'] };
  const { events } = decode(`${taskLine('TaskStarted', { own: 1 })}\n`, { privacy });
  expect(events[0]).toMatchObject({ task: 'train', attributes: { task_type: 'ComputeTask' } });
});

test('In pieces that end anywhere the session becomes the same rows', () => {
  const cut = fc.integer({ min: 1, max: sample.length - 1 });
  fc.assert(
    fc.property(fc.array(cut, { maxLength: 12 }), (cuts) => {
      // A batch has its rows by table, so the order among tables is that of the pieces.
      const { events, resources, rows } = decode(sample, { cuts });
      expect([events, resources, rows.length]).toEqual([whole.events, whole.resources, whole.rows.length]);
    }),
    { numRuns: 15 },
  );
});

test('Whatever is changed in a line, it is one row or a span that was there before, and nothing is thrown', () => {
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom(null, 'None', -1, 1e308, '0x', 1781613000.125));
  const keys = [...new Set(lines.flatMap((line) => Object.keys(JSON.parse(line.replace('Infinity', '1')) as Fields)))];
  const other = fc.tuple(fc.constantFrom(...lines), fc.constantFrom(...keys, 'own'), value);
  fc.assert(
    fc.property(other, ([line, key, replaced]) => {
      const changed = { ...(JSON.parse(line.replace('Infinity', '1')) as Fields), [key]: replaced };
      const { rows, repeated } = decode(`${JSON.stringify(changed)}\n`);
      expect(rows.length + repeated).toBe(1);
    }),
    { numRuns: 200 },
  );
});

test('Whatever bytes are changed in a line, nothing is thrown and no line is lost', () => {
  const change = fc.tuple(fc.constantFrom(...lines), fc.nat(), fc.integer({ min: 0x20, max: 0xff }));
  fc.assert(
    fc.property(change, ([line, at, byte]) => {
      const bytes = Buffer.from(`${line}\n`);
      bytes[at % (bytes.length - 1)] = byte;
      // The harness counts lines, and checks that rows are UTF-8 and JSON.
      expect(decode(bytes).lines).toBe(1);
    }),
    { numRuns: 200 },
  );
});
