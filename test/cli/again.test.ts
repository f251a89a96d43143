import { appendFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { HTTP_FAULTS } from '../support/faulty-server.ts';
import { Home, line, lines, twice } from './parts.ts';

const home = new Home();
const NONE = ['--metrics', 'none'];
/** Rows go to NDJSON files. */
const FILES = { env: { NODE_OPTIONS: `--import=${new URL('./without-chdb.mjs', import.meta.url).href}` } };

test('a file that was read is not read again by the next run, only what was written since', async () => {
  const { server, backend } = await home.clickhouse();
  await writeFile(join(home.path, 'in.log'), lines(10));
  const args = ['--input', 'in.log', '--clickhouse', server.url, ...NONE];
  expect((await home.start(args).ended).code).toBe(0);
  const second = await home.start(args).ended;
  expect([second.code, backend.rows.length]).toEqual([0, 10]);
  expect(second.log.at(-1)).toMatchObject({ sinks: { clickhouse: { accepted: 10, stored: 10, pending: 0 } } });
  await appendFile(join(home.path, 'in.log'), line('later'));
  expect((await home.start(args).ended).code).toBe(0);
  expect(backend.rows.map(({ raw }) => raw)).toEqual([...Array.from({ length: 10 }, (_, n) => `row ${n}`), 'later']);
});

test('--from-start reads a file again, and its rows are others', async () => {
  const { server, backend } = await home.clickhouse();
  await writeFile(join(home.path, 'in.log'), lines(10));
  const args = ['--input', 'in.log', '--clickhouse', server.url, ...NONE];
  expect((await home.start(args).ended).code).toBe(0);
  expect((await home.start([...args, '--from-start']).ended).code).toBe(0);
  expect(backend.rows).toHaveLength(20);
  expect(twice(backend)).toHaveLength(10);
});

test('--state none remembers nothing: the next run reads the file again', async () => {
  const { server, backend } = await home.clickhouse();
  await writeFile(join(home.path, 'in.log'), lines(10));
  const args = ['--input', 'in.log', '--state', 'none', '--clickhouse', server.url, ...NONE];
  for (const rows of [10, 20]) {
    expect((await home.start(args).ended).code).toBe(0);
    expect(backend.rows).toHaveLength(rows);
  }
  expect(await readdir(home.path)).toEqual(['in.log']);
});

test('with --state none a dead letter is a line of the log, since there is no file for it', async () => {
  const broken = line('bad').replace('"wall_time_s": 1.5', '"wall_time_s": "long"');
  const { server } = await home.clickhouse();
  const args = ['--state', 'none', '--clickhouse', server.url, ...NONE];
  const { code, log } = await home.start(args, { input: line('good') + broken }).ended;
  expect(code).toBe(0);
  expect(log.filter(({ message }) => message.includes('dead letter'))).toMatchObject([
    {
      level: 'warning',
      message: `a dead letter: schema: wall_time_s must be number (stdin, byte ${line('good').length})`,
      dead_letter: { reason: 'schema', raw: broken.trimEnd() },
    },
  ]);
});

test('with --state none and --no-store there are only metrics', async () => {
  const args = ['--state', 'none', '--no-store', '--metrics', '127.0.0.1:0'];
  const { code, log } = await home.start(args, { input: lines(3) }).ended;
  expect([code, log[0]?.message]).toEqual([0, 'reading stdin; storing in nothing']);
  expect(log.at(-1)).toMatchObject({ message: 'stopped', sinks: { prometheus: { accepted: 3, stored: 3 } } });
  expect(await readdir(home.path)).toEqual([]);
});

test.each(['always', 'never'])('what was read with --sync %s is stored once, over a SIGKILL too', async (sync) => {
  const { server, backend } = await home.clickhouse();
  await writeFile(join(home.path, 'in.log'), lines(200));
  server.fault = HTTP_FAULTS.status({ status: 503 });
  const args = ['--input', 'in.log', '--follow', '--sync', sync, '--clickhouse', server.url, ...NONE];
  const first = home.start(args);
  await first.said(/^clickhouse is tried again/);
  first.kill('SIGKILL');
  await first.ended;
  server.fault = undefined;
  const args_to_end = args.filter((each) => each !== '--follow');
  expect((await home.start(args_to_end).ended).code).toBe(0);
  expect(backend.rows).toHaveLength(200);
  expect(twice(backend)).toEqual([]);
});

test('counts of metrics go on where the last run ended', async () => {
  const { server } = await home.clickhouse();
  const args = ['--clickhouse', server.url, '--metrics', '127.0.0.1:0'];
  for (const before of [0, 10]) {
    const cli = home.start(args);
    const { metrics } = await cli.said(/^reading stdin/);
    await cli.write(lines(10));
    let text = '';
    const wanted = `steptap_sink_stored_rows_total{sink="clickhouse"} ${before + 10}\n`;
    while (!text.includes(wanted)) text = await (await fetch(String(metrics))).text();
    cli.end();
    const { log } = await cli.ended;
    expect(log.at(-1)).toMatchObject({ sinks: { prometheus: { accepted: before + 10, stored: before + 10 } } });
  }
  const cli = home.start(args);
  const { metrics } = await cli.said(/^reading stdin/);
  let text = '';
  while (!text.includes('steptap_step_duration_seconds_count')) text = await (await fetch(String(metrics))).text();
  const counts = text.split('\n').filter((each) => each.startsWith('steptap_step_duration_seconds_count'));
  expect(counts.reduce((sum, each) => sum + Number(each.split(' ').at(-1)), 0)).toBe(20);
});

test('--drop-oldest gives up the oldest rows of a dead store when the spool is full, and says which', async () => {
  const { server, backend } = await home.clickhouse();
  const gone = await home.clickhouse();
  await gone.server.leave();
  const stores = ['--clickhouse', server.url, '--elasticsearch', gone.server.url, '--drop-oldest', 'elasticsearch'];
  const args = [...stores, '--spool-bytes', '8m', '--grace', '5', ...NONE];
  const count = 60_000;
  const { code, log } = await home.start(args, { input: lines(count) }).ended;
  expect(code).toBe(1);
  expect(backend.rows).toHaveLength(count);
  expect(twice(backend)).toEqual([]);
  const { elasticsearch } = log.at(-1)!['sinks'] as Record<string, Record<string, number>>;
  const { dropped = 0, pending = 0, ...others } = elasticsearch!;
  expect(others).toEqual({ accepted: count, stored: 0, dead_lettered: 0, lost: 0 });
  expect(dropped + pending).toBe(count);
  expect(Math.min(dropped, pending)).toBeGreaterThan(0);
  const letters = await home.rows('steptap-data', 'dead-letters');
  expect(letters.reduce((sum, { rows }) => sum + Number(rows), 0)).toBe(dropped);
  for (const letter of letters) {
    expect(letter).toMatchObject({ reason: 'dropped', sink: 'elasticsearch' });
    expect(Number(letter['last_record'])).toBeGreaterThanOrEqual(Number(letter['first_record']));
  }
});

test('what went to files is not sent to them again, though the run was killed before it knew', async () => {
  await writeFile(join(home.path, 'in.log'), lines(2_000));
  const args = ['--input', 'in.log', '--follow', ...NONE];
  for (let run = 0; run < 3; run++) {
    const cli = home.start(args, FILES);
    await cli.said(/^files is ready/);
    cli.kill('SIGKILL');
    await cli.ended;
  }
  expect((await home.start(['--input', 'in.log', ...NONE], FILES).ended).code).toBe(0);
  const rows = await home.rows('steptap-data', 'ndjson');
  expect(rows).toHaveLength(2_000);
  expect(new Set(rows.map(({ step_raw }) => step_raw)).size).toBe(2_000);
});
