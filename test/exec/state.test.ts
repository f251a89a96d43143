import { execFileSync } from 'node:child_process';
import { existsSync, fstatSync, openSync, closeSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Home, lines, twice } from '../cli/parts.ts';
import { childrenOf, exec, isThere, logOf, megabytes, node, plain, STEPTAP, tapOf, until, WAIT } from './parts.ts';

const home = new Home();
const go = async (): Promise<void> => writeFile(join(home.path, 'go'), '');

test('the ClickHouse of flytekit is that of steptap, and the command does not get it', async () => {
  const { server, backend } = await home.clickhouse();
  await writeFile(join(home.path, 'a'), lines(3));
  const env = { FLYTE_TELEMETRY_CLICKHOUSE_URL: server.url, FLYTE_TELEMETRY_ENABLED: 'true' };
  const show = 'echo "url ${FLYTE_TELEMETRY_CLICKHOUSE_URL-none}, enabled $FLYTE_TELEMETRY_ENABLED"; cat a >&2';
  const { stdout } = await exec([], ['sh', '-c', show], { cwd: home.path, env }).ended;
  expect([stdout, backend.rows.length]).toEqual(['url none, enabled true\n', 3]);
  // Not enabled, nothing is stored anywhere.
  const off = await exec([], ['sh', '-c', show], { cwd: home.path, env: { ...env, FLYTE_TELEMETRY_ENABLED: '0' } })
    .ended;
  expect([off.stdout, backend.rows.length]).toEqual([`url ${server.url}, enabled 0\n`, 3]);
});

test.each([[[]], [['--state', 'there']]])(
  'with no sink named (%s) the command has our standard error, and there is no other process',
  async (words) => {
    const command = ['sh', '-c', 'readlink /proc/self/fd/2; cat /proc/$PPID/task/$PPID/children; echo; echo $$'];
    const { stdout } = await exec(words, command, { cwd: home.path }).ended;
    const [error, children, own] = stdout.split('\n');
    expect([error, children?.trim()]).toEqual([expect.stringMatching(/^(pipe|socket):/), own]);
    expect(readdirSync(home.path)).toEqual([]);
  },
);

test('commands that run at the same time have a state each, and a later one takes the first that is free', async () => {
  const { server, backend } = await home.clickhouse();
  await writeFile(join(home.path, 'a'), lines(5, 'a'));
  await writeFile(join(home.path, 'b'), lines(5, 'b'));
  const words = ['--clickhouse', server.url];
  const first = exec(words, ['sh', '-c', `cat a >&2; ${WAIT}`], { cwd: home.path });
  await until(() => backend.rows.length === 5);
  const second = exec(words, ['sh', '-c', `cat b >&2; ${WAIT}`], { cwd: home.path });
  await until(() => backend.rows.length === 10);
  await go();
  expect([(await first.ended).code, (await second.ended).code]).toEqual([0, 0]);
  expect(twice(backend)).toEqual([]);
  const state = join(home.path, 'steptap-data');
  expect(readdirSync(state).sort()).toEqual(['dead-letters', 'exec-1', 'exec.log', 'spool']);
  expect(statSync(join(state, 'exec.log')).mode & 0o777).toBe(0o600);
  expect(logOf(state).filter(({ message }) => message === 'stopped')).toMatchObject([
    { sinks: { clickhouse: { stored: 5 } } },
    { sinks: { clickhouse: { stored: 5 } } },
  ]);
  await exec(words, ['true'], { cwd: home.path }).ended;
  expect(existsSync(join(state, 'exec-2'))).toBe(false);
});

test('of commands that are started at once, each stores its steps', async () => {
  const { server, backend } = await home.clickhouse();
  const names = ['a', 'b', 'c', 'd'];
  for (const name of names) await writeFile(join(home.path, name), lines(5, name));
  const words = ['--clickhouse', server.url, '--grace', '20'];
  const programs = names.map((name) => exec(words, ['sh', '-c', `cat ${name} >&2`], { cwd: home.path }));
  for (const program of programs) expect((await program.ended).code).toBe(0);
  expect([backend.rows.length, twice(backend)]).toEqual([20, []]);
});

