import { Ajv } from 'ajv';
import { expect, test, vi } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { EVENT_TABLES, fieldsOf } from '../../../src/fields.ts';
import { createStatements, createTable } from '../../../src/sinks/clickhouse/ddl.ts';
import {
  CLICKHOUSE_DEFAULTS,
  clickhouseOptions,
  createClickHouseSink,
  EMBEDDED_UNAVAILABLE,
  fromEnvironment,
} from '../../../src/sinks/clickhouse/index.ts';
import type { ClickHouseOptions } from '../../../src/sinks/clickhouse/index.ts';

const context = { clock: systemClock, log: () => undefined };

test('the defaults in the schema are the defaults', () => {
  const options = {};
  expect(new Ajv({ useDefaults: true }).validate(clickhouseOptions, options)).toBe(true);
  expect(options).toEqual(CLICKHOUSE_DEFAULTS);
  for (const property of Object.values(clickhouseOptions.properties)) expect(property.description).toMatch(/\.$/);
});

test("flytekit's own variables are understood as flytekit understands them", () => {
  const url = 'https://host:8443';
  const on = { FLYTE_TELEMETRY_CLICKHOUSE_URL: url };
  expect(fromEnvironment({})).toBeUndefined();
  expect(fromEnvironment({ FLYTE_TELEMETRY_CLICKHOUSE_URL: '' })).toBeUndefined();
  expect(fromEnvironment(on)).toEqual({ ...CLICKHOUSE_DEFAULTS, urls: [url] });
  for (const enabled of ['1', 't', 'T', 'true', 'True', 'TRUE']) {
    expect(fromEnvironment({ ...on, FLYTE_TELEMETRY_ENABLED: enabled })).toBeDefined();
  }
  for (const enabled of ['0', '', 'yes', 'false', 'on', ' 1']) {
    expect(fromEnvironment({ ...on, FLYTE_TELEMETRY_ENABLED: enabled })).toBeUndefined();
  }
  const all = { USER: 'u', PASSWORD: 'p', DATABASE: 'd', TABLE: 'flytekit_telemetry' };
  const given = Object.fromEntries(
    Object.entries(all).map(([name, value]) => [`FLYTE_TELEMETRY_CLICKHOUSE_${name}`, value]),
  );
  expect(fromEnvironment({ ...on, ...given })).toMatchObject({
    user: 'u',
    password: 'p',
    database: 'd',
    table: 'flytekit_telemetry',
  });
});

test('options that make no sense are refused before anything starts, without their secrets', () => {
  const refused: Partial<ClickHouseOptions>[] = [
    {},
    { urls: ['http://a'], path: '/x' },
    { urls: ['http://user:secret@:99999/'] },
    { urls: ['ftp://user:secret@a/'] },
    { urls: ['http://a'], database: 'a`b' },
    { urls: ['http://a'], table: "a'; DROP TABLE b" },
    { urls: ['http://a'], cluster: "a'b" },
  ];
  for (const options of refused) {
    const create = (): unknown => createClickHouseSink({ ...CLICKHOUSE_DEFAULTS, ...options }, context);
    expect(create).toThrow(Error);
    expect(create).not.toThrow('secret');
  }
});

test('every field of a table is a column, in the order of the fields, with the identity behind', () => {
  for (const table of EVENT_TABLES) {
    const columns = [...createTable({ database: 'd' }, table).matchAll(/^ {2}`(\w+)` /gm)].map((match) => match[1]);
    expect(columns).toEqual([...fieldsOf(table).map((field) => field.name), '_day', '_src', '_seq', '_i']);
  }
});

test('on a cluster the tables are replicated and remember a week of tokens', () => {
  const statements = createStatements({ database: 'd', cluster: '{cluster}' });
  for (const statement of statements) expect(statement).toContain(" ON CLUSTER '{cluster}'");
  for (const statement of statements.slice(1, 4)) {
    expect(statement).toContain('ENGINE = ReplicatedMergeTree\n');
    expect(statement).toContain(
      'replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800',
    );
    expect(statement).not.toContain('non_replicated');
  }
});

test('the embedded engine without its package holds with a code of its own, and says what to install', async () => {
  vi.doMock('chdb/connection', () => {
    throw Object.assign(new Error("Cannot find package 'chdb'"), { code: 'ERR_MODULE_NOT_FOUND' });
  });
  const sink = createClickHouseSink({ ...CLICKHOUSE_DEFAULTS, path: '/nowhere' }, context);
  await expect(sink.open(new AbortController().signal)).rejects.toMatchObject({
    failure: 'hold',
    code: EMBEDDED_UNAVAILABLE,
    message: expect.stringContaining('npm install chdb') as string,
  });
  await sink.close();
});
