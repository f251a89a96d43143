import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startElasticsearchBench } from '../contract/elasticsearch-bench.ts';
import { Home, line, lines } from './parts.ts';

const home = new Home();
const NONE = ['--metrics', 'none'];
const THERE = 'in steptap-data/dead-letters, with the reason; steptap dead-letters ls shows them';
/** Rows go to NDJSON files. */
const FILES = { env: { NODE_OPTIONS: `--import=${new URL('./without-chdb.mjs', import.meta.url).href}` } };

test('what comes in through a pipe is stored, and the program ends with 0', async () => {
  const { server, backend } = await home.clickhouse();
  const input = `${lines(500)}just words\n`;
  const { code, stdout, log } = await home.start(['--clickhouse', server.url, ...NONE], { input }).ended;
  expect(code).toBe(0);
  expect(stdout).toBe('');
  expect(backend.rows.filter(({ table }) => table === 'steps')).toHaveLength(500);
  expect(backend.rows.filter(({ table }) => table === 'logs')).toHaveLength(1);
  expect(log[0]).toMatchObject({
    level: 'info',
    message: 'reading stdin; storing in clickhouse',
    state: './steptap-data',
  });
  expect(log.at(-1)).toMatchObject({ level: 'info', message: 'stopped' });
  expect(log.filter(({ message }) => message.includes('dead letter'))).toEqual([]);
  for (const entry of log) expect(entry).toMatchObject({ logger: 'steptap', time: expect.stringMatching(/Z$/) });
});

test('several inputs are read one after the other, standard input among them, into several stores', async () => {
  const { server, backend } = await home.clickhouse();
  const search = await startElasticsearchBench();
  await writeFile(join(home.path, 'a.log'), lines(3, 'a'));
  await writeFile(join(home.path, 'b.log'), lines(3, 'b').trimEnd());
  const inputs = ['--input', 'a.log', '--input', '-', '--input', 'b.log'];
  const stores = ['--clickhouse', server.url, '--elasticsearch', search.server.url];
  const { code } = await home.start([...inputs, ...stores, ...NONE], { input: lines(2, 'pipe') }).ended;
  await search.stop();
  expect(code).toBe(0);
  const raws = backend.rows.map(({ raw }) => raw);
  expect(raws).toEqual(['a 0', 'a 1', 'a 2', 'pipe 0', 'pipe 1', 'b 0', 'b 1', 'b 2']);
  expect(search.backend.documents.size).toBe(8);
});

test('without the embedded store, rows go to NDJSON files, with one line of warning', async () => {
  const { code, log } = await home.start(NONE, { input: `${lines(2)}words\n`, ...FILES }).ended;
  expect(code).toBe(0);
  expect(log.filter(({ level }) => level !== 'info')).toMatchObject([
    {
      level: 'warning',
      message:
        'the embedded store is not installed: rows go to NDJSON files in steptap-data/ndjson; npm install chdb@3.4.0 gets it',
    },
  ]);
  const rows = await home.rows('steptap-data', 'ndjson');
  expect(rows.map(({ message, step_raw }) => step_raw ?? message)).toEqual(['words', 'row 0', 'row 1']);
  expect(rows[0]).toMatchObject({ _seq: 1, kind: 'log' });
  expect((await stat(join(home.path, 'steptap-data'))).mode & 0o777).toBe(0o700);
  const { code: none, stderr } = await home.start(['query', 'SELECT 1'], { input: '', ...FILES }).ended;
  expect([none, stderr]).toEqual([
    2,
    'steptap: --state ./steptap-data: there is no embedded store; a run without --clickhouse makes one\n',
  ]);
});

test('--logs none keeps ordinary lines out, --set puts constants on every row, --timezone reads times that name none', async () => {
  const constants = ['--set', 'namespace=ml', '--set', 'pod=${env:POD}', '--set', 'project=mine'];
  const args = ['--logs', 'none', ...constants, '--timezone', '+02:00', ...NONE];
  const env = { ...FILES.env, POD: 'pod-7' };
  const { code } = await home.start(args, { input: `${line('only')}words\nmore words\n`, env }).ended;
  expect(code).toBe(0);
  expect(await home.rows('steptap-data', 'ndjson')).toMatchObject([
    { step_raw: 'only', namespace: 'ml', pod: 'pod-7', project: 'mine', ts: '2026-02-19T08:30:44.025000Z' },
  ]);
});