test('where the directory for temporary files is not there, another is taken', async () => {
  const { server, backend } = await home.clickhouse();
  const env = { FLYTE_TELEMETRY_CLICKHOUSE_URL: server.url, TMPDIR: join(home.path, 'none') };
  await writeFile(join(home.path, 'a'), lines(3));
  const show = 'echo "$FLYTE_TELEMETRY_CLICKHOUSE_URL"; cat a >&2; exit 3';
  const { code, stdout, stderr } = await exec([], ['sh', '-c', show], { cwd: home.path, env }).ended;
  expect([code, stdout, stderr.toString(), backend.rows.length]).toEqual([3, '\n', lines(3), 3]);
});

test('with --state none nothing is left behind', async () => {
  const { server, backend } = await home.clickhouse();
  await writeFile(join(home.path, 'a'), lines(5));
  const words = ['--clickhouse', server.url, '--state', 'none'];
  const { code, stderr } = await exec(words, ['sh', '-c', 'cat a >&2; exit 3'], { cwd: home.path }).ended;
  expect([code, stderr.toString(), backend.rows.length]).toEqual([3, lines(5), 5]);
  expect(readdirSync(home.path)).toEqual(['a']);
});

test('with --state none a tapping process that is killed is not started again, since it would store everything twice', async () => {
  const { server, backend } = await home.clickhouse();
  await writeFile(join(home.path, 'a'), lines(5));
  const command = ['sh', '-c', `cat a >&2; ${WAIT}; cat a >&2`];
  const program = exec(['--clickhouse', server.url, '--state', 'none'], command, { cwd: home.path });
  await until(() => backend.rows.length === 5);
  process.kill(await tapOf(program.pid), 'SIGKILL');
  await go();
  const { code, stderr } = await program.ended;
  expect([code, stderr.toString(), backend.rows.length]).toEqual([0, lines(5) + lines(5), 5]);
});

test('a state that cannot be used costs the command nothing', async () => {
  const { server } = await home.clickhouse();
  await writeFile(join(home.path, 'a'), lines(5));
  await writeFile(join(home.path, 'state'), 'a file');
  const words = ['--clickhouse', server.url, '--state', 'state', '--grace', '1'];
  const { code, stderr } = await exec(words, ['sh', '-c', 'cat a >&2; exit 3'], { cwd: home.path }).ended;
  expect([code, stderr.toString()]).toEqual([3, lines(5)]);
});

test('a spool that cannot be opened costs the command nothing, and exec.log says why', async () => {
  const { server } = await home.clickhouse();
  await mkdir(join(home.path, 'state'));
  await writeFile(join(home.path, 'state', 'spool'), 'a file');
  const words = ['--clickhouse', server.url, '--state', 'state', '--grace', '1'];
  const { code, stderr } = await exec(words, ['sh', '-c', 'echo words >&2; exit 3'], { cwd: home.path }).ended;
  expect([code, stderr.toString()]).toEqual([3, 'words\n']);
  expect(logOf(join(home.path, 'state'))[0]).toMatchObject({
    level: 'error',
    message: expect.stringMatching(/^--state state: the spool cannot be opened/),
  });
});

test('metrics are served while the command runs; a taken address is no reason not to store', async () => {
  const { server, backend } = await home.clickhouse();
  await writeFile(join(home.path, 'a'), lines(5));
  const words = ['--clickhouse', server.url];
  const command = ['sh', '-c', `cat a >&2; ${WAIT}`];
  const first = exec([...words, '--metrics', '127.0.0.1:0', '--state', 'one'], command, { cwd: home.path });
  await until(() => backend.rows.length === 5);
  const [{ metrics }] = logOf(join(home.path, 'one')) as unknown as [{ metrics: string }];
  const text = await (await fetch(metrics)).text();
  expect(text).toContain('steptap_step_duration_seconds_count');
  const { host } = new URL(metrics);
  const second = exec([...words, '--metrics', host, '--state', 'two'], command, { cwd: home.path });
  await until(() => backend.rows.length === 10);
  expect(logOf(join(home.path, 'two'))[0]).toMatchObject({ level: 'warning', message: /no metrics: .*it is in use/ });
  await go();
  expect([(await first.ended).code, (await second.ended).code]).toEqual([0, 0]);
});

