import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Decoder } from '../../../src/decode.ts';
import { decode, OPTIONS, source, StillClock, type Fields } from '../../support/decode.ts';
import { eventLine, metricLine, Raw, spanLine, taskLine } from './lines.ts';

/** The rows of events that lines become; none may be anything else. */
function events(...lines: string[]): readonly Fields[] {
  const { rows, events, resources } = decode(`${lines.join('\n')}\n`);
  expect(rows).toHaveLength(events.length + resources.length);
  return rows.map(({ fields }) => fields);
}

function attributesOf(line: string): Fields {
  return events(line)[0]!['attributes'] as Fields;
}

test.each(['NaN', 'Infinity', '-Infinity'])(
  'Trap 1: a bare %s is text in the attributes, wherever it stands',
  (token) => {
    const bare = new Raw(token);
    expect(attributesOf(eventLine('my.Loss', { loss: bare, attributes: { best: bare, note: token } }))).toMatchObject({
      loss: token,
      best: token,
      note: token,
    });
    const [completed] = events(taskLine('TaskCompleted', { duration_seconds: bare }));
    expect(completed).not.toHaveProperty('wall_time_s');
    const [resource] = events(
      eventLine('ResourceUpdate', { cpu_percent: bare, gpu_id: null, resource_scope: 'per_node' }),
    );
    expect(resource).not.toHaveProperty('cpu_percent');
  },
);

test('Trap 2: ids that lack their zeros are padded, and 0x is taken off', () => {
  const [row] = events(eventLine('TaskStarted', { trace_id: '0xABC', span_id: '0xb3371bb3874c3a' }));
  expect(row).toMatchObject({ trace_id: `${'0'.repeat(29)}abc`, span_id: '00b3371bb3874c3a' });
});

test('Trap 3: a span that every checkpoint writes again is stored once', () => {
  const lines = [spanLine(), spanLine({ span_id: '0x1' }), spanLine(), spanLine({ trace_id: '0x1' }), spanLine()];
  const { events, repeated } = decode(`${lines.join('\n')}\n`);
  expect(events.map(({ trace_id, span_id }) => [String(trace_id).slice(-4), String(span_id).slice(-4)])).toEqual([
    ['8037', '3563'],
    ['8037', '0001'],
    ['0001', '3563'],
  ]);
  expect(repeated).toBe(2);
});

/** What a decoder that remembers `state` makes of lines, and what it remembers then. */
function later(
  lines: string,
  state?: ReadonlyMap<string, string>,
): { rows: number; state: ReadonlyMap<string, string> } {
  const decoder = new Decoder(source, OPTIONS, new StillClock(), undefined, { offset: 0, state });
  const { batch } = decoder.feed({ bytes: Buffer.from(lines), offset: 0 });
  const remembered = new Map(state);
  for (const key of batch.state?.drop ?? []) remembered.delete(key);
  for (const [key, value] of batch.state?.put ?? []) remembered.set(key, value);
  return { rows: batch.rows.reduce((sum, { ends }) => sum + ends.length, 0), state: remembered };
}

test('Trap 3: a span that was stored before a restart is not stored behind it', () => {
  const before = later(`${spanLine()}\n`);
  expect(before.rows).toBe(1);
  expect(later(`${spanLine()}\n${spanLine({ span_id: '0x2' })}\n`, before.state).rows).toBe(1);
  // The control: nothing is remembered.
  expect(later(`${spanLine()}\n${spanLine({ span_id: '0x2' })}\n`).rows).toBe(2);
});

test('Trap 3: the spans of a session that is over are not remembered for good', () => {
  const spans = Array.from({ length: 50 }, (_, n) => spanLine({ span_id: `0x${(n + 1).toString(16)}` }));
  const { state } = later(`${spans.join('\n')}\n`);
  expect(state.size).toBe(50);
  expect(later(`${spanLine({ name: 'session', span_id: '0xff' })}\n`, state).state.size).toBe(1);
});

