import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Home } from '../cli/parts.ts';
import { exec, megabytes, node, plain, until, WAIT, whole } from './parts.ts';

const home = new Home();
/** A port where nothing listens. */
const DOWN = ['--clickhouse', 'http://127.0.0.1:9', '--grace', '0.2'];

const COMMANDS: Record<string, string[]> = {
  'writes 100 MB': node(megabytes(100)),
  'writes no newline at its end, and both outputs': ['sh', '-c', 'echo out; printf "no newline" >&2'],
  'exits with 3': ['sh', '-c', 'echo three >&2; exit 3'],
  crashes: node("fs.writeSync(2, 'before\\n'); throw new Error('on purpose')"),
  'is ended by SIGTERM': ['sh', '-c', 'echo before >&2; kill -TERM $$'],
  'is ended by SIGKILL': ['sh', '-c', 'echo before >&2; kill -KILL $$'],
  'is ended by SIGSEGV': ['sh', '-c', 'echo before >&2; kill -SEGV $$'],
  'is ended by SIGABRT': ['sh', '-c', 'echo before >&2; kill -ABRT $$'],
  'is ended by SIGUSR1': ['sh', '-c', 'echo before >&2; kill -USR1 $$'],
  'is ended by SIGPIPE': ['sh', '-c', 'echo before >&2; kill -PIPE $$'],
  'is ended by SIGINT': ['sh', '-c', 'echo before >&2; kill -INT $$'],
  'closes its standard error': ['sh', '-c', 'echo before >&2; exec 2>&-; echo behind; exit 4'],
  'writes nothing': ['true'],
  'cannot find a file': ['cat', 'no such file'],
};

test.each(Object.keys(COMMANDS))(
  'a command that %s does so with no sink, with a store, and with one that is down',
  { timeout: 120_000 },
  async (what) => {
    const command = COMMANDS[what]!;
    const { server } = await home.clickhouse();
    const options = { cwd: home.path };
    const without = whole(await plain(command, options).ended);
    expect(whole(await exec([], command, options).ended)).toEqual(without);
    expect(whole(await exec(DOWN, command, options).ended)).toEqual(without);
    const words = ['--clickhouse', server.url, '--state', 'other'];
    expect(whole(await exec(words, command, options).ended)).toEqual(without);
  },
);

test('a daemon goes on writing after the command, which ends without waiting for it', async () => {
  const command = ['sh', '-c', `echo first >&2; (${WAIT}; echo second >&2; exit 0) & exit 5`];
  for (const words of [[], DOWN]) {
    await rm(join(home.path, 'go'), { force: true });
    const program = exec(words, command, { cwd: home.path });
    await program.left;
    expect(program.child.exitCode).toBe(5);
    await until(() => program.stderr.toString() === 'first\n');
    await writeFile(join(home.path, 'go'), '');
    expect(await program.ended).toMatchObject({ code: 5, stderr: Buffer.from('first\nsecond\n') });
  }
});

test.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH'] as const)(
  '%s is passed on to the command',
  async (signal) => {
    const command = node(
      `process.on('${signal}', () => { fs.writeSync(2, 'it came\\n'); process.exit(7); });
      setInterval(() => {}, 1000); fs.writeSync(2, 'ready\\n');`,
    );
    for (const words of [[], DOWN]) {
      const program = exec(words, command, { cwd: home.path });
      await until(() => program.stderr.toString() === 'ready\n');
      program.child.kill(signal);
      const { code, stderr } = await program.ended;
      expect([code, stderr.toString()]).toEqual([7, 'ready\nit came\n']);
    }
  },
);

test('Ctrl-C at a terminal reaches the command once, and only the command', async () => {
  const command = node(
    `let count = 0; process.on('SIGINT', () => { if (count++ === 0) setTimeout(() => { fs.writeSync(1, 'count ' + count); process.exit(0); }, 500); });
    setInterval(() => {}, 1000); fs.writeSync(1, 'ready');`,
  );
  await writeFile(join(home.path, 'command.cjs'), command[2]!);
  const { server } = await home.clickhouse();
  const inside = `exec ${process.execPath} ${join(import.meta.dirname, '../../dist/cli/steptap.js')} exec --clickhouse ${server.url} -- node command.cjs`;
  const script = plain(['script', '--quiet', '--flush', '--return', '--command', inside, '/dev/null'], {
    cwd: home.path,
  });
  let seen = '';
  script.child.stdout!.on('data', (text: Buffer) => (seen += text.toString('utf8')));
  await until(() => seen.includes('ready'));
  script.child.stdin!.write('\x03');
  const { code, stdout } = await script.ended;
  expect([code, stdout]).toEqual([0, expect.stringMatching(/count 1$/)]);
});

test('a command that nobody finds is 127, one that cannot be started is 126', async () => {
  await writeFile(join(home.path, 'text'), 'words', { mode: 0o644 });
  for (const words of [[], DOWN]) {
    const none = await exec(words, ['./none'], { cwd: home.path }).ended;
    expect([none.code, none.stderr.toString()]).toEqual([127, 'steptap: ./none: there is no such command\n']);
    const text = await exec(words, ['./text'], { cwd: home.path }).ended;
    expect([text.code, text.stderr.toString()]).toEqual([126, 'steptap: ./text: it cannot be started (EACCES)\n']);
  }
});

test.each([
  [['--grase', '3'], /unknown option '--grase'/],
  [['--clickhouse', 'nonsense'], /clickhouse: one of `urls` is not an address/],
  [['--clickhouse', 'http://127.0.0.1:9', '--grace', 'long'], /--grace long: give a number of seconds/],
  [['--metrics', 'here'], /--metrics here: it is not HOST:PORT/],
  [['--input', 'file'], /unknown option '--input'/],
])('wrong options (%s) are said before the command is started', async (words, message) => {
  const { code, stderr } = await exec(words, ['touch', 'started'], { cwd: home.path }).ended;
  expect([code, stderr.toString()]).toEqual([2, expect.stringMatching(message)]);
  expect(existsSync(join(home.path, 'started'))).toBe(false);
});

test('without a command, exec says how it is used', async () => {
  const { code, log, stderr } = await home.start(['exec', 'true']).ended;
  expect([code, log, stderr]).toEqual([
    2,
    [],
    'steptap: exec: name a command behind --, as in: steptap exec -- python train.py\n',
  ]);
});

test('when nobody reads standard error any more, the command goes on to its end', async () => {
  const { server, backend } = await home.clickhouse();
  const command = ['sh', '-c', `echo first >&2; ${WAIT}; echo second >&2; touch behind; exit 6`];
  const program = exec(['--clickhouse', server.url], command, { cwd: home.path });
  await until(() => program.stderr.length > 0);
  program.child.stderr!.destroy();
  await writeFile(join(home.path, 'go'), '');
  expect((await program.ended).code).toBe(6);
  expect(existsSync(join(home.path, 'behind'))).toBe(true);
  expect(backend.rows).toHaveLength(2);
});

test('what a script writes to /dev/stderr comes out too', async () => {
  const { server } = await home.clickhouse();
  const command = ['sh', '-c', `echo first >&2; ${WAIT}; echo other > /dev/stderr; exit 0`];
  const program = exec(['--clickhouse', server.url], command, { cwd: home.path });
  await until(() => program.stderr.length > 0);
  // The copying process has looked at the file once more by then.
  await new Promise((resolve) => {
    setTimeout(resolve, 200);
  });
  await writeFile(join(home.path, 'go'), '');
  expect((await program.ended).stderr.toString()).toBe('first\nother\n');
});
