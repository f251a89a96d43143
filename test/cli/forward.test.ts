import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCli, type Ended } from '../support/run-cli.ts';
import { Home, line } from './parts.ts';

const home = new Home();

async function write(sources: string, sinks: string, file = 'p.yaml'): Promise<string[]> {
  await writeFile(
    join(home.path, file),
    `sources: { ${sources} }\nsinks: { ${sinks}, m: { type: prometheus, listen: none } }\n`,
  );
  return ['-c', file];
}

const FILES = 'files: { directory: rows }';

test.each([
  [
    'a source that others can reach, without TLS and a key,',
    "in: { type: forward, listen: '0.0.0.0:0' }",
    FILES,
    /add tls and shared_key_file/,
  ],
  [
    'a sink with a user and no password',
    'in: { type: stdin }',
    "up: { type: forward, address: 'a:1', shared_key: secret-1, username: u }",
    /both username and password_file/,
  ],
])('%s is refused', async (_what, source, sink, why) => {
  const ended = await runCli(await write(source, sink), { cwd: home.path });
  expect(ended.code).toBe(2);
  expect(ended.stderr).toMatch(why);
  expect(ended.stderr).not.toContain('secret-1');
});

test('check says who may send, and whether the receiver is there and lets us in', async () => {
  await writeFile(join(home.path, 'key'), 'k\n', { mode: 0o600 });
  const socket = join(home.path, 's');
  const check = async (key: string): Promise<Ended> => {
    const source = `in: { type: forward, listen: 'unix:${socket}-2', shared_key_file: key }`;
    return runCli(
      [
        'check',
        '--json',
        ...(await write(source, `up: { type: forward, address: 'unix:${socket}', shared_key: ${key} }`)),
      ],
      {
        cwd: home.path,
      },
    );
  };
  const items = ({ stdout }: Ended): unknown[] =>
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
  const gone = await check('k');
  expect(gone.code).toBe(1);
  expect(items(gone)).toContainEqual(
    expect.objectContaining({ part: 'source in', what: 'peers', state: 'ok', found: 'whoever has the key' }),
  );
  expect(items(gone)).toContainEqual(expect.objectContaining({ part: 'sink up', what: 'receiver', state: 'problem' }));
  const source = `in: { type: forward, listen: 'unix:${socket}', shared_key_file: key }`;
  const receiver = home.start([...(await write(source, FILES, 'receiver.yaml')), '--state', 'receiver']);
  await receiver.said(/listening on unix:/);
  const there = await check('k');
  expect(there.code).toBe(0);
  expect(items(there)).toContainEqual(
    expect.objectContaining({ what: 'receiver', state: 'ok', found: 'answers, and has the key' }),
  );
  const other = await check('other');
  expect(other.code).toBe(1);
  expect(other.stdout).toContain('shared key mismatch');
});

test('a listener moves when the pipeline is changed, and nothing that was answered is lost', async () => {
  const [first, second] = ['a', 'b'].map((name) => join(home.path, name));
  const args = await write(`in: { type: forward, listen: 'unix:${first}' }`, FILES);
  const running = home.start(args);
  await running.said(new RegExp(`listening on unix:${first}`));
  await write(`in: { type: forward, listen: 'unix:${second}' }`, FILES);
  running.kill('SIGHUP');
  await running.said(new RegExp(`listening on unix:${second}`));
  running.kill('SIGTERM');
  expect((await running.ended).code).toBe(0);
});

test('what steptap writes to standard output, another one takes as the events that they are', async () => {
  const input = `${line('a')}plain text\nTraceback (most recent call last):\n  File "x.py", line 1, in f\nValueError: x\n`;
  const options = { cwd: home.path, input };
  const first = await runCli(['--stdout', '--metrics', 'none'], options);
  await writeFile(join(home.path, 'rows.yaml'), 'sources: { in: { type: stdin, rows: true } }\n');
  const again = ['-c', 'rows.yaml', '--stdout', '--metrics', 'none'];
  const second = await runCli(again, { ...options, input: first.stdout });
  const rows = ({ stdout }: Ended): unknown[] =>
    stdout
      .trimEnd()
      .split('\n')
      .map((each) => ({ ...(JSON.parse(each) as object), _src: '', _seq: 0, _i: 0 }));
  expect(rows(first)).toHaveLength(3);
  expect(rows(second)).toEqual(rows(first));
});
