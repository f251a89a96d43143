import { execFileSync, spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { chmod, open, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { Home, lines } from './parts.ts';

const home = new Home();
const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const RUN = [MAIN, 'run', '--metrics', 'none'];
/** All that does not tell one run from another. */
const ROWS = 'SELECT step_raw, wall_time_s, execution_id, ts FROM steps ORDER BY _seq, _i FORMAT CSV';

const started: { child: ChildProcess; over: Promise<unknown> }[] = [];
const files: FileHandle[] = [];
afterEach(async () => {
  for (const { child, over } of started.splice(0)) {
    child.kill('SIGKILL');
    await over;
  }
  for (const file of files.splice(0)) await file.close();
});

interface Program {
  readonly child: ChildProcess;
  /** The exit code, and what it wrote to standard error. */
  readonly over: Promise<readonly [number | null, string]>;
  /** Resolves when it has written so to standard error, or is over. */
  readonly said: (what: string) => Promise<void>;
}

/** A program with a standard input of every kind; the embedded store is where its rows go. */
function program(command: string, args: readonly string[], stdin: 'pipe' | FileHandle, uid?: number): Program {
  const stdio: StdioOptions = [stdin === 'pipe' ? 'pipe' : stdin.fd, 'ignore', 'pipe'];
  const { PATH = '', HOME = '', TMPDIR = '/tmp' } = process.env;
  const options = { cwd: home.path, env: { PATH, HOME, TMPDIR }, stdio, ...(uid === undefined ? {} : { uid }) };
  const child = spawn(command, args, options);
  child.stdin?.on('error', () => undefined);
  let stderr = '';
  child.stderr!.on('data', (text: Buffer) => (stderr += text.toString('utf8')));
  const over = new Promise<readonly [number | null, string]>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve([code, stderr]));
  });
  started.push({ child, over });
  const said = async (what: string): Promise<void> => {
    while (!stderr.includes(what)) if ((await Promise.race([over, once(child.stderr!, 'data')])).length === 2) return;
  };
  return { child, over, said };
}

const steptap = (args: readonly string[], stdin: 'pipe' | FileHandle, uid?: number): Program =>
  program(process.execPath, [...RUN, ...args], stdin, uid);

const piped = (command: string): Program =>
  program('sh', ['-c', `${command} | "$0" "$@"`, process.execPath, ...RUN, '--state', 'pipe'], 'pipe');

async function opened(name: string, flags: string | number = 'r'): Promise<FileHandle> {
  const file = await open(join(home.path, name), flags);
  files.push(file);
  return file;
}

async function stored(state: string): Promise<string> {
  return (await home.start(['query', ROWS, '--state', state], { input: '' }).ended).stdout;
}

/** What the rows of `lines(count)` are. */
const rowsOf = (count: number, first = 0): string =>
  Array.from({ length: count }, (_, n) => `"row ${first + n}",1.5,"x","2026-02-19 10:30:44.025000"\n`).join('');

/** It ended well, and had nothing to complain of. */
async function well({ over }: Program): Promise<void> {
  const [code, stderr] = await over;
  expect(stderr.split('\n').filter((each) => each !== '' && !each.includes('"level":"info"'))).toEqual([]);
  expect(code).toBe(0);
}

test('the embedded store gets the same rows by a redirected file, a pipe and a socket', async () => {
  await writeFile(join(home.path, 'in.log'), lines(20));
  const socket = steptap(['--state', 'socket'], 'pipe');
  socket.child.stdin!.end(lines(20));
  await well(socket);
  await well(piped('cat in.log'));
  await well(steptap(['--state', 'file'], await opened('in.log')));
  for (const state of ['socket', 'pipe', 'file']) expect([state, await stored(state)]).toEqual([state, rowsOf(20)]);
}, 120_000);

test('a redirected file is read from where it stands, and a named FIFO though its writer is gone', async () => {
  await writeFile(join(home.path, 'in.log'), lines(20));
  const file = await opened('in.log');
  const header = lines(5).length;
  expect((await file.read(Buffer.alloc(header), 0, header)).bytesRead).toBe(header);
  await well(steptap(['--state', 'file'], file));
  expect(await stored('file')).toBe(rowsOf(15, 5));

  execFileSync('mkfifo', [join(home.path, 'fifo.log')]);
  const [reader, writer] = await Promise.all([opened('fifo.log'), opened('fifo.log', 'w')]);
  await writer.write(lines(20));
  await writer.close();
  files.splice(files.indexOf(writer), 1);
  await well(steptap(['--state', 'fifo'], reader));
  expect(await stored('fifo')).toBe(rowsOf(20));
}, 120_000);

test.skipIf(process.getuid?.() !== 0)(
  'a pipe and a file that only another user may open are read',
  async () => {
    await chmod(home.path, 0o777);
    await writeFile(join(home.path, 'in.log'), lines(20), { mode: 0o600 });
    const nobody = 65_534;
    await well(steptap(['--state', 'file'], await opened('in.log'), nobody));
    expect(await stored('file')).toBe(rowsOf(20));
    const drop = `exec setpriv --reuid ${nobody} --clear-groups "$0" "$@"`;
    const args = ['-c', `cat in.log | (${drop})`, process.execPath, ...RUN, '--state', 'pipe'];
    await well(program('sh', args, 'pipe'));
    expect(await stored('pipe')).toBe(rowsOf(20));
  },
  120_000,
);

test('a run that reads a file ends by itself while nobody writes to its standard input', async () => {
  await writeFile(join(home.path, 'in.log'), lines(20));
  await well(steptap(['--state', 'socket', '--input', 'in.log'], 'pipe'));
  execFileSync('mkfifo', [join(home.path, 'fifo.log')]);
  // Open for writing too: it never comes to its end.
  await well(steptap(['--state', 'fifo', '--input', 'in.log'], await opened('fifo.log', 'r+')));
  for (const state of ['socket', 'fifo']) expect([state, await stored(state)]).toEqual([state, rowsOf(20)]);
}, 120_000);

test.each(['socket', 'fifo'] as const)(
  'SIGTERM ends a run into the embedded store while its %s stays open',
  async (kind) => {
    execFileSync('mkfifo', [join(home.path, 'fifo.log')]);
    const stdin = kind === 'socket' ? 'pipe' : await opened('fifo.log', 'r+');
    const run = steptap(['--state', kind], stdin);
    await run.said('clickhouse is ready');
    if (stdin === 'pipe') run.child.stdin!.write(lines(20));
    else await stdin.write(lines(20));
    const deadline = performance.now() + 20_000;
    while ((await stored(kind)) !== rowsOf(20) && performance.now() < deadline) continue;
    run.child.kill('SIGTERM');
    await well(run);
    expect(await stored(kind)).toBe(rowsOf(20));
  },
  60_000,
);
