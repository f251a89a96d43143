import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import type { LogEntry } from '../support/run-cli.ts';
import { Home, line, lines, twice } from './parts.ts';

const home = new Home();
const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const RUN = ['--stdout', '--metrics', 'none'];

type Row = Record<string, unknown>;
const rowsOf = (text: string): Row[] =>
  text
    .trim()
    .split('\n')
    .map((row) => JSON.parse(row) as Row);
const steps = (rows: readonly Row[]): unknown[] => rows.map(({ step_raw }) => step_raw);
const named = (count: number, first = 0): string[] => Array.from({ length: count }, (_, n) => `row ${first + n}`);

const started: ChildProcessWithoutNullStreams[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

/** Of which nobody reads standard output unless the test does. */
function unread(...args: readonly string[]): ChildProcessWithoutNullStreams {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, [MAIN, ...RUN, ...args], {
    cwd: home.path,
    env: { PATH, HOME },
    stdio: 'pipe',
  });
  child.stdin.on('error', () => undefined);
  started.push(child);
  return child;
}

interface Shell {
  readonly stdout: string;
  readonly stderr: string;
  /** Of each program of the pipe. */
  readonly codes: readonly number[];
  readonly log: readonly LogEntry[];
}

/** A pipe of a shell, in which `steptap` is the command. */
async function shell(pipe: string): Promise<Shell> {
  const script = `steptap() { ${process.execPath} ${MAIN} "$@"; }; ${pipe}; echo "\${PIPESTATUS[*]}" >codes`;
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn('bash', ['-c', script], { cwd: home.path, env: { PATH, HOME } });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (bytes: Buffer) => (stdout += bytes.toString('utf8')));
  child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString('utf8')));
  child.stdin.end();
  await once(child, 'close');
  const codes = (await readFile(join(home.path, 'codes'), 'utf8')).trim().split(' ').map(Number);
  const log = stderr
    .split('\n')
    .filter((each) => each !== '')
    .map((each) => JSON.parse(each) as LogEntry);
  return { stdout, stderr, codes, log };
}

test('the next program gets every event as a line of JSON, with what tells it from others, and nothing else', async () => {
  const input = `${lines(3)}hello\n{"event": "flytekit_step", "step": "x"}\n`;
  const { code, stdout, log } = await home.start(RUN, { input }).ended;
  expect(code).toBe(0);
  const rows = rowsOf(stdout);
  expect(rows.map(({ step_raw, message }) => step_raw ?? message)).toEqual(['row 0', 'row 1', 'row 2', 'hello']);
  expect(Object.keys(rows[0]!).slice(0, 5)).toEqual(['_day', '_src', '_seq', '_i', 'ts']);
  expect(new Set(rows.map(({ _src, _seq, _i }) => JSON.stringify([_src, _seq, _i]))).size).toBe(4);
  expect(log.map(({ message }) => message)).toEqual([
    'reading stdin; storing in stdout',
    'stdout is ready: standard output, a socket',
    "a dead letter: schema: the step must have required property 'error_type' (stdin, byte " +
      `${lines(3).length + 6})`,
    'stopped',
  ]);
  expect(await readdir(home.path)).toEqual([]);
});

test('a row is there while the input goes on', async () => {
  const cli = home.start(RUN);
  await cli.write(line('first'));
  while (cli.stdout === '') await once(cli.child.stdout!, 'data');
  expect(steps(rowsOf(cli.stdout))).toEqual(['first']);
  await cli.write(line('second'));
  cli.kill('SIGTERM');
  const { code, stdout } = await cli.ended;
  expect([code, steps(rowsOf(stdout))[0]]).toEqual([0, 'first']);
});

test('head reads one row of a long file, and all is well at once', async () => {
  await writeFile(join(home.path, 'big.log'), lines(60_000));
  const { stdout, codes, log } = await shell(`steptap ${RUN.join(' ')} --input big.log | head -n 1`);
  expect(steps(rowsOf(stdout))).toEqual(['row 0']);
  expect(codes).toEqual([0, 0]);
  expect(log.filter(({ level }) => level !== 'info')).toEqual([]);
  expect(log.at(-2)).toMatchObject({ message: 'stopping: nobody reads standard output any more' });
  const { stdout: counted } = log.at(-1)!['sinks'] as { stdout: { accepted: number; dropped: number } };
  expect(counted).toMatchObject({ pending: 0, dropped: expect.any(Number) });
  expect(counted.dropped).toBeGreaterThan(0);
  expect(counted.accepted).toBeLessThan(60_000);
});

test('head ends a pipe whose source has no end', async () => {
  const source = `(n=0; while echo "line $n"; do n=$((n + 1)); sleep 0.01; done)`;
  const { stdout, codes, log } = await shell(`${source} 2>/dev/null | steptap ${RUN.join(' ')} | head -n 1`);
  expect(rowsOf(stdout)).toMatchObject([{ message: 'line 0' }]);
  expect(codes.slice(1)).toEqual([0, 0]);
  expect(log.filter(({ level }) => level === 'error')).toEqual([]);
});