test('Trap 3: a request that was not committed is read again as it was the first time, and one that was is not', () => {
  const decoder = new Decoder(source, OPTIONS, new StillClock());
  const rows = (committed?: ReadonlyMap<string, string>): { rows: number; state: Map<string, string> } => {
    const { value } = decoder.request(Buffer.from(`${spanLine()}\n${spanLine()}\n`), 1 << 20, committed).next();
    const { batch } = value!;
    return { rows: batch.rows[0]?.ends.length ?? 0, state: new Map(batch.state?.put) };
  };
  const first = rows();
  expect(first.rows).toBe(1);
  expect(rows().rows).toBe(1);
  expect(rows(first.state).rows).toBe(0);
});

test('Trap 4: nanoseconds beyond 2^53 keep every digit', () => {
  const [row] = events(spanLine());
  expect(row).toMatchObject({
    ts: '2026-06-16T12:30:00.315099Z',
    ts_start: '2026-06-16T12:30:00.145200Z',
    attributes: { start_ns: '1781613000145200129', end_ns: '1781613000315099907' },
  });
  expect(decode(`${spanLine()}\n`).rows[0]?.text).toContain('"wall_time_s":0.169899778,');
});

test('Trap 5: bursts of 128 KiB that end within lines, and a last line that is cut, lose nothing', () => {
  const lines = Array.from({ length: 1_200 }, (_, n) => taskLine('TaskStarted', { event_id: `${n}` }));
  const whole = Buffer.from(lines.join('\n'));
  const cuts = Array.from({ length: whole.length >> 17 }, (_, n) => (n + 1) << 17);
  expect(cuts.length).toBeGreaterThan(2);
  expect(decode(whole, { cuts }).rows).toEqual(decode(whole).rows);
  const cut = decode(whole.subarray(0, whole.length - 40), { cuts });
  expect(cut.events).toHaveLength(1_199);
  expect(cut.rejections).toMatchObject([
    { reason: 'json_syntax', dialect: 'rhapsody', raw: lines[1_199]!.slice(0, -40) },
  ]);
});

test('Trap 6: a line without a section is an event when it has all nine base fields', () => {
  const bare = { section: undefined, name: undefined };
  expect(events(taskLine('TaskStarted', bare))).toMatchObject([{ event: 'TaskStarted', kind: 'task', task: 'train' }]);
  const { logs } = decode(`${taskLine('TaskStarted', { ...bare, emit_time: undefined })}\n`);
  expect(logs).toHaveLength(1);
});

test('Trap 7: the same task id in two sessions is two tasks', () => {
  const sessions = ['asyncflow.session.00000001', 'asyncflow.session.00000002', 'mine'];
  const rows = events(...sessions.map((session_id) => taskLine('TaskStarted', { session_id })));
  expect(rows.map(({ task_id, session_id, app }) => [task_id, session_id, app])).toEqual([
    ['task.000001', sessions[0], 'asyncflow'],
    ['task.000001', sessions[1], 'asyncflow'],
    ['task.000001', sessions[2], 'rhapsody'],
  ]);
});

test('Trap 10: a task may be queued before it is submitted, or behind it', () => {
  const order = ['TaskQueued', 'TaskSubmitted', 'TaskSubmitted', 'TaskQueued'];
  expect(events(...order.map((type) => taskLine(type))).map(({ event }) => event)).toEqual(order);
});

test('Trap 11: a backend of null and an executable called None are absent', () => {
  const [row] = events(taskLine('TaskCreated', { backend: null, attributes: { executable: 'None' } }));
  expect(row).not.toHaveProperty('backend');
  expect(row).not.toHaveProperty('task');
  expect(row?.['attributes']).not.toHaveProperty('executable');
});

test('The backend that a task was handed to wins over the default one', () => {
  const attributes = { executable: 'train', task_type: 'function', target_backend: 'dragon' };
  expect(events(taskLine('TaskSubmitted', { attributes }), taskLine('TaskStarted'))).toMatchObject([
    { backend: 'dragon' },
    { backend: 'dask' },
  ]);
});

test('Trap 12 and 13: instruments that go below zero or are sums over nodes stay what they are, and measure nothing', () => {
  const [row] = events(metricLine({ tasks_running: -2, node_cpu_utilization: new Raw('312.50') }));
  expect(row).toMatchObject({ event: 'metrics', attributes: { tasks_running: '-2', node_cpu_utilization: '312.50' } });
  expect(row).not.toHaveProperty('session_id');
});

