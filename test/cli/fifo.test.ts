import { execFile, execFileSync } from 'node:child_process';
import { appendFile, chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { Home, line, lines } from './parts.ts';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const home = new Home();

test('A named pipe that is followed stays open while its writers come and go', async () => {
  const { server, backend } = await home.clickhouse();
  const pipe = join(home.path, 'in.fifo');
  execFileSync('mkfifo', [pipe]);
  const cli = home.start(['--input', pipe, '--follow', '--clickhouse', server.url, '--metrics', 'none']);
  await cli.said(/^reading/);
  // Each opens the pipe, writes and closes it, as Fluent Bit does with every flush.
  for (let writer = 0; writer < 20; writer++) await appendFile(pipe, line(`writer ${writer}`));
  await appendFile(pipe, lines(2_000, 'many'));
  while (backend.rows.length < 2_020) await new Promise((next) => setTimeout(next, 20));
  expect(new Set(backend.rows.map(({ raw }) => raw)).size).toBe(2_020);
  cli.kill('SIGTERM');
  expect((await cli.ended).code).toBe(0);
  expect(backend.rows).toHaveLength(2_020);
});

test('A named pipe that is not followed ends with its writer', async () => {
  const { server, backend } = await home.clickhouse();
  const pipe = join(home.path, 'in.fifo');
  execFileSync('mkfifo', [pipe]);
  const cli = home.start(['--input', pipe, '--clickhouse', server.url, '--metrics', 'none']);
  await appendFile(pipe, lines(10));
  expect([(await cli.ended).code, backend.rows.length]).toEqual([0, 10]);
});

test('The pipe of a command ends with it, though it is followed', async () => {
  const { server, backend } = await home.clickhouse();
  await writeFile(join(home.path, 'in.log'), lines(10));
  const steptap = `exec '${process.execPath}' '${MAIN}' --follow --metrics none --clickhouse ${server.url}`;
  const env = { PATH: process.env['PATH'] ?? '' };
  await promisify(execFile)('bash', ['-c', `${steptap} --input <(cat in.log)`], {
    cwd: home.path,
    env,
    timeout: 30_000,
  });
  expect(backend.rows).toHaveLength(10);
});

test('A named pipe that cannot be held open is refused', async () => {
  const pipe = join(home.path, 'in.fifo');
  execFileSync('mkfifo', ['-m', '0444', pipe]);
  await chmod(home.path, 0o755);
  const uid = process.getuid?.() === 0 ? { uid: 65_534 } : {};
  const args = ['--input', pipe, '--follow', '--stdout', '--metrics', 'none'];
  const { code, stderr } = await home.start(args, { input: '', ...uid }).ended;
  const todo = 'let the user of steptap write to it too, or leave --follow out';
  const said = `steptap: --input ${pipe}: cannot be held open for its writers (EACCES): ${todo}`;
  expect([code, stderr.trim()]).toEqual([2, said]);
  const check = await home.start(['check', ...args], { input: '', ...uid }).ended;
  expect([check.code, check.stdout]).toEqual([1, expect.stringContaining('cannot be read (EACCES)')]);
});
