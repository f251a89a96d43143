import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { lockHolder, lockState } from '../../src/state/lock.ts';

const CHILD = fileURLToPath(new URL('./lock-child.mjs', import.meta.url));
const LOCK = new URL('../../dist/state/lock.js', import.meta.url).href;

let home: string;
let children: Taker[] = [];

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'steptap-lock-'));
});

afterEach(async () => {
  await Promise.all(children.map((child) => child.kill()));
  children = [];
  await rm(home, { recursive: true, force: true });
});

/** A process that takes locks. */
class Taker {
  readonly process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor() {
    this.process = spawn(process.execPath, [CHILD, LOCK], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.process.stdout! })[Symbol.asyncIterator]();
    children.push(this);
  }

  async answer(): Promise<string> {
    const { value } = (await this.#lines.next()) as { value: string };
    return JSON.parse(value) as string;
  }

  tell(command: { take?: string; release?: string }): void {
    this.process.stdin!.write(`${JSON.stringify(command)}\n`);
  }

  async take(directory: string): Promise<string> {
    this.tell({ take: directory });
    return this.answer();
  }

  async kill(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const gone = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await gone;
  }
}

async function taker(): Promise<Taker> {
  const child = new Taker();
  expect(await child.answer()).toBe('ready');
  return child;
}

/** Directories with the lock of a process that was killed. */
async function stale(count: number): Promise<string[]> {
  const child = await taker();
  const first = join(home, 'stale');
  expect(await child.take(first)).toBe('taken');
  await child.kill();
  const directories = Array.from({ length: count }, (_, number) => join(home, `${number}`));
  for (const directory of directories) {
    await mkdir(directory);
    await copyFile(join(first, 'LOCK'), join(directory, 'LOCK'));
  }
  return directories;
}

test('a second process is told who has the directory, and gets it when that one lets go', async () => {
  const [first, second] = [await taker(), await taker()];
  const directory = join(home, 'state');
  expect(await first.take(directory)).toBe('taken');
  expect(lockHolder(directory)).toBe(first.process.pid);
  const refused = await second.take(directory);
  expect(refused).toMatch(
    new RegExp(
      `^UsageError: --state ${directory}: in use by process ${first.process.pid} \\(since 20.*Z\\); stop that one`,
    ),
  );
  first.tell({ release: directory });
  expect(await first.answer()).toBe('released');
  expect(lockHolder(directory)).toBeUndefined();
  expect(await second.take(directory)).toBe('taken');
  expect(lockHolder(directory)).toBe(second.process.pid);
  expect(await readdir(directory)).toEqual(['LOCK']);
  expect((await stat(join(directory, 'LOCK'))).mode & 0o777).toBe(0o600);
  expect((await stat(directory)).mode & 0o777).toBe(0o700);
});

test('one process does not get a directory twice', () => {
  const lock = lockState(home);
  expect(() => lockState(home)).toThrow(`in use by process ${process.pid}`);
  lock.release();
  lockState(home).release();
  expect(lockHolder(home)).toBeUndefined();
});

test('the lock of a process that was killed is taken over', async () => {
  const [directory] = await stale(1);
  expect(lockHolder(directory!)).toBeUndefined();
  const lock = lockState(directory!);
  expect(lockHolder(directory!)).toBe(process.pid);
  lock.release();
  expect(await readdir(directory!)).toEqual([]);
});

test('so is the lock of a process that was killed and whose parent does not care', async () => {
  const node = `'${process.execPath}' '${CHILD}' '${LOCK}'`;
  const directory = join(home, 'state');
  const parent = spawn('sh', ['-c', `echo '{"take":"${directory}"}' | ${node} 2>&1 & exec sleep 60`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: parent.stdout })[Symbol.asyncIterator]();
  await lines.next();
  expect((await lines.next()).value).toBe('"taken"');
  const text = await readFile(join(directory, 'LOCK'), 'utf8');
  process.kill((JSON.parse(text) as { pid: number }).pid, 'SIGKILL');
  await vi.waitFor(() => expect(lockHolder(directory)).toBeUndefined(), 5_000);
  lockState(directory).release();
  parent.kill('SIGKILL');
});

test('a lock of an earlier boot, of another process with that number, or with nothing in it is taken over', async () => {
  const own = { pid: process.pid, since: '2026-11-21T00:00:00.000Z' };
  for (const text of [
    '',
    '{',
    JSON.stringify({ ...own, boot: 'earlier', started: '1' }),
    JSON.stringify({ ...own, boot: '', started: '1' }),
  ]) {
    await writeFile(join(home, 'LOCK'), text);
    expect(lockHolder(home)).toBeUndefined();
    const lock = lockState(home);
    expect(lockHolder(home)).toBe(process.pid);
    lock.release();
    expect(await readdir(home)).toEqual([]);
  }
});

test('a lock that somebody else has by now is not released', async () => {
  const lock = lockState(home);
  const other = JSON.stringify({ ...(JSON.parse(await readFile(join(home, 'LOCK'), 'utf8')) as object), pid: 1 });
  await writeFile(join(home, 'LOCK'), other);
  lock.release();
  expect(await readFile(join(home, 'LOCK'), 'utf8')).toBe(other);
});

test('of ten processes that race for a stale lock exactly one gets it', async () => {
  const directories = await stale(40);
  const racers = await Promise.all(Array.from({ length: 10 }, taker));
  for (const directory of directories) {
    for (const racer of racers) racer.tell({ take: directory });
    const answers = await Promise.all(racers.map((racer) => racer.answer()));
    expect(answers.filter((answer) => answer === 'taken')).toHaveLength(1);
    const winner = racers[answers.indexOf('taken')]!;
    expect(lockHolder(directory)).toBe(winner.process.pid);
    for (const answer of answers) expect(answer).toMatch(/^taken$|^UsageError: .* in use by /);
    expect(await readdir(directory)).toEqual(['LOCK']);
  }
});

test('a directory that cannot be written to is named', async () => {
  const file = join(home, 'file');
  await writeFile(file, '');
  expect(() => lockState(join(file, 'state'))).toThrow(`--state ${join(file, 'state')}: cannot be written (ENOTDIR)`);
  await chmod(file, 0o600);
});

test('the lock of a process in another container is respected as long as that lives, though its number means nothing here', async () => {
  const directory = join(home, 'state');
  const inside = ['-pf', '--mount-proc', '--kill-child', process.execPath, CHILD, LOCK];
  const container = spawn('unshare', inside, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: container.stdout })[Symbol.asyncIterator]();
  container.stdin.write(`${JSON.stringify({ take: directory })}\n`);
  let line = '';
  while (line !== '"taken"') line = ((await lines.next()) as { value: string }).value;
  const holder = JSON.parse(await readFile(join(directory, 'LOCK'), 'utf8')) as { pid: number };
  expect(holder.pid).toBe(1);
  expect(() => lockState(directory)).toThrow('in use by process 1');
  const gone = once(container, 'exit');
  container.kill('SIGKILL');
  await gone;
  lockState(directory).release();
}, 60_000);

test('whoever was silent for too long hears that the lock is another’s', async () => {
  const lost = vi.fn<() => void>();
  const lock = lockState(home, lost);
  await writeFile(join(home, 'LOCK'), '{"pid":1}\n');
  await vi.waitFor(() => expect(lost).toHaveBeenCalledTimes(1), 5_000);
  lock.release();
  expect(await readFile(join(home, 'LOCK'), 'utf8')).toBe('{"pid":1}\n');
});
