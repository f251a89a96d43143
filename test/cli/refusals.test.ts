import { writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Home } from './parts.ts';

const home = new Home();
const NONE = ['--metrics', 'none'];
const HINT = '(steptap --help explains, steptap run --help lists every option)';
const FIELDS =
  'namespace, pod, pod_uid, container, node, app, component, project, domain, workflow, execution_id, node_id, task_version';

/** What is wrong, and every word that is said about it. */
const refusals: readonly (readonly [string, readonly string[], string])[] = [
  ['a file that is not there', ['--input', 'nope.log', ...NONE], 'steptap: --input nope.log: there is no such file'],
  ['a directory', ['--input', '.', ...NONE], 'steptap: --input .: is a directory; name a file'],
  ['to follow nothing', ['--follow'], 'steptap: --follow: name the files that are followed with --input FILE'],
  [
    'a constant of no field',
    ['--set', 'colour=red'],
    `steptap: --set colour=red: write field=value, where field is one of ${FIELDS}`,
  ],
  [
    'a constant of nothing',
    ['--set', 'pod='],
    `steptap: --set pod=: write field=value, where field is one of ${FIELDS}`,
  ],
  [
    'a zone that is none',
    ['--timezone', 'Mars/Olympus'],
    'steptap: --timezone Mars/Olympus: no such zone; write UTC, +02:00 or Europe/Berlin',
  ],
  [
    'an address that is none',
    ['--metrics', 'nonsense', '--elasticsearch', 'http://127.0.0.1:1'],
    'steptap: cannot listen on nonsense: it is not HOST:PORT, :PORT or [IPV6]:PORT; use --metrics HOST:PORT or --metrics none',
  ],
  [
    'a size that is none',
    ['--spool-bytes', 'lots'],
    'steptap: --spool-bytes lots: give a size of at least 8m, such as 64m or 1g',
  ],
  [
    'a spool that is too small',
    ['--spool-bytes', '1m'],
    'steptap: --spool-bytes 1m: give a size of at least 8m, such as 64m or 1g',
  ],
  [
    'a memory that is too small',
    ['--spool-memory', '512k'],
    'steptap: --spool-memory 512k: give a size of at least 1m, such as 64m or 1g',
  ],
  [
    'a policy that is none',
    ['--sync', 'sometimes'],
    `error: option '--sync <when>' argument 'sometimes' is invalid. Allowed choices are group, always, never.\n${HINT}`,
  ],
  [
    'to give up rows of a sink that is none',
    ['--drop-oldest', 'elasticsearch', '--clickhouse', 'http://127.0.0.1:1', ...NONE],
    'steptap: --drop-oldest elasticsearch: rows go to no such sink; there are clickhouse',
  ],
  [
    'to keep nothing, without a server',
    ['--state', 'none', ...NONE],
    'steptap: --state none: then rows need a server; name one with --clickhouse or --elasticsearch, or add --no-store',
  ],
  ['a time that is none', ['--grace', 'soon'], 'steptap: --grace soon: give a number of seconds, such as 30'],
  [
    'a variable that is not set',
    ['--clickhouse', 'http://${env:STEPTAP_NO_SUCH}:8123'],
    'steptap: --clickhouse: the environment has no STEPTAP_NO_SUCH; set it, or write ${env:STEPTAP_NO_SUCH:-default}',
  ],
  [
    'a hash without its secret',
    ['--hash', 'email'],
    'steptap: --hash needs a secret: set STEPTAP_HASH_KEY to a secret of at least 16 bytes, or STEPTAP_HASH_KEY_FILE to a file that holds it (openssl rand -hex 32 makes one)',
  ],
  ['an option that is none', ['--colour', 'red'], `error: unknown option '--colour'\n${HINT}`],
  [
    'a command that is none',
    ['qeury', 'SELECT 1'],
    'steptap: qeury: there is no such command; to read a file write --input qeury',
  ],
  [
    'a file without --input',
    ['run', 'pod.log'],
    'steptap: pod.log: there is no such command; to read a file write --input pod.log',
  ],
  [
    'a choice that is none',
    ['--logs', 'some'],
    `error: option '--logs <which>' argument 'some' is invalid. Allowed choices are all, none.\n${HINT}`,
  ],
  ['a query of nothing', ['query'], `error: missing required argument 'sql'\n${HINT}`],
  [
    'a query where nothing is',
    ['query', 'SELECT 1'],
    'steptap: --state ./steptap-data: there is no embedded store; a run without --clickhouse makes one',
  ],
  [
    'a database that has no name',
    ['ddl', '--database', 'a b'],
    'steptap: "a b" cannot name a database or table: use letters, digits, _ and -',
  ],
];

