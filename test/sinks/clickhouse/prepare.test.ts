import { expect, test } from 'vitest';
import { fieldsOf } from '../../../src/fields.ts';
import type { Log } from '../../../src/log.ts';
import { compare, type Existing } from '../../../src/sinks/clickhouse/compare.ts';
import { columnsOf } from '../../../src/sinks/clickhouse/ddl.ts';
import { CLICKHOUSE_DEFAULTS } from '../../../src/sinks/clickhouse/index.ts';
import { prepare } from '../../../src/sinks/clickhouse/prepare.ts';
import { SinkError } from '../../../src/sinks/sink.ts';

const OPTIONS = { ...CLICKHOUSE_DEFAULTS, urls: ['http://ch:8123'], database: 'd' };
const TARGET = { database: 'd' };

/** A server that answers what `answers` says to a question that begins so, and nothing to others. */
function serverOf(answers: Record<string, string | SinkError>): {
  run: (query: string) => Promise<string>;
  ran: string[];
} {
  const ran: string[] = [];
  const run = async (query: string): Promise<string> => {
    ran.push(query.split('\n')[0]!);
    const answer = Object.entries(answers).find(([start]) => query.startsWith(start))?.[1] ?? '';
    if (answer instanceof SinkError) throw answer;
    return answer;
  };
  return { run, ran };
}

const quiet: Log = () => undefined;

const SERVER = {
  'SELECT version()': '26.7.2.1\n',
  'SELECT name FROM system.settings': 'async_insert\ninsert_deduplication_token\n',
};
const denied = (what: string): SinkError => new SinkError('hold', '497', `ClickHouse at x: 497: may not ${what}`);

test('a user who may not make tables is told which statements somebody else has to run', async () => {
  const { run } = serverOf({ ...SERVER, 'SELECT name FROM system.databases': 'd\n', 'CREATE TABLE': denied('create') });
  const error = (await prepare(run, OPTIONS, quiet).catch((reason: unknown) => reason)) as SinkError;
  expect(error).toMatchObject({ failure: 'hold', code: '497' });
  expect(error.message).toContain(
    'may not create; let steptap make what it needs, or run:\nCREATE TABLE IF NOT EXISTS `d`.`steps`',
  );
  expect(error.message).toContain('CREATE TABLE IF NOT EXISTS `d`.`events`');
});

test('a view that may not be made stops nothing', async () => {
  const { run, ran } = serverOf({
    ...SERVER,
    'SELECT name FROM system.databases': 'd\n',
    'CREATE VIEW': denied('create'),
  });
  const told: string[] = [];
  const log: Log = (severity, message) => void told.push(`${severity}: ${message}`);
  expect(await prepare(run, OPTIONS, log)).toEqual({
    version: '26.7.2.1',
    settings: { async_insert: 0 },
    asking: { wait_end_of_query: 1 },
  });
  expect(told.at(-1)).toContain('warning: the view flytekit_telemetry was not made');
  expect(
    ran.filter((query) => query.startsWith('CREATE')).map((query) => query.split(' ').slice(0, 6).join(' ')),
  ).toEqual([
    'CREATE TABLE IF NOT EXISTS `d`.`steps`',
    'CREATE TABLE IF NOT EXISTS `d`.`logs`',
    'CREATE TABLE IF NOT EXISTS `d`.`events`',
    'CREATE TABLE IF NOT EXISTS `d`.`resources`',
    'CREATE TABLE IF NOT EXISTS `d`.`tasks`',
    'CREATE VIEW IF NOT EXISTS `d`.`flytekit_telemetry`',
  ]);
});

test('a server that goes away while tables are made is tried again, not held', async () => {
  const gone = new SinkError('retry', 'ECONNRESET', 'gone', { in_doubt: true });
  const { run } = serverOf({ ...SERVER, 'CREATE DATABASE': gone });
  await expect(prepare(run, OPTIONS, quiet)).rejects.toBe(gone);
});

