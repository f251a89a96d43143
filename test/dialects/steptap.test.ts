import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Table } from '../../src/batch.ts';
import { Decoder, type DecodeOptions } from '../../src/decode.ts';
import { readMessage, writeRow } from '../../src/sources/forward/message.ts';
import { Entries, frameOf } from '../../src/sinks/forward/frame.ts';
import { Body } from '../../src/sinks/identity.ts';
import type { Part } from '../../src/sinks/sink.ts';
import { decode, OPTIONS, StillClock, type Fields } from '../support/decode.ts';
import { FRAMEWORK, types } from '../event-types/parts.ts';
import { partOf } from '../support/rows.ts';
import { taskRow } from '../support/tasks.ts';

/** What becomes of rows that another steptap has sent. */
function received(lines: Buffer, options: Partial<DecodeOptions> = {}): Map<Table, Fields[]> {
  const source = { name: 'forward:test', framing: 'rows', position: () => ({}) } as const;
  const decoding = new Decoder(source, { ...OPTIONS, ...options }, new StillClock()).request(lines, 1 << 24);
  let step = decoding.next();
  while (step.done !== true) step = decoding.next();
  const { batch } = step.value!;
  return new Map(
    batch.rows.map(({ table, bytes }) => [
      table,
      bytes
        .toString('utf8')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Fields),
    ]),
  );
}

/** The rows, as they are written. */
function texts(lines: Buffer, options: Partial<DecodeOptions> = {}): string[] {
  const source = { name: 'forward:test', framing: 'rows', position: () => ({}) } as const;
  const { value } = new Decoder(source, { ...OPTIONS, ...options }, new StillClock()).request(lines, 1 << 24).next();
  return value!.batch.rows.map(({ bytes }) => bytes.toString('utf8'));
}

/** Over the wire, as the sink sends them and the source reads them. */
async function passed(part: Part, gzip: boolean): Promise<Buffer> {
  const { bytes, count } = new Entries().pack(part)!;
  const message = readMessage(await frameOf(bytes, count, { tag: 'steptap', gzip, chunk: 'x' }));
  const body = new Body();
  for (const entry of message.entries()) writeRow(entry, body, 1 << 20);
  return Buffer.from(body.view());
}

const samples = decode(readFileSync('test/fixtures/flyte-samples.log'), {
  privacy: { ...OPTIONS.privacy, params: 'all' },
});

test.each([false, true])('every event of the samples is the same behind the wire (gzip: %s)', async (gzip) => {
  for (const table of ['steps', 'logs', 'events'] as const) {
    const before = samples.rows.filter((row) => row.table === table).map(({ text }) => text);
    expect(before.length).toBeGreaterThan(1);
    const lines = await passed(partOf(before, { table }), gzip);
    const after = received(lines, { privacy: { ...OPTIONS.privacy, params: 'all' } });
    expect([...after.keys()]).toEqual([table]);
    expect(after.get(table)).toEqual(samples[table]);
  }
});

test.each(['events', 'resources'] as const)(
  '%s of a session of AsyncFlow are the same behind the wire',
  async (table) => {
    const session = decode(readFileSync('test/fixtures/sample-session.telemetry.jsonl'));
    const before = session.rows.filter((row) => row.table === table).map(({ text }) => text);
    expect(before).toHaveLength(table === 'events' ? 69 : 4);
    const after = received(await passed(partOf(before, { table }), false));
    expect([...after.keys()]).toEqual([table]);
    expect(after.get(table)).toEqual(session[table]);
  },
);

test('columns of declared event types are the same behind the wire where they are declared, else attributes', async () => {
  const declared = types(FRAMEWORK);
  const event = '"event_type": "myframework.ModelCheckpoint", "event_time": 1781613000.5, "emit_time": 1781613000.5';
  const base = `{"event_id": "1", ${event}, "session_id": "s", "backend": null, "task_id": null, "node_id": null, "attributes": {}`;
  const line = `${base}, "step": -9007199254740993, "loss": NaN, "metric": "acc", "elapsed_s": -1.50, "final": true, "shape": [1]}`;
  const before = decode(`${line}\n${base}, "loss": 0.5}\n`, { types: declared });
  const rows = before.rows.map(({ text }) => text);
  const after = received(await passed(partOf(rows, { table: 'events' }), false), { types: declared });
  expect(after.get('events')).toEqual(before.events);
  const bytes = texts(Buffer.from(`${rows[0]}\n`), { types: declared });
  expect(bytes).toEqual([`${rows[0]}\n`]);
  expect(received(Buffer.from(`${rows[1]}\n`)).get('events')).toMatchObject([{ attributes: { loss: '0.5' } }]);
  const broken = received(Buffer.from(`${rows[1]!.replace('"loss":0.5', '"loss":"low"')}\n`), { types: declared });
  expect(broken.get('rejections')).toMatchObject([{ reason: 'schema', detail: 'an event of another steptap: loss' }]);
});

