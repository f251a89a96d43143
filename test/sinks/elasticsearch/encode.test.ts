import type { ServerResponse } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { encodeBulk, sentRows } from '../../../src/sinks/elasticsearch/bulk.ts';
import { withoutIndex } from '../../../src/sinks/elasticsearch/unindexed.ts';
import { Body } from '../../../src/sinks/identity.ts';
import type { Part } from '../../../src/sinks/sink.ts';
import { partOf, stepRow } from '../../support/rows.ts';
import { keyOf, taskRow } from '../../support/tasks.ts';
import {
  bulkAnswer,
  failure,
  never,
  sinkOf,
  startFaultyServer,
  type FaultyServer,
  type Reply,
} from './faulty-server.ts';

let server: FaultyServer | undefined;
afterEach(async () => {
  await server?.stop();
});

const rows = (count: number): ReturnType<typeof stepRow>[] =>
  Array.from({ length: count }, (_, row) => stepRow({ step_raw: `Schritt ${row} 🙂 "`, process_time_s: row }));

function encode(part: Part, first = 0, max_bytes = Infinity): { text: string; end: number } {
  const body = new Body(16);
  const end = encodeBulk(part, body, first, max_bytes);
  return { text: body.view().toString('utf8'), end };
}

test('a document is the row itself with its time and its place, under an id made of the place', () => {
  const { text } = encode(partOf([stepRow({ step: 'x' })], { src: 'a1-b2', seq: 77 }));
  const [action, source, rest] = text.split('\n');
  expect(action).toBe('{"create":{"_id":"a1-b2-77-0"}}');
  expect(source?.startsWith('{"@timestamp":"2026-02-19T10:31:12.640123Z","_src":"a1-b2","_seq":77,"_i":0,"ts":')).toBe(
    true,
  );
  expect(JSON.parse(source!)).toEqual({
    '@timestamp': '2026-02-19T10:31:12.640123Z',
    _src: 'a1-b2',
    _seq: 77,
    _i: 0,
    ...stepRow({ step: 'x' }),
  });
  expect(rest).toBe('');
});

test('a task is written under its key and version, to the index of the day that it names', async () => {
  const part = partOf(
    [taskRow(1, 1), taskRow(2, 3, { task_day: '2026-11-20' }), taskRow(3, 1, { task_day: undefined })],
    {
      table: 'tasks',
      day: '2026-11-22',
      settled: Uint8Array.of(0, 0, 0),
    },
  );
  const ok = (response: ServerResponse): void => void response.end('{"took":1,"errors":false,"items":[]}');
  server = await startFaultyServer(ok);
  expect(await sinkOf([server.url]).send(part, never)).toEqual({ rejected: [], again: [] });
  const paths = server.received.map(({ path }) => path.split('/')[1]);
  expect(paths).toEqual(['steptap-tasks-2026.11.21', 'steptap-tasks-2026.11.20', 'steptap-tasks-2026.11.22']);
  const bodies = server.received.map(({ body }) => body.trimEnd().split('\n'));
  expect(bodies.map(([action]) => action)).toEqual(
    [
      [1, 1],
      [2, 3],
      [3, 1],
    ].map(
      ([key, version]) =>
        `{"index":{"_id":"${keyOf(key!)}","version":179500000000000${version},"version_type":"external"}}`,
    ),
  );
  const place = { '@timestamp': '2026-11-21T10:31:12.640123Z', _src: 'spool0-epoch0', _seq: 1, _i: 1 };
  expect(JSON.parse(bodies[1]![1]!)).toEqual({ ...place, ...taskRow(2, 3, { task_day: '2026-11-20' }) });
});

test('a newer row of a task counts as stored, and each answer is of the row that was sent', async () => {
  const part = partOf([taskRow(1, 1), taskRow(2, 1), taskRow(2, 2)], { table: 'tasks' });
  const item = (key: number, status: number): object => ({ index: { _id: keyOf(key), status } });
  const answer = (...items: object[]): object => ({ status: 200, body: { took: 1, errors: true, items } });
  server = await startFaultyServer(answer(item(1, 409), item(2, 429), item(2, 200)) as Reply);
  expect(await sinkOf([server.url]).send(part, never)).toMatchObject({ rejected: [], again: [1] });
  server.replies = [answer(item(1, 409), item(2, 200), item(1, 200)) as Reply];
  expect(await failure(sinkOf([server.url]).send(part, never))).toMatchObject({ code: 'BAD_ANSWER' });
});

test('a row of tasks that does not say what it is of is refused, and alone', async () => {
  const part = partOf([taskRow(1, 1), taskRow(2, 1, { task_key: 'f12abc' })], { table: 'tasks' });
  server = await startFaultyServer({ status: 200, body: { took: 1, errors: false, items: [] } });
  expect(await failure(sinkOf([server.url]).send(part, never))).toMatchObject({ failure: 'split', code: 'NO_KEY' });
  expect(server.received).toEqual([]);
});

