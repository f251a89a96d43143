import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { HTTP_FAULTS } from '../support/faulty-server.ts';
import { Home, lines, twice } from '../cli/parts.ts';
import {
  childrenOf,
  exec,
  isThere,
  logOf,
  megabytes,
  node,
  plain,
  tapOf,
  until,
  WAIT,
  WAIT_IN_NODE,
  whole,
} from './parts.ts';

const home = new Home();
const DOWN = ['--clickhouse', 'http://127.0.0.1:9', '--grace', '0.2'];

/** Writes the two files, the second when it may. */
async function halves(count: number): Promise<string[]> {
  await writeFile(join(home.path, 'a'), lines(count, 'a'));
  await writeFile(join(home.path, 'b'), lines(count, 'b'));
  return ['sh', '-c', `cat a >&2; ${WAIT}; cat b >&2; exit 3`];
}

const go = async (): Promise<void> => writeFile(join(home.path, 'go'), '');

test('100 MB come through byte for byte, though the tapping process is killed again and again', async () => {
  const command = node(`${megabytes(50)} ${WAIT_IN_NODE} { ${megabytes(50)} } process.exit(9)`);
  await go();
  const without = whole(await plain(command, { cwd: home.path }).ended);
  await rm(join(home.path, 'go'));
  const program = exec(DOWN, command, { cwd: home.path });
  for (const megabyte of [5, 30]) {
    await until(() => program.stderr.length > megabyte << 20);
    const tap = await tapOf(program.pid);
    process.kill(tap, 'SIGKILL');
    await until(() => !isThere(tap));
  }
  await go();
  expect(whole(await program.ended)).toEqual(without);
}, 120_000);

test('every step is stored once, though the tapping process is killed in the middle', async () => {
  const { server, backend } = await home.clickhouse();
  const program = exec(['--clickhouse', server.url], await halves(2_000), { cwd: home.path });
  await until(() => backend.rows.length > 0);
  const tap = await tapOf(program.pid);
  process.kill(tap, 'SIGKILL');
  await until(() => !isThere(tap));
  expect(await tapOf(program.pid)).not.toBe(tap);
  await go();
  const { code, stderr } = await program.ended;
  expect([code, stderr.toString()]).toEqual([3, lines(2_000, 'a') + lines(2_000, 'b')]);
  expect(backend.rows).toHaveLength(4_000);
  expect(twice(backend)).toEqual([]);
});

test('every step is stored once, though the tapping process is killed when the command has ended', async () => {
  const { server, backend } = await home.clickhouse();
  await go();
  server.fault = HTTP_FAULTS.status({ status: 503 });
  const program = exec(['--clickhouse', server.url, '--grace', '20'], await halves(1_000), { cwd: home.path });
  await until(() => program.stderr.length === lines(1_000, 'a').length * 2);
  const tap = await tapOf(program.pid);
  await until(() => server.brought.length > 0);
  process.kill(tap, 'SIGKILL');
  server.fault = undefined;
  const { code } = await program.ended;
  expect([code, backend.rows.length, twice(backend)]).toEqual([3, 2_000, []]);
});

test('the command does not notice when steptap itself is killed, and the rest comes through and is stored', async () => {
  const { server, backend } = await home.clickhouse();
  const program = exec(['--clickhouse', server.url], await halves(1_000), { cwd: home.path });
  await until(() => backend.rows.length === 1_000);
  await until(() => program.stderr.length === lines(1_000, 'a').length);
  process.kill(program.pid, 'SIGKILL');
  await program.left;
  await go();
  const { signal, stderr } = await program.ended;
  expect([signal, stderr.toString()]).toEqual(['SIGKILL', lines(1_000, 'a') + lines(1_000, 'b')]);
  await until(() => backend.rows.length === 2_000);
  expect(twice(backend)).toEqual([]);
});

test('what a daemon writes after the command is stored, and the tapping process ends with the daemon', async () => {
  const { server, backend } = await home.clickhouse();
  await writeFile(join(home.path, 'a'), lines(10, 'a'));
  const command = ['sh', '-c', `(${WAIT}; cat a >&2) & exit 5`];
  const program = exec(['--clickhouse', server.url], command, { cwd: home.path });
  const tap = await tapOf(program.pid);
  await program.left;
  expect([program.child.exitCode, isThere(tap)]).toEqual([5, true]);
  await go();
  expect((await program.ended).stderr.toString()).toBe(lines(10, 'a'));
  await until(() => !isThere(tap));
  expect([backend.rows.length, twice(backend)]).toEqual([10, []]);
});

test('with a store that hangs the command ends within the grace period, and the next one delivers', async () => {
  const { server, backend } = await home.clickhouse();
  await go();
  const command = await halves(100);
  server.fault = HTTP_FAULTS.hang(() => undefined, false);
  const words = ['--clickhouse', server.url, '--grace', '1'];
  expect((await exec(words, command, { cwd: home.path }).ended).code).toBe(3);
  expect(backend.rows).toHaveLength(0);
  server.fault = undefined;
  expect((await exec([...words, '--grace', '20'], ['true'], { cwd: home.path }).ended).code).toBe(0);
  await until(() => backend.rows.length === 200);
  expect(twice(backend)).toEqual([]);
});

test('a second SIGTERM, when the command has ended, is an end of the waiting too', async () => {
  const { server, backend } = await home.clickhouse();
  await go();
  server.fault = HTTP_FAULTS.status({ status: 503 });
  const program = exec(['--clickhouse', server.url, '--grace', '1000'], await halves(100), { cwd: home.path });
  await until(() => server.brought.length > 0);
  const tap = await tapOf(program.pid);
  await until(() => childrenOf(program.pid).length === 1);
  program.child.kill('SIGTERM');
  const { code, signal } = await program.ended;
  expect([code, signal, isThere(tap)]).toEqual([3, null, true]);
  server.fault = undefined;
  await until(() => !isThere(tap));
  expect([backend.rows.length, twice(backend)]).toEqual([200, []]);
});

test('a full spool gives up its oldest rows, and counts them', async () => {
  const count = 60_000;
  await go();
  const words = [...DOWN, '--spool-bytes', '8m'];
  const { code } = await exec(words, await halves(count / 2), { cwd: home.path }).ended;
  expect(code).toBe(3);
  // It may be at work for a moment yet.
  const stopped = (): unknown => logOf(join(home.path, 'steptap-data')).find(({ message }) => message === 'stopped');
  await until(() => stopped() !== undefined);
  const { clickhouse } = (stopped() as { sinks: Record<string, Record<string, number>> }).sinks;
  const { dropped = 0, pending = 0, ...others } = clickhouse!;
  expect(others).toEqual({ accepted: count, stored: 0, dead_lettered: 0, lost: 0 });
  expect(dropped + pending).toBe(count);
  expect(Math.min(dropped, pending)).toBeGreaterThan(0);
});