test.each(['constructor', '__proto__', 'toString', 'nothing'])(
  'a row of kind %s is a dead letter, and the rows beside it are stored',
  (kind) => {
    const row = (step: string): string => `{"ts":"2026-11-21T12:00:00.000000Z","kind":"step","step":"${step}"}\n`;
    const lines = Buffer.from(`${row('a')}{"ts":"2026-11-21T12:00:00.000000Z","kind":"${kind}"}\n${row('b')}`);
    const after = received(lines);
    expect(after.get('steps')?.map(({ step }) => step)).toEqual(['a', 'b']);
  },
);

test('a whole number that comes with a point is one all the same', () => {
  const lines = Buffer.from('{"ts":"2026-11-21T12:00:00.000000Z","kind":"step","step":"a","attempt":2.0}\n');
  expect(texts(lines)[0]).toMatch(/"attempt":2[,}]/);
});

test('tasks and resources are the same rows behind the wire, and events of tasks stay events', async () => {
  const task = taskRow(1, 2, {
    exit_code: -1,
    attributes: { ü: 'x' },
    waterfall: { steps: [{ step: 'größer', depth: 0, wall_s: 1.5 }] },
    self_time_s: { größer: 1.25, other: 0.1 },
  });
  const ts = '2026-11-21T12:00:00.000000Z';
  const resource = { ts, kind: 'resource', node_id: 'a01', resource_scope: 'per_gpu', gpu_id: 0, gpu_percent: 0.0 };
  const created = { ts, kind: 'task', event: 'TaskCreated', task_id: 'task.1', depends_on: ['task.0', 'ü'] };
  for (const [table, row] of [
    ['tasks', task],
    ['resources', resource],
    ['events', created],
  ] as const) {
    const after = received(await passed(partOf([row], { table }), false));
    expect([...after]).toEqual([[table, [row]]]);
  }
  // Its keys stand where a store looks for them.
  expect(texts(await passed(partOf([task], { table: 'tasks' }), false))[0]).toMatch(
    /^\{"ts":"[^"]{27}","task_key":"[0-9a-f]{32}","version":\d+,"revision":2,"task_day":"2026-11-21",/,
  );
});

test.each([
  { task_key: 'f12abc' },
  { task_key: { toString: 1 } },
  { version: undefined },
  { version: 1.5 },
  { revision: -1 },
  { task_day: '2026-13-01' },
  { phases: { execution: '1' } },
  { depends_on: 'task.0' },
  { depends_on: [1] },
  { waterfall: [1] },
  { exit_code: 2 ** 31 },
])('a row of a task that no store could keep is a dead letter: %j', async (fields) => {
  const after = received(await passed(partOf([taskRow(1, 1, fields), taskRow(2, 1)], { table: 'tasks' }), false));
  expect(after.get('tasks')).toHaveLength(1);
  expect(after.get('rejections')).toMatchObject([{ reason: 'schema', dialect: 'steptap' }]);
});

test('the rules of a field hold for its column, whatever that is called, and for numbers', () => {
  const declared = types(`
my.A:
  fields: { secret: { type: str, column: a_secret }, pin: int, own: str, kept: int }
  privacy: { drop: [own] }
`);
  const row = {
    ts: '2026-11-22T03:27:54.302000Z',
    dialect: 'rhapsody',
    event: 'my.A',
    kind: 'custom',
    a_secret: 'CANARY',
    pin: 1234,
    own: 'CANARY',
    kept: 7,
  };
  const privacy = { ...OPTIONS.privacy, drop: ['secret', 'pin'] };
  const [text] = texts(Buffer.from(`${JSON.stringify(row)}\n`), { types: declared, privacy });
  expect(text).toContain('"kept":7');
  expect(text).not.toMatch(/CANARY|1234/);
});
