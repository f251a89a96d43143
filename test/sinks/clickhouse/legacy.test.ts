import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { CLICKHOUSE_DEFAULTS, createClickHouseSink } from '../../../src/sinks/clickhouse/index.ts';
import type { ClickHouseOptions } from '../../../src/sinks/clickhouse/index.ts';
import { writeLegacyRows } from '../../../src/sinks/clickhouse/legacy.ts';
import { Body } from '../../../src/sinks/identity.ts';
import type { Sink } from '../../../src/sinks/sink.ts';
import { startClickHouse, type ClickHouseServer } from '../../support/clickhouse-server.ts';
import { partOf, stepRow, type RowObject } from '../../support/rows.ts';

const never = new AbortController().signal;
const log = (): void => undefined;
let server: ClickHouseServer;

beforeAll(async () => {
  server = await startClickHouse();
});

afterAll(async () => {
  await server?.stop();
});

function sinkOf(options: Partial<ClickHouseOptions>): Sink {
  const table = 'flytekit_telemetry';
  return createClickHouseSink(
    { ...CLICKHOUSE_DEFAULTS, urls: [server.url], table, ...options },
    { clock: systemClock, log },
  );
}

function legacyRows(rows: RowObject[]): string {
  const body = new Body(16);
  writeLegacyRows(partOf(rows), body);
  return body.view().toString('utf8');
}

test('a row is written as flytekit itself writes it', () => {
  const params = { epochs: '3', lr: '0.01', ds: '"s3://data/x.parquet"' };
  const row = stepRow({ step_raw: 'Ünïcode 🚀', params, pod: 'p', attributes: { a: 'b' } });
  expect(JSON.parse(legacyRows([row]))).toEqual({
    event: 'flytekit_step',
    step: 'Ünïcode 🚀',
    wall_time_s: 1.234,
    process_time_s: 0.89,
    status: 'success',
    execution_id: 'f12abc',
    task_name: 'workflows.train.fit',
    project: 'ml',
    domain: 'production',
    timestamp: '2026-02-19 10:31:12.640',
    params: JSON.stringify(params),
  });
});

test('absent fields are left out, and the project and domain are those of the registration', () => {
  const rows = legacyRows([
    { ts: '2026-02-19T10:31:12.640999Z', event: 'flytekit_step' },
    stepRow({ task_project: 'shared', task_domain: 'staging', error_type: 'ValueError', status: 'error' }),
  ]).split('\n');
  expect(rows[0]).toBe('{"event":"flytekit_step","timestamp":"2026-02-19 10:31:12.640"}');
  expect(JSON.parse(rows[1]!)).toMatchObject({ project: 'shared', domain: 'staging', error_type: 'ValueError' });
});

test("steps go into a table that flytekit's users made, and nothing else does", async () => {
  await server.query(
    `CREATE TABLE flytekit_telemetry (event String, step String, wall_time_s Float64, process_time_s Float64, status String,
     error_type Nullable(String), execution_id String, task_name String, project String, domain String,
     timestamp DateTime64(3), params String) ENGINE = MergeTree ORDER BY timestamp`,
  );
  const sink = sinkOf({});
  await sink.open(never);
  expect([...sink.tables]).toEqual(['steps']);
  expect(sink.describe()).toMatch(/steps at least once into default\.flytekit_telemetry$/);
  await sink.send(partOf([stepRow({ params: { x: '"5"' } })]), never);
  expect(JSON.parse(await server.query('SELECT * FROM flytekit_telemetry FORMAT JSONEachRow'))).toEqual({
    event: 'flytekit_step',
    step: 'Execute user level code',
    wall_time_s: 1.234,
    process_time_s: 0.89,
    status: 'success',
    error_type: null,
    execution_id: 'f12abc',
    task_name: 'workflows.train.fit',
    project: 'ml',
    domain: 'production',
    timestamp: '2026-02-19 10:31:12.640',
    params: '{"x":"\\"5\\""}',
  });
  await sink.close();
});

test('a table of fewer columns and whole seconds is written to as well', async () => {
  await server.query(
    'CREATE TABLE small (step String, wall_time_s Float32, timestamp DateTime) ENGINE = MergeTree ORDER BY step',
  );
  const sink = sinkOf({ table: 'small', create: 'never' });
  await sink.open(never);
  await sink.send(partOf([stepRow()]), never);
  expect(await server.query('SELECT step, timestamp FROM small FORMAT TSV')).toBe(
    'Execute user level code\t2026-02-19 10:31:12\n',
  );
  await sink.close();
});

test('a table that is missing is made, or asked for', async () => {
  const asking = sinkOf({ database: 'legacy', create: 'never' });
  await server.query('CREATE DATABASE legacy');
  await expect(asking.open(never)).rejects.toMatchObject({
    failure: 'hold',
    message: expect.stringContaining('CREATE TABLE IF NOT EXISTS') as string,
  });
  const making = sinkOf({ database: 'legacy' });
  await making.open(never);
  await making.send(partOf([stepRow()]), never);
  await asking.open(never);
  expect(await server.query('SELECT count() FROM legacy.flytekit_telemetry FORMAT TSV')).toBe('1\n');
});

test('the view of the same name cannot be written to, and steptap says so', async () => {
  const { table: _, ...own } = { ...CLICKHOUSE_DEFAULTS, urls: [server.url], database: 'viewed', table: undefined };
  const sink = createClickHouseSink(own, { clock: systemClock, log });
  await sink.open(never);
  await expect(sinkOf({ database: 'viewed' }).open(never)).rejects.toMatchObject({
    failure: 'hold',
    message: expect.stringContaining('is a view') as string,
  });
  await sink.close();
});