test('beside a store a reader that leaves is like SIGTERM: the store gets what was read', async () => {
  const { server, backend } = await home.clickhouse();
  const cli = home.start([...RUN, '--clickhouse', server.url]);
  await cli.write(lines(5_000));
  while (cli.stdout === '') await once(cli.child.stdout!, 'data');
  cli.child.stdout!.destroy();
  await cli.write(lines(2_000, 'more'));
  // Standard input stays open: only the reader ends this run.
  await cli.said(/^stopping: nobody reads standard output any more/);
  const { code, log } = await cli.ended;
  expect(code).toBe(0);
  const { sinks } = log.at(-1) as unknown as { sinks: Record<string, { accepted: number; stored: number }> };
  expect(sinks['clickhouse']!.stored).toBe(sinks['clickhouse']!.accepted);
  expect(backend.rows).toHaveLength(sinks['clickhouse']!.stored);
  expect(backend.rows.length).toBeGreaterThanOrEqual(5_000);
  expect(log.filter(({ level }) => level === 'error')).toEqual([]);
});

test('beside a store that works both get every row once', async () => {
  const { server, backend } = await home.clickhouse();
  const { code, stdout } = await home.start([...RUN, '--clickhouse', server.url], { input: lines(500) }).ended;
  expect(code).toBe(0);
  expect(steps(rowsOf(stdout))).toEqual(named(500));
  expect(backend.rows).toHaveLength(500);
  expect(twice(backend)).toEqual([]);
  expect(await readdir(home.path)).toEqual(['steptap-data']);
});

test('a slow reader holds the source back, and memory stays flat; when it goes on it gets everything', async () => {
  const child = unread();
  child.stderr.resume();
  const total = 300_000;
  let written = 0;
  const feed = async (): Promise<void> => {
    for (; written < total; written += 1_000) {
      const text = Array.from({ length: 1_000 }, (_, n) => line(`row ${written + n}`)).join('');
      if (!child.stdin.write(text)) await once(child.stdin, 'drain');
    }
    child.stdin.end();
  };
  const feeding = feed();
  let before = -1;
  while (written !== before || written === 0) {
    before = written;
    await new Promise((resolve) => {
      setTimeout(resolve, 2_000);
    });
  }
  expect(written).toBeLessThan(total / 2);
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
  expect(Number(/VmHWM:\s+(\d+) kB/.exec(status)![1]) / 1024).toBeLessThan(200);
  let rows = 0;
  let last = '';
  child.stdout.on('data', (bytes: Buffer) => {
    for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) rows += 1;
    last = (last + bytes.toString('latin1')).slice(-1_000);
  });
  const [code] = (await once(child, 'close')) as [number];
  await feeding;
  expect([code, rows]).toEqual([0, total]);
  expect(steps(rowsOf(last.slice(last.lastIndexOf('\n', last.length - 2))))).toEqual([`row ${total - 1}`]);
}, 120_000);

test('SIGTERM with a reader that reads nothing ends within --grace, and says what was not delivered', async () => {
  const child = unread('--grace', '1');
  let stderr = '';
  child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString('utf8')));
  child.stdin.write(lines(3_000));
  await once(child.stdout, 'readable');
  child.kill('SIGTERM');
  // Not 'close': nobody reads its output to the end.
  const [code] = (await once(child, 'exit')) as [number];
  expect(code).toBe(1);
  expect(stderr).toMatch(/\d+ rows were not delivered to stdout/);
  child.stdout.destroy();
});

test('a pager may take its time: the end of the input is no end of the patience', async () => {
  const pipe = `steptap ${RUN.join(' ')} --grace 0.2 --input in.log | (sleep 2; cat)`;
  await writeFile(join(home.path, 'in.log'), lines(3_000));
  const { stdout, codes } = await shell(pipe);
  expect(codes).toEqual([0, 0]);
  expect(steps(rowsOf(stdout))).toEqual(named(3_000));
});

test('with --state a file is gone on with, and rows that a reader left behind wait for the next', async () => {
  await writeFile(join(home.path, 'in.log'), lines(3_000));
  const args = `${RUN.join(' ')} --state kept --input in.log`;
  const first = await shell(`steptap ${args} | head -n 1`);
  expect(first.codes).toEqual([0, 0]);
  const second = await shell(`steptap ${args} | cat`);
  expect(second.codes).toEqual([0, 0]);
  const rows = rowsOf(second.stdout);
  expect(new Set(steps([...rowsOf(first.stdout), ...rows]))).toEqual(new Set(named(3_000)));
  expect(new Set(rows.map(({ _src, _seq, _i }) => JSON.stringify([_src, _seq, _i]))).size).toBe(rows.length);
  await writeFile(join(home.path, 'in.log'), line('later'), { flag: 'a' });
  expect(steps(rowsOf((await shell(`steptap ${args} | cat`)).stdout))).toEqual(['later']);
  expect(await readdir(join(home.path, 'kept'))).not.toContain('clickhouse');
});

test('a file is appended to, and a full disk is waited for', async () => {
  await writeFile(join(home.path, 'out.ndjson'), '{"step_raw":"before"}\n');
  await writeFile(join(home.path, 'in.log'), lines(2_000));
  expect((await shell(`steptap ${RUN.join(' ')} --input in.log >>out.ndjson`)).codes).toEqual([0]);
  expect(steps(rowsOf(await readFile(join(home.path, 'out.ndjson'), 'utf8')))).toEqual(['before', ...named(2_000)]);
  const { codes, log } = await shell(`steptap ${RUN.join(' ')} --grace 0.5 --input in.log >/dev/full`);
  expect(codes).toEqual([1]);
  expect(log.map(({ message }) => message)).toContain(
    'stdout is tried again: no space left for standard output: free some, nothing is lost meanwhile',
  );
});
