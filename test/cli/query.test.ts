import { lstat, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { EVENT_TABLES } from '../../src/fields.ts';
import { startClickHouse } from '../support/clickhouse-server.ts';
import { Home, line, lines } from './parts.ts';

const home = new Home();
const NONE = ['--metrics', 'none'];
const COUNT = 'SELECT count() AS n, uniqExact(_src, _seq, _i) AS different FROM steps';

const query = (sql: string, ...more: string[]): ReturnType<Home['start']>['ended'] =>
  home.start(['query', sql, ...more], { input: '' }).ended;

test('the embedded store can be asked while a run writes to it, and after it', async () => {
  const run = home.start(NONE);
  await run.said(/^clickhouse is ready: ClickHouse [\d.]+ embedded in steptap-data\/clickhouse/);
  const socket = await lstat(join(home.path, 'steptap-data', 'query.sock'));
  expect([socket.isSocket(), socket.mode & 0o777]).toEqual([true, 0o600]);
  await run.write(lines(10));
  let during = '';
  while (!during.startsWith('n\tdifferent\n10\t10')) during = (await query(COUNT)).stdout;
  // Several at once, in the run's own process.
  const answers = await Promise.all([1, 2, 3].map((n) => query(`SELECT ${n}`)));
  expect(answers.map(({ stdout }) => stdout)).toEqual(['1\n1\n', '2\n2\n', '3\n3\n']);
  const wrong = await query('SELECT nothing FROM steps');
  expect([wrong.code, wrong.stdout]).toEqual([2, '']);
  expect(wrong.stderr).toMatch(/^steptap: the query failed: .*nothing/);
  await run.write(line('later'));
  run.end();
  const { code, stderr } = await run.ended;
  expect([code, stderr.includes('"level":"error"')]).toEqual([0, false]);

  const after = await query(COUNT, '--format', 'JSONEachRow');
  expect([after.code, after.stderr]).toEqual([0, '']);
  expect(JSON.parse(after.stdout.replaceAll('"', '').replace(/\{n:(\d+),different:(\d+)\}/, '[$1,$2]'))).toEqual([
    11, 11,
  ]);
  const own = await query('SELECT DISTINCT project FROM steps FORMAT CSV;');
  expect([own.code, own.stdout]).toEqual([0, '"p"\n']);
  const failed = await query('SELEC 1');
  expect([failed.code, failed.stdout]).toEqual([2, '']);
  expect(failed.stderr).toMatch(/^steptap: the query failed: Syntax error/);
  const format = await query('SELECT 1', '--format', 'CSV; DROP TABLE steps');
  expect([format.code, format.stderr]).toEqual([
    2,
    'steptap: --format CSV; DROP TABLE steps: not the name of a format\n',
  ]);
}, 120_000);

test('a second run adds to what the first has stored, though its state has a long name', async () => {
  const state = join('a'.repeat(60), 'b'.repeat(60));
  await mkdir(join(home.path, state), { recursive: true });
  for (const name of ['one', 'two']) {
    const run = home.start(['--state', state, ...NONE], { input: lines(3, name) });
    expect((await run.ended).code).toBe(0);
  }
  const { stdout } = await query(COUNT, '--state', state);
  expect(stdout).toBe('n\tdifferent\n6\t6\n');
}, 120_000);

test('ddl prints statements that a ClickHouse takes, and --apply runs them', async () => {
  const printed = await home.start(['ddl', '--database', 'telemetry'], { input: '' }).ended;
  expect(printed.code).toBe(0);
  const statements = printed.stdout.split(/;\n/).filter((statement) => statement.trim() !== '');
  expect(statements.map((statement) => statement.trim().split('\n')[0])).toEqual([
    'CREATE DATABASE IF NOT EXISTS `telemetry`',
    ...EVENT_TABLES.map((table) => `CREATE TABLE IF NOT EXISTS \`telemetry\`.\`${table}\` (`),
    expect.stringContaining('VIEW'),
  ]);
  const cluster = await home.start(['ddl', '--cluster', '{cluster}'], { input: '' }).ended;
  expect(cluster.stdout).toContain("ON CLUSTER '{cluster}'");
  expect(cluster.stdout).toContain('ENGINE = ReplicatedMergeTree');
  expect(cluster.stdout).toContain('ENGINE = ReplicatedReplacingMergeTree(version)');

  const clickhouse = await startClickHouse();
  try {
    for (const statement of statements) await clickhouse.query(statement);
    const apply = ['ddl', '--apply', '--clickhouse', clickhouse.url, '--database', 'other'];
    const applied = await home.start(apply, { input: '' }).ended;
    expect([applied.code, applied.stdout]).toMatchObject([
      0,
      expect.stringMatching(/^the tables are as they should be: ClickHouse/),
    ]);
    expect(await clickhouse.query('SHOW TABLES FROM other')).toBe(await clickhouse.query('SHOW TABLES FROM telemetry'));
  } finally {
    await clickhouse.stop();
  }
  const nowhere = await home.start(['ddl', '--apply'], { input: '' }).ended;
  expect([nowhere.code, nowhere.stderr]).toEqual([
    2,
    'steptap: --apply: name the server with --clickhouse URL or FLYTE_TELEMETRY_CLICKHOUSE_URL\n',
  ]);
}, 120_000);