test('a line that claims to be a step and is broken is in the dead letters, with the reason and its bytes', async () => {
  const broken = line('bad').replace('"wall_time_s": 1.5', '"wall_time_s": "long"');
  const input = `${line('good')}${broken}${line('fine')}`;
  const { code, log } = await home.start(NONE, { input, ...FILES }).ended;
  expect(code).toBe(0);
  expect(log.slice(-2)).toMatchObject([
    { level: 'warning', message: `1 dead letter is ${THERE}`, dead_letters: 1 },
    { level: 'info', message: 'stopped', sinks: { files: { stored: 2 }, 'dead-letters': { stored: 1 } } },
  ]);
  const [letter, ...more] = await home.rows('steptap-data', 'dead-letters');
  expect(more).toEqual([]);
  expect(letter).toMatchObject({
    reason: 'schema',
    source: 'stdin',
    offset: line('good').length,
    lines: 1,
    dialect: 'flytekit',
  });
  expect(letter?.['raw']).toBe(broken.trimEnd());
  expect(letter?.['detail']).toContain('wall_time_s');
  const path = join(home.path, 'steptap-data', 'dead-letters', 'rejections-000001.ndjson');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test('a row that the store refuses is in the dead letters too, its neighbours are not, and the run is a success', async () => {
  const { server, backend } = await home.clickhouse();
  backend.poison = 'poison';
  const input = lines(20) + line('poison') + lines(20) + line('poison');
  const { code, log } = await home.start(['--clickhouse', server.url, ...NONE], { input }).ended;
  expect(code).toBe(0);
  expect(backend.rows).toHaveLength(40);
  const refused = { reason: 'sink', sink: 'clickhouse', code: '27', table: 'steps' };
  expect(await home.rows('steptap-data', 'dead-letters')).toMatchObject([
    { ...refused, row: expect.stringMatching(/-1-20$/) },
    { ...refused, row: expect.stringMatching(/-1-41$/) },
  ]);
  expect(log.slice(-2)).toMatchObject([
    { level: 'warning', message: `2 dead letters are ${THERE}`, dead_letters: 2 },
    {
      level: 'info',
      message: 'stopped',
      sinks: { clickhouse: { accepted: 42, stored: 40, dead_lettered: 2, lost: 0, dropped: 0, pending: 0 } },
    },
  ]);
});

test('metrics and readiness are served while the run lasts', async () => {
  const { server } = await home.clickhouse();
  const cli = home.start(['--metrics', '127.0.0.1:0', '--clickhouse', server.url]);
  const { metrics } = await cli.said(/^reading stdin/);
  await cli.write(lines(10));
  await cli.said(/^clickhouse is ready/);
  const url = String(metrics);
  let text = '';
  while (!text.includes('steptap_sink_stored_rows_total{sink="clickhouse"} 10')) text = await (await fetch(url)).text();
  expect(text).toContain('steptap_sink_accepted_rows_total{sink="clickhouse"} 10');
  expect(text).toContain('steptap_sink_pending_rows{sink="clickhouse"} 0');
  expect(text).toContain('steptap_read_lines_total{source="stdin"} 10');
  const ready = await fetch(url.replace('/metrics', '/readyz'));
  expect([ready.status, await ready.json()]).toMatchObject([
    200,
    { ready: true, sinks: { clickhouse: { state: 'running' } } },
  ]);
  cli.end();
  expect((await cli.ended).code).toBe(0);
  await expect(fetch(url)).rejects.toThrow('fetch failed');
});

test('--metrics by name does not switch storage off', async () => {
  const { code, log } = await home.start(['--metrics', '127.0.0.1:0'], { input: lines(3), ...FILES }).ended;
  expect([code, log.find(({ message }) => message.startsWith('reading'))?.message]).toEqual([
    0,
    'reading stdin; storing in files',
  ]);
  expect(await home.rows('steptap-data', 'ndjson')).toHaveLength(3);
});

test('--no-store keeps no rows, only metrics and dead letters', async () => {
  const broken = line('bad').replace('"wall_time_s": 1.5', '"wall_time_s": "long"');
  const args = ['--no-store', '--metrics', '127.0.0.1:0'];
  const { code, log } = await home.start(args, { input: lines(3) + broken }).ended;
  expect([code, log[0]?.message]).toEqual([0, 'reading stdin; storing in nothing']);
  expect(await readdir(join(home.path, 'steptap-data'))).toEqual(['dead-letters', 'spool']);
  expect(await home.rows('steptap-data', 'dead-letters')).toMatchObject([{ reason: 'schema' }]);
});

test('--no-store leaves a server that is named alone', async () => {
  const { server, backend } = await home.clickhouse();
  const { code } = await home.start(['--no-store', '--clickhouse', server.url, ...NONE], { input: lines(3) }).ended;
  expect(code).toBe(0);
  expect(backend.rows).toHaveLength(3);
});

test('a summary is printed when it is asked for, and nothing else is then', async () => {
  const args = ['--summary', 'always', ...NONE];
  const input = line('fit', 2) + line('fit', 4) + line('load', 0.25);
  const { stdout, stderr } = await home.start(args, { input, ...FILES }).ended;
  expect(stdout).toBe('');
  expect(stderr).toMatch(/STEP +COUNT +P50 +P95 +TOTAL +ERRORS\nfit +2 .* 6\.00 s +-\nload +1 /);
});

test('FLYTE_TELEMETRY_* names the store and its credentials', async () => {
  const { server, backend } = await home.clickhouse();
  const env = {
    FLYTE_TELEMETRY_CLICKHOUSE_URL: server.url,
    FLYTE_TELEMETRY_CLICKHOUSE_USER: 'someone',
    FLYTE_TELEMETRY_CLICKHOUSE_PASSWORD: 'pass-9c1',
    FLYTE_TELEMETRY_CLICKHOUSE_DATABASE: 'telemetry',
  };
  const { code, stderr } = await home.start(NONE, { input: lines(4), env }).ended;
  expect(code).toBe(0);
  expect(backend.rows).toHaveLength(4);
  expect(stderr).not.toContain('pass-9c1');
  const { url, headers } = server.brought[0]!;
  expect(url.searchParams.get('query')).toBe('INSERT INTO `telemetry`.`steps` FORMAT JSONEachRow');
  expect(headers.authorization).toBe(`Basic ${Buffer.from('someone:pass-9c1').toString('base64')}`);
});

test('FLYTE_TELEMETRY_CLICKHOUSE_TABLE writes steps alone, as flytekit itself would; _ENABLED=0 writes none', async () => {
  const { server, backend } = await home.clickhouse();
  const env = { FLYTE_TELEMETRY_CLICKHOUSE_URL: server.url, FLYTE_TELEMETRY_CLICKHOUSE_TABLE: 'flytekit_telemetry' };
  const first = await home.start(NONE, { input: `${lines(2)}words\n`, env }).ended;
  expect(first.code).toBe(0);
  expect(backend.rows).toEqual([
    { table: 'flytekit_telemetry', step: 'row 0' },
    { table: 'flytekit_telemetry', step: 'row 1' },
  ]);
  const off = { ...env, ...FILES.env, FLYTE_TELEMETRY_ENABLED: '0' };
  const elsewhere = ['--state', 'elsewhere', ...NONE];
  expect((await home.start(elsewhere, { input: lines(2), env: off }).ended).code).toBe(0);
  expect(backend.rows).toHaveLength(2);
  expect(await home.rows('elsewhere', 'ndjson')).toHaveLength(2);
});

test('a store that is added later also gets what the spool still has from before', async () => {
  const { server, backend } = await home.clickhouse();
  const first = ['--clickhouse', server.url, ...NONE];
  expect((await home.start(first, { input: `${lines(2)}words\n` }).ended).code).toBe(0);
  const search = await startElasticsearchBench();
  const both = [...first, '--elasticsearch', search.server.url];
  expect((await home.start(both, { input: lines(2, 'more') }).ended).code).toBe(0);
  await search.stop();
  expect(backend.rows).toHaveLength(5);
  expect(search.backend.documents.size).toBe(5);
});
