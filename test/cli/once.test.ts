import { spawn } from 'node:child_process';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { HTTP_FAULTS } from '../support/faulty-server.ts';
import { Home, line, lines, twice } from './parts.ts';

const home = new Home();
const NONE = ['--metrics', 'none'];

const stepNames = (count: number, name = 'row'): string[] => Array.from({ length: count }, (_, n) => `${name} ${n}`);

test('A file that is handed over again, under another name, is stored once', async () => {
  const { server, backend } = await home.clickhouse();
  const once = (name: string) => home.start(['--once', name, '--clickhouse', server.url, ...NONE]).ended;
  await writeFile(join(home.path, 'buffer.1'), lines(10));
  expect((await once('buffer.1')).code).toBe(0);
  await rename(join(home.path, 'buffer.1'), join(home.path, 'buffer.2'));
  const again = await once('buffer.2');
  expect([again.code, again.log.at(-1)]).toMatchObject([
    0,
    { sinks: { clickhouse: { accepted: 10, stored: 10, pending: 0 } } },
  ]);
  await writeFile(join(home.path, 'buffer.3'), lines(10) + line('another'));
  expect((await once('buffer.3')).code).toBe(0);
  expect(backend.rows.map(({ raw }) => raw)).toEqual([...stepNames(10), ...stepNames(10), 'another']);
});

test('Exit 0 means that every store has it: with a store that is down it is 1, and the next time nothing is stored twice', async () => {
  const { server, backend } = await home.clickhouse();
  const once = () => home.start(['--once', 'buffer', '--clickhouse', server.url, '--grace', '1', ...NONE]).ended;
  await writeFile(join(home.path, 'buffer'), lines(50));
  server.fault = HTTP_FAULTS.status({ status: 503 }, true);
  expect((await once()).code).toBe(1);
  server.fault = undefined;
  expect((await once()).code).toBe(0);
  expect([backend.rows.length, twice(backend)]).toEqual([50, []]);
});

test('One that is stopped before it is whole, or before a store has it, does not end with 0', async () => {
  const { server, backend } = await home.clickhouse();
  const where = ['--spool-bytes', '8M', '--grace', '1', '--clickhouse', server.url, ...NONE];
  const COUNT = 40_000;
  await writeFile(join(home.path, 'large'), lines(COUNT));
  await writeFile(join(home.path, 'small'), line('small'));
  server.fault = HTTP_FAULTS.status({ status: 503 });
  const large = home.start(['--once', 'large', ...where]);
  await large.said(/spool: full/);
  large.kill('SIGTERM');
  expect((await large.ended).code).toBe(1);
  await large.said(/^large was not read to its end: hand it over again$/);
  const small = home.start(['--once', 'small', '--state', 'other', ...where]);
  await small.said(/503/);
  small.kill('SIGTERM');
  expect((await small.ended).code).toBe(1);
  server.fault = undefined;
  expect((await home.start(['--once', 'large', ...where]).ended).code).toBe(0);
  expect((await home.start(['--once', 'small', '--state', 'other', ...where]).ended).code).toBe(0);
  expect([backend.rows.length, twice(backend)]).toEqual([COUNT + 1, []]);
});

test('A broken line of it is a dead letter, and no reason to hand it over again', async () => {
  const { server, backend } = await home.clickhouse();
  const broken = line('bad').replace('"wall_time_s": 1.5', '"wall_time_s": "long"');
  await writeFile(join(home.path, 'buffer'), line('good') + broken + line('last').trimEnd());
  expect((await home.start(['--once', 'buffer', '--clickhouse', server.url, ...NONE]).ended).code).toBe(0);
  expect(backend.rows.map(({ raw }) => raw)).toEqual(['good', 'last']);
  const letters = await home.rows('steptap-data', 'dead-letters');
  expect(letters).toMatchObject([{ reason: 'schema', source: expect.stringMatching(/buffer$/) as string }]);
});

test('Several that are started at once take their turns', async () => {
  const { server, backend } = await home.clickhouse();
  const names = ['a', 'b', 'c'];
  await Promise.all(names.map((name) => writeFile(join(home.path, name), lines(20, name))));
  const ended = names.map((name) => home.start(['--once', name, '--clickhouse', server.url, ...NONE]).ended);
  expect((await Promise.all(ended)).map(({ code }) => code)).toEqual([0, 0, 0]);
  const all = names.flatMap((name) => stepNames(20, name));
  expect([backend.rows.length, new Set(backend.rows.map(({ raw }) => raw))]).toEqual([60, new Set(all)]);
});

test('However often it is killed, whoever hands it over until it ends with 0 has every row once', async () => {
  const COUNT = 40_000;
  await writeFile(join(home.path, 'buffer'), lines(COUNT));
  let kills = 0;
  // Start-up takes some 0.5 s, and all of it 2 to 3 s: the kills fall into every part of it, later ones each time.
  for (let wait = 500; ; wait += 250) {
    const cli = home.start(['--once', 'buffer', ...NONE]);
    const kill = setTimeout(() => cli.kill('SIGKILL'), wait);
    const { code, signal } = await cli.ended;
    clearTimeout(kill);
    if (code === 0) break;
    expect([code, signal]).toEqual([null, 'SIGKILL']);
    kills += 1;
  }
  expect(kills).toBeGreaterThan(2);
  const sql = 'SELECT count(), uniqExact(step_raw) FROM steps FORMAT CSV';
  expect((await home.start(['query', sql], { input: '' }).ended).stdout.trim()).toBe(`${COUNT},${COUNT}`);
}, 120_000);

test('What is no regular file is refused, and options that make no sense with it', async () => {
  await mkdir(join(home.path, 'directory'));
  const refused = async (...args: string[]) => {
    const { code, stderr } = await home.start([...args, ...NONE], { input: '' }).ended;
    return [code, stderr.trim()];
  };
  expect(await refused('--once', 'nothing')).toEqual([2, 'steptap: --once nothing: there is no such file']);
  expect(await refused('--once', 'directory')).toEqual([2, 'steptap: --once directory: is a directory; name a file']);
  await new Promise((done) => spawn('mkfifo', [join(home.path, 'pipe')]).once('exit', done));
  expect(await refused('--once', 'pipe')).toEqual([
    2,
    'steptap: --once pipe: is no regular file; it has to be one, since it is read twice',
  ]);
  const { code, stdout } = await home.start(['check', '--once', 'pipe', ...NONE], { input: '' }).ended;
  expect([code, stdout]).toEqual([1, expect.stringContaining('is no regular file')]);
  for (const other of [['--input', 'b'], ['--follow'], ['--from-start'], ['--confirm', 'rsyslog']]) {
    expect(await refused('--once', 'a', ...other)).toEqual([
      2,
      'steptap: --once: goes without --input, --follow, --from-start and --confirm',
    ]);
  }
});
