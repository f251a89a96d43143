import { Readable } from 'node:stream';
import { createClient, type ClickHouseClient } from '@clickhouse/client';
import { afterEach, expect, test } from 'vitest';
import { row, start, type Started } from './parts.ts';

const clients: ClickHouseClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});

type Options = Parameters<typeof createClient>[0];

/** As anybody makes one; it says nothing of errors but by throwing them. */
function clientOf({ url }: Started, options: Options = {}): ClickHouseClient {
  const client = createClient({ url, ...options, log: { level: 127 } });
  clients.push(client);
  return client;
}

const values = (...steps: string[]): unknown[] => steps.map((step) => JSON.parse(row(step)) as unknown);
const steps = ({ spool }: Started): unknown[] => spool.rows('steps').map(({ step_raw }) => step_raw);

test('@clickhouse/client inserts arrays and streams, with and without gzip, over one connection', async () => {
  const source = await start();
  const client = clientOf(source, { max_open_connections: 1 });
  const packing = clientOf(source, { compression: { request: true }, application: 'a b' });
  const table = 'flytekit_telemetry';
  const first = await client.insert({ table, values: values('array 1', 'array 2'), format: 'JSONEachRow' });
  expect(first).toMatchObject({ executed: true, summary: { written_rows: '2' }, http_status_code: 200 });
  await client.insert({ table, values: Readable.from(values('stream 1', 'stream 2')), format: 'JSONEachRow' });
  await packing.insert({ table, values: values('packed'), format: 'JSONEachRow', columns: ['event', 'step'] });
  await packing.insert({ table, values: Readable.from(values('packed stream')), format: 'JSONEachRow' });
  expect(steps(source)).toEqual(['array 1', 'array 2', 'stream 1', 'stream 2', 'packed', 'packed stream']);
});

test('its questions whether somebody is there are answered, and a wrong password is told by the one that sends it', async () => {
  const source = await start({ username: 'flyte', password: 'right' });
  const right = clientOf(source, { username: 'flyte', password: 'right', database: 'telemetry' });
  const wrong = clientOf(source, { username: 'flyte', password: 'wrong' });
  expect(await right.ping()).toEqual({ success: true });
  expect(await right.ping({ select: true })).toEqual({ success: true });
  expect(await wrong.ping()).toEqual({ success: true });
  expect(await wrong.ping({ select: true })).toMatchObject({ success: false, error: { code: '516' } });
  await right.insert({ table: 't', values: values('let in'), format: 'JSONEachRow' });
  expect(steps(source)).toEqual(['let in']);
});

test('its errors have code and type, and what to do', async () => {
  const source = await start({ tables: ['telemetry.steps'] });
  const client = clientOf(source, { database: 'telemetry' });
  await client.insert({ table: 'steps', values: values('taken'), format: 'JSONEachRow' });
  const into = (table: string, format: 'JSONEachRow' | 'JSONCompactEachRow'): Promise<unknown> =>
    client.insert({ table, values: values('not taken'), format });
  await expect(into('others', 'JSONEachRow')).rejects.toMatchObject({ code: '60', type: 'UNKNOWN_TABLE' });
  await expect(into('steps', 'JSONCompactEachRow')).rejects.toMatchObject({ code: '73', type: 'UNKNOWN_FORMAT' });
  const asked = client.query({ query: 'SELECT count() FROM steps' });
  await expect(asked).rejects.toThrow(/ask the ClickHouse that it stores in/);
  expect(steps(source)).toEqual(['taken']);
});

test('an insert that it repeats is stored once, by its token or by its bytes', async () => {
  const source = await start();
  const client = clientOf(source);
  const insert = (step: string, settings = {}): Promise<unknown> =>
    client.insert({ table: 't', values: values(step), format: 'JSONEachRow', clickhouse_settings: settings });
  for (const step of ['bytes', 'bytes']) await insert(step);
  for (const step of ['token', 'another']) await insert(step, { insert_deduplication_token: 'batch-1' });
  expect(steps(source)).toEqual(['bytes', 'token']);
});