test('a server without deduplication tokens holds', async () => {
  const { run } = serverOf({ ...SERVER, 'SELECT name FROM system.settings': 'max_insert_block_size\n' });
  await expect(prepare(run, OPTIONS, quiet)).rejects.toMatchObject({ failure: 'hold', code: 'version' });
});

function existing(fields: Partial<Existing>): Existing {
  const columns = columnsOf('logs').map((column) => column.name);
  return { engine: 'MergeTree', partition_key: '_day', engine_full: 'MergeTree', columns, ...fields };
}

test('replicated tables need no window of ours, unless somebody turned theirs off', () => {
  const fine = { statements: [], unfit: [] };
  const off = 'ReplicatedMergeTree SETTINGS replicated_deduplication_window = 0';
  const week = 'MergeTree SETTINGS non_replicated_deduplication_window = 100, index_granularity = 8192';
  expect(compare(TARGET, 'logs', existing({ engine: 'ReplicatedMergeTree' }))).toEqual(fine);
  expect(compare(TARGET, 'logs', existing({ engine: 'SharedMergeTree' }))).toEqual(fine);
  expect(compare(TARGET, 'logs', existing({ engine_full: week }))).toEqual(fine);
  expect(compare(TARGET, 'logs', existing({ engine: 'ReplicatedMergeTree', engine_full: off })).statements).toEqual([
    'ALTER TABLE `d`.`logs` MODIFY SETTING replicated_deduplication_window = 10000',
  ]);
  for (const engine_full of ['MergeTree', 'MergeTree SETTINGS non_replicated_deduplication_window = 0']) {
    expect(compare(TARGET, 'logs', existing({ engine_full })).statements).toEqual([
      'ALTER TABLE `d`.`logs` MODIFY SETTING non_replicated_deduplication_window = 10000',
    ]);
  }
  expect(compare(TARGET, 'logs', existing({ engine: 'ReplicatedReplacingMergeTree' })).unfit).toHaveLength(1);
});

test('tables of tasks may be replicated, shared and in other words, if they keep the highest version of a key', () => {
  const columns = columnsOf('tasks').map((column) => column.name);
  const place = "'/clickhouse/tables/{uuid}/{shard}', '{replica}'";
  const unfit = (engine: string, engine_full: string): number =>
    compare(TARGET, 'tasks', existing({ engine, engine_full, columns })).unfit.length;
  const rest = 'PARTITION BY _day ORDER BY task_key SETTINGS index_granularity = 8192';
  expect(unfit('ReplacingMergeTree', `ReplacingMergeTree(version) ${rest}`)).toBe(0);
  expect(unfit('ReplacingMergeTree', 'ReplacingMergeTree(`version`) PARTITION BY _day ORDER BY (`task_key`)')).toBe(0);
  for (const engine of ['ReplicatedReplacingMergeTree', 'SharedReplacingMergeTree']) {
    expect(unfit(engine, `${engine}(${place}, version) ${rest}`)).toBe(0);
    expect(unfit(engine, `${engine}(${place}) ${rest}`)).toBe(1);
  }
  expect(unfit('ReplacingMergeTree', `ReplacingMergeTree(version, is_deleted) ${rest}`)).toBe(1);
  expect(unfit('ReplacingMergeTree', 'ReplacingMergeTree(version) PARTITION BY _day ORDER BY task_key_other')).toBe(1);
  expect(unfit('CollapsingMergeTree', `CollapsingMergeTree(version) ${rest}`)).toBe(1);
});

test('every column that a table lacks is added behind the one that it follows', () => {
  const { statements } = compare({ ...TARGET, cluster: 'c' }, 'logs', existing({ columns: ['own'] }));
  expect(statements).toHaveLength(2);
  const columns = statements[0]!.split(', ADD COLUMN IF NOT EXISTS ');
  expect(columns).toHaveLength(fieldsOf('logs').length + 4);
  expect(columns[0]).toMatch(
    /^ALTER TABLE `d`\.`logs` ON CLUSTER 'c' ADD COLUMN IF NOT EXISTS `ts` DateTime64.* FIRST$/,
  );
  expect(columns[1]).toMatch(/^`dialect` LowCardinality\(String\) AFTER `ts`$/);
});