test('Trap 14: fields of an event that have the names of the writer, or of columns, are attributes', () => {
  const own = { duration_seconds: 3, resource_scope: 'mine', status: 'fine', ts: 7, kind: 'x', score: 1 };
  const [row] = events(eventLine('my.Event', { ...own, attributes: { score: 2, event_id: 'e' } }));
  expect(row).toMatchObject({ event: 'my.Event', kind: 'custom', trace_id: '7d3f0c2b9a4e61d8a05b11c94e2f8037' });
  expect(row?.['attributes']).toEqual({
    event_id: 'bdd640fb06671ad11c80317fa3b1799d',
    emit_time: '1781613000.12501',
    'attributes.score': '2',
    'attributes.event_id': 'e',
    duration_seconds: '3',
    resource_scope: 'mine',
    status: 'fine',
    ts: '7',
    kind: 'x',
    score: '1',
  });
  expect(row).not.toHaveProperty('wall_time_s');
  // The writer puts its own values in their places.
  const clash = eventLine('my.Event').replace(
    '"attributes": {}',
    '"attributes": {}, "section": "north", "trace_id": "T-1"',
  );
  expect(events(clash)).toEqual(events(eventLine('my.Event')));
  // Nobody did.
  expect(attributesOf(eventLine('my.Event', { section: 'north', trace_id: 'T-1' }))).toMatchObject({
    section: 'north',
    trace_id: 'T-1',
  });
});

test('Trap 15: a type that nobody has heard of, and without a namespace, is an event of its own', () => {
  const [row] = events(eventLine('ResourceLayout', { node_id: 'node-a01', cores: 64, gpus: [0, 1] }));
  expect(row).toMatchObject({ event: 'ResourceLayout', kind: 'custom', node_id: 'node-a01' });
  expect(row?.['attributes']).toMatchObject({ cores: '64', gpus: '[0, 1]' });
});

test.each(['wf-3a1b9c2d', 'block.000011', 'exp 0/α'])('Trap 16: workflow %s is a column, and no object', (id) => {
  const attributes = { executable: 'train', 'asyncflow.workflow_id': id };
  const [row] = events(taskLine('TaskStarted', { attributes }));
  expect(row?.['workflow_id']).toBe(id);
  expect(Object.keys(row?.['attributes'] as Fields)).toEqual(['event_id', 'emit_time']);
});

test('Trap 19: a duration of 0 that nobody measured is no duration', () => {
  const attributes = { executable: 'train', incomplete_lifecycle: true };
  const { rows } = decode(
    `${taskLine('TaskFailed', { attributes, duration_seconds: new Raw('0.0'), error_type: 'KeyError' })}\n`,
  );
  expect(rows[0]?.duration).toBeNaN();
  expect(rows[0]?.fields).toMatchObject({
    status: 'error',
    error_type: 'KeyError',
    attributes: { incomplete_lifecycle: 'true', duration_seconds: '0.0' },
  });
  expect(rows[0]?.fields).not.toHaveProperty('wall_time_s');
  expect(events(taskLine('TaskCompleted', { duration_seconds: new Raw('0.0') }))[0]?.['wall_time_s']).toBe(0);
});

test('Two sessions in one stream: snapshots and spans of workflows are of the one that began last', () => {
  const began = (session_id: string, trace_id: string): string => eventLine('SessionStarted', { session_id, trace_id });
  const workflow = (trace_id: string): string => spanLine({ name: 'workflow', trace_id, attributes: {} });
  const rows = events(began('s1', '0x1'), began('s2', '0x2'), metricLine(), workflow('0x2'), workflow('0x1'));
  expect(rows.map(({ session_id }) => session_id)).toEqual(['s1', 's2', 's2', 's2', undefined]);
  expect(rows[3]?.['provenance']).toBe('session_id:stream');
});

test('The sample is the same in any pieces, and through every dialect switch but its own', () => {
  const sample = readFileSync('test/fixtures/sample-session.telemetry.jsonl');
  const off = decode(sample, { disabled: new Set(['rhapsody']) });
  expect(off.logs).toHaveLength(75);
  expect(decode(sample, { fast: false }).rows).toEqual(decode(sample).rows);
});