test.each(refusals)('%s ends with 2, and the sentence says what to do', async (_, args, message) => {
  const { code, stdout, stderr } = await home.start(args, { input: '' }).ended;
  expect(stderr).toBe(`${message}\n`);
  expect(stdout).toBe('');
  expect(code).toBe(2);
});

test('an address with a password in it is refused without repeating it', async () => {
  const { code, stderr } = await home.start(['--clickhouse', 'http://u:pass-9c1@:bad', ...NONE], { input: '' }).ended;
  expect(stderr).toBe('steptap: clickhouse: one of `urls` is not an address: write https://host:8443\n');
  expect(code).toBe(2);
});

test('a port that is in use is only warned of when nobody named it', async () => {
  const { server } = await home.clickhouse();
  // Another test, or another steptap, may have it: just as well.
  const taken = createServer().on('error', () => undefined);
  await new Promise((resolve) => taken.once('error', resolve).listen(9464, '127.0.0.1', () => resolve(undefined)));
  const { code, log } = await home.start(['--clickhouse', server.url], { input: '' }).ended;
  taken.close();
  expect(log.filter(({ level }) => level !== 'info').map(({ message }) => message)).toEqual([
    'no metrics: cannot listen on 127.0.0.1:9464: it is in use; use --metrics HOST:PORT or --metrics none',
    'ClickHouse does not say what it is: its tables are neither made nor checked',
  ]);
  expect(code).toBe(0);
});

test('a port that is in use is refused when it was named', async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const address = `127.0.0.1:${(taken.address() as AddressInfo).port}`;
  const { code, stderr } = await home.start(['--metrics', address], { input: '' }).ended;
  expect(stderr).toBe(
    `steptap: cannot listen on ${address}: it is in use; use --metrics HOST:PORT or --metrics none\n`,
  );
  expect(code).toBe(2);
  taken.close();
});

test('a state that cannot be written to is refused', async () => {
  await writeFile(join(home.path, 'file'), '');
  const args = ['--state', 'file/state', '--clickhouse', 'http://127.0.0.1:1', ...NONE];
  const { code, stderr } = await home.start(args, { input: '' }).ended;
  expect(stderr).toBe('steptap: --state file/state: cannot be written (ENOTDIR); name a directory of your own\n');
  expect(code).toBe(2);
});

test('a second run on the same state ends with 2 and names the first', async () => {
  const args = ['--clickhouse', 'http://127.0.0.1:1', ...NONE];
  const first = home.start(args);
  await first.said(/^reading stdin/);
  const { code, stderr } = await home.start(args, { input: '' }).ended;
  expect(stderr).toMatch(
    new RegExp(
      `^steptap: --state ./steptap-data: in use by process ${first.child.pid} \\(since [^)]*\\); stop that one, or `,
    ),
  );
  expect(code).toBe(2);
  first.kill('SIGKILL');
  await first.ended;
  // What a killed run leaves behind blocks nobody.
  const third = home.start(args);
  await third.said(/^reading stdin/);
});

test('the version is that of the package', async () => {
  const { code, stdout } = await home.start(['--version'], { input: '' }).ended;
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(code).toBe(0);
});

test('an address that stands in the environment is refused by the name of its variable', async () => {
  const env = { FLYTE_TELEMETRY_CLICKHOUSE_URL: 'localhost:9000' };
  const { code, stderr } = await home.start(NONE, { input: '', env }).ended;
  expect(stderr).toBe(
    'steptap: FLYTE_TELEMETRY_CLICKHOUSE_URL: clickhouse: one of `urls` is not an address: write https://host:8443\n',
  );
  expect(code).toBe(2);
});