test('numbers stay right where they get wider, across records, and past settled rows', () => {
  const one = partOf(rows(1_203), { seq: 9 });
  const two = partOf(rows(3), { seq: 10 });
  const base = { ...two.slices[0]!, base: 99_998 };
  const settled = new Uint8Array(1_206);
  settled[5] = 1;
  const part: Part = { ...one, slices: [...one.slices, base], count: 1_206, settled };
  const { text, end } = encode(part);
  expect(end).toBe(1_206);
  const lines = text.trimEnd().split('\n');
  const expected: [string, number][] = [];
  for (let i = 0; i < 1_203; i++) if (i !== 5) expected.push([`spool0-epoch0-9-${i}`, i]);
  for (const i of [99_998, 99_999, 100_000]) expected.push([`spool0-epoch0-10-${i}`, i]);
  const found = expected.map((_, place) => {
    const { create } = JSON.parse(lines[place * 2]!) as { create: { _id: string } };
    return [create._id, (JSON.parse(lines[place * 2 + 1]!) as { _i: number })._i];
  });
  expect(found).toEqual(expected);
  expect(lines).toHaveLength(expected.length * 2);
  expect(sentRows(part, 0, 1_206).map(({ id }) => id)).toEqual(expected.map(([id]) => id));
});

test('no body is larger than allowed, but for a single row that is, and together they hold every row once', async () => {
  const huge = stepRow({ step_raw: 'x'.repeat(5_000) });
  const part = partOf([...rows(10), huge, ...rows(10)]);
  server = await startFaultyServer((response, { body }) => {
    const items = body.split('\n').filter((line) => line.startsWith('{"create"'));
    const all = items.map((line) => ({ create: { ...(JSON.parse(line) as { create: object }).create, status: 429 } }));
    response.end(JSON.stringify({ took: 1, errors: true, items: all }));
  });
  const outcome = await sinkOf([server.url], { max_body_bytes: 2_000 }).send(part, never);
  expect(outcome.again).toEqual([...Array(21).keys()]);
  const sizes = server.received.map(({ body }) => Buffer.byteLength(body));
  expect(sizes.filter((size) => size > 2_000)).toHaveLength(1);
  expect(sizes.length).toBeGreaterThan(5);
  const ids = server.received.flatMap(({ body }) => body.match(/"_id":"[^"]+"/g));
  expect(new Set(ids).size).toBe(21);
  expect(ids).toHaveLength(21);
});

test('a body that is too large for a proxy is halved for all that come after it', async () => {
  server = await startFaultyServer((response, { body }) => {
    response.statusCode = Buffer.byteLength(body) > 4_000 ? 413 : 200;
    response.end(response.statusCode === 413 ? '<html>' : '{"took":1,"errors":false,"items":[]}');
  });
  const sink = sinkOf([server.url]);
  const part = partOf(rows(30));
  for (let tries = 0; tries < 5; tries++) {
    const outcome = await sink.send(part, never).catch((error: unknown) => error);
    if (!(outcome instanceof Error)) break;
    expect(outcome).toMatchObject({ failure: 'split', code: 'HTTP 413' });
  }
  server.received.length = 0;
  expect(await sink.send(part, never)).toEqual({ rejected: [], again: [] });
  expect(server.received.length).toBeGreaterThan(3);
});

test('when a later body fails the whole part goes again, and what was stored before is not counted as refused', async () => {
  const stored = { status: 200, body: '{"took":1,"errors":false,"items":[]}' };
  server = await startFaultyServer(stored, { status: 503 }, bulkAnswer({ status: 409 }), stored);
  const sink = sinkOf([server.url], { max_body_bytes: 1_000 });
  const bodies = partOf([stepRow({ step_raw: 'x'.repeat(900) }), stepRow({ step_raw: 'y'.repeat(900) })]);
  expect(await failure(sink.send(bodies, never))).toMatchObject({ failure: 'retry', code: 'HTTP 503' });
  expect(await sink.send(bodies, never)).toEqual({ rejected: [], again: [] });
  expect(server.received).toHaveLength(4);
  expect(server.received[2]?.body).toBe(server.received[0]?.body);
});

test('a row whose objects cannot be indexed keeps every byte of them under names that are not', () => {
  const row = String.raw`{"ts":"x","message":"a,\"attributes\":{","params":{"n":12345678901234567890,"attributes":{"a":1.0}},"attributes":{"{":"}\\"}}`;
  expect(withoutIndex(row)).toBe(
    `${row.replace('"params":{"n', '"params_unindexed":{"n').replace('"attributes":{"{"', '"attributes_unindexed":{"{"')}\n`,
  );
  expect(withoutIndex('{"ts":"x","step":"y"}')).toBe(undefined);
  expect(withoutIndex('{"ts":"x","attributes":{"a":"b"},"step":')).toBe(undefined);
});
