import { appendFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { Home, line, lines, twice } from './parts.ts';

const home = new Home();

async function until(done: () => boolean): Promise<void> {
  while (!done()) await systemClock.sleep(5, new AbortController().signal);
}

test('files that are followed are stored once, though steptap is killed and they are rotated while it is away', async () => {
  const { server, backend } = await home.clickhouse();
  const [a, b] = [join(home.path, 'a.log'), join(home.path, 'b.log')];
  const args = ['--input', 'a.log', '--input', 'b.log', '--follow', '--clickhouse', server.url, '--metrics', 'none'];
  await writeFile(a, lines(20, 'a'));
  const first = home.start(args);
  await first.said(/^waiting for .*b.log: there is no such file yet/);
  await until(() => backend.rows.length === 20);
  await writeFile(b, lines(10, 'b'));
  await until(() => backend.rows.length === 30);
  first.kill('SIGKILL');
  await first.ended;

  await appendFile(a, line('before the rotation'));
  await rename(a, `${a}.1`);
  await systemClock.sleep(20, new AbortController().signal);
  await writeFile(a, lines(5, 'new'));
  const second = home.start(args);
  await until(() => backend.rows.length === 36);
  await appendFile(b, line('last').slice(0, 40));
  second.kill('SIGTERM');
  expect((await second.ended).code).toBe(0);

  await appendFile(b, line('last').slice(40));
  const third = home.start(args);
  await until(() => backend.rows.length === 37);
  third.kill('SIGTERM');
  expect((await third.ended).code).toBe(0);
  expect(backend.rows).toHaveLength(37);
  expect(twice(backend)).toEqual([]);
  expect(await home.rows('steptap-data', 'dead-letters')).toEqual([]);
});
