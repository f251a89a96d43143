import { execFileSync } from 'node:child_process';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Home, line, lines } from './parts.ts';

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