test('what was copied and stored is given back to the disk while the command runs', async () => {
  const { server } = await home.clickhouse();
  // The last words keep the position going, which moves once a second while nothing is stored.
  const write = `${megabytes(100)} setInterval(() => fs.existsSync('go') ? process.exit() : fs.writeSync(2, 'more\\n'), 50)`;
  const program = exec(['--clickhouse', server.url, '--logs', 'none'], node(write), { cwd: home.path });
  const tape = openSync(`/proc/${await tapOf(program.pid)}/fd/3`, 'r');
  try {
    if (!punches(home.path)) return;
    await until(() => {
      const { blocks, size } = fstatSync(tape);
      return size - blocks * 512 > 60 << 20;
    });
  } finally {
    closeSync(tape);
    await go();
  }
  expect((await program.ended).code).toBe(0);
}, 120_000);

/** False where there is no fallocate of util-linux. */
function punches(directory: string): boolean {
  const path = join(directory, 'holes');
  try {
    execFileSync('fallocate', ['--length', '65536', path], { stdio: 'ignore' });
    execFileSync('fallocate', ['--punch-hole', '--offset', '0', '--length', '65536', path], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

test('the tapping process ends with the command', async () => {
  const { server } = await home.clickhouse();
  const program = exec(['--clickhouse', server.url], ['sh', '-c', WAIT], { cwd: home.path });
  const tap = await tapOf(program.pid);
  await go();
  await program.ended;
  expect(isThere(tap)).toBe(false);
});

test('with a store that is down and nothing that waits for it, a command does not cost the grace period', async () => {
  const words = ['--clickhouse', 'http://127.0.0.1:1', '--grace', '60', '--state', 's'];
  const { code } = await exec(words, ['sh', '-c', 'exit 3'], { cwd: home.path }).ended;
  expect(code).toBe(3);
  expect(logOf(join(home.path, 's')).at(-1)).toMatchObject({ message: 'stopped' });
}, 50_000);

test('when nobody reads what the command has written, and the command has ended, a signal ends the rest', async () => {
  const { server } = await home.clickhouse();
  const write = 'process.stderr.write("x".repeat(300000), () => require("fs").writeFileSync("done", ""))';
  const running = exec(['--clickhouse', server.url], node(write), { cwd: home.path });
  running.child.stderr!.pause();
  // Only the tapping process is left, and who started it may still have to hear of that.
  await until(() => existsSync(join(home.path, 'done')) && childrenOf(running.pid).length === 1);
  for (let left = false; !left;) {
    process.kill(running.pid, 'SIGTERM');
    const pause = new Promise<false>((resolve) => setTimeout(() => resolve(false), 100));
    left = await Promise.race([running.left.then(() => true), pause]);
  }
  running.child.stderr!.resume();
  expect((await running.ended).code).toBe(0);
});

test('a tapping process that hangs does not keep standard error open', async () => {
  const { server } = await home.clickhouse();
  const running = exec(['--clickhouse', server.url, '--grace', '1'], ['sh', '-c', `echo hi >&2; ${WAIT}; exit 5`], {
    cwd: home.path,
  });
  const tap = await tapOf(running.pid);
  process.kill(tap, 'SIGSTOP');
  await go();
  const { code, stderr } = await running.ended;
  expect([code, stderr.toString()]).toEqual([5, 'hi\n']);
  expect(isThere(tap)).toBe(false);
});

test.each([[[] as string[]], [['--metrics', '127.0.0.1:0']]])(
  'descriptors that were opened for the command reach it, and no others (%s)',
  async (words) => {
    const open = 'exec 3> three 9> nine; exec "$0" "$@"';
    const command = ['sh', '-c', 'echo a >&3; echo b >&9; echo c >&2; ls /proc/self/fd'];
    const under = [process.execPath, STEPTAP, 'exec', ...words, '--', ...command];
    const said: object[] = [];
    for (const each of [command, under]) {
      const { code, stderr, stdout } = await plain(['bash', '-c', open, ...each], { cwd: home.path }).ended;
      const texts = ['three', 'nine'].map((name) => readFileSync(join(home.path, name), 'utf8'));
      said.push({ code, stderr: stderr.toString(), stdout, texts });
    }
    expect(said[1]).toEqual(said[0]);
    expect(said[0]).toMatchObject({ code: 0, stderr: 'c\n', texts: ['a\n', 'b\n'] });
  },
);
