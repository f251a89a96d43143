import { appendFile, chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { HTTP_FAULTS } from '../support/faulty-server.ts';
import type { CliOptions, Ended } from '../support/run-cli.ts';
import { AskedClickHouse, listing, onlyAsked, queryOf, saidBy, served, troubles } from './check-parts.ts';
import { Home, lines } from './parts.ts';

const home = new Home();
const DEAD = 'http://127.0.0.1:1';
const NONE = ['--metrics', 'none'];

async function pipeline(text: string, name = 'p.yaml'): Promise<void> {
  await writeFile(join(home.path, name), text);
}

async function check(args: readonly string[], options: Partial<CliOptions> = {}): Promise<Ended> {
  return home.start(['check', '--json', ...args], { input: '', ...options }).ended;
}

const FILES = `
sources:
  pods: { type: file, path: in.log }
sinks:
  kept: { type: files, directory: rows }
  prometheus: { listen: none }
limits: { grace_s: 0 }
`;

test('a pipeline that was never run is in order, and nothing is made for it', async () => {
  await writeFile(join(home.path, 'in.log'), lines(3));
  await pipeline(FILES);
  const before = await listing(home.path);
  const ended = await check(['-c', 'p.yaml']);
  expect([troubles(ended), ended.stderr, ended.code]).toEqual([[], '', 0]);
  const found = saidBy(ended).map(({ part, what, where, found: text }) => `${part}, ${what} ${where}: ${text}`);
  expect(found).toContain('state, directory ./steptap-data: is not there yet; a run makes it');
  expect(found).toContain('sink kept, directory rows: is not there yet; a run makes it');
  expect(found).toContain('sink kept, rows : steps, logs, events, resources, tasks');
  expect(found.find((line) => line.startsWith('source pods'))).toMatch(
    / bytes; read from its beginning \(never read before\)$/,
  );
  expect(await listing(home.path)).toEqual(before);
});

test('without any pipeline the embedded store is looked at, and not opened', async () => {
  const store = async (): Promise<string[]> => {
    const before = await listing(home.path);
    const ended = await check(NONE);
    expect([troubles(ended), ended.code]).toEqual([[], 0]);
    expect(await listing(home.path)).toEqual(before);
    return saidBy(ended).flatMap(({ part, what, found }) => (part === 'sink clickhouse' ? [`${what}: ${found}`] : []));
  };
  const first = ['rows: steps, logs, events, resources, tasks', 'package: is installed'];
  expect(await store()).toEqual([...first, 'engine: is not there yet; a run makes it']);
  await home.start(NONE, { input: lines(3) }).ended;
  expect(await store()).toEqual([
    ...first,
    'engine: is there and can be written; its tables are looked at when a run opens it',
  ]);
}, 120_000);

test('what a run has left is read and not touched: where it goes on, what waits, and for whom nothing will be kept', async () => {
  await writeFile(join(home.path, 'in.log'), lines(3));
  await pipeline(
    FILES.replace('prometheus', `away_2: { type: clickhouse, urls: ['${DEAD}'] }\n  prometheus`),
    'before.yaml',
  );
  await home.start(['-c', 'before.yaml'], { input: '' }).ended;
  await appendFile(join(home.path, 'in.log'), lines(2, 'more'));
  await pipeline(FILES);
  const before = await listing(home.path);
  const same = await check(['-c', 'before.yaml']);
  expect(troubles(same)).toEqual(['sink away_2: server: problem: the server cannot be reached (ECONNREFUSED)']);
  expect(saidBy(same).find(({ where }) => where === 'away_2')).toMatchObject({ what: 'waiting', state: 'ok' });
  const ended = await check(['-c', 'p.yaml']);
  expect(troubles(ended)).toEqual([
    expect.stringMatching(
      /^state: waiting: warning: all that the spool has \(.*\) for it, which is no sink of this pipeline/,
    ),
  ]);
  const size = Buffer.byteLength(lines(3));
  expect(saidBy(ended).find(({ what }) => what === 'file')?.found).toContain(`; goes on at byte ${size}, `);
  expect(ended.code).toBe(0);
  expect(await listing(home.path)).toEqual(before);
});

test('of a sink that has stored some records the others are counted', async () => {
  await writeFile(join(home.path, 'in.log'), lines(3));
  const { server } = await home.clickhouse();
  await pipeline(
    FILES.replace('kept: { type: files, directory: rows }', `ch_2: { type: clickhouse, urls: ['${server.url}'] }`),
  );
  await home.start(['-c', 'p.yaml', '--grace', '20'], { input: '' }).ended;
  await server.leave();
  await appendFile(join(home.path, 'in.log'), lines(2, 'more'));
  await home.start(['-c', 'p.yaml'], { input: '' }).ended;
  const waiting = saidBy(await check(['-c', 'p.yaml'])).filter(({ what }) => what === 'waiting');
  expect(waiting).toMatchObject([
    { where: 'ch_2', state: 'ok', found: expect.stringMatching(/^gets \d+ records? first, of earlier runs \(/) },
  ]);
  await server.comeBack();
});

test('a file that was written anew is read from its beginning, and that is said', async () => {
  await writeFile(join(home.path, 'in.log'), lines(3));
  await pipeline(FILES);
  await home.start(['-c', 'p.yaml'], { input: '' }).ended;
  await writeFile(join(home.path, 'in.log'), lines(4, 'other'));
  const ended = await check(['-c', 'p.yaml']);
  expect(troubles(ended)).toEqual([
    'source pods: file: warning: is read from its beginning: it was written anew: it does not begin as it did',
  ]);
});

test('a file that is not there is a problem, unless it is waited for', async () => {
  await pipeline(FILES);
  const ended = await check(['-c', 'p.yaml']);
  expect([troubles(ended), ended.code]).toEqual([['source pods: file: problem: there is no such file'], 1]);
  const followed = await check(['-c', 'p.yaml', '--follow']);
  expect([troubles(followed), followed.code]).toEqual([
    ['source pods: file: warning: is not there yet: a run waits for it'],
    0,
  ]);
  await mkdir(join(home.path, 'in.log'));
  expect(troubles(await check(['-c', 'p.yaml']))).toEqual(['source pods: file: problem: is a directory']);
});

test('a dead server costs the others nothing, and no password is told', async () => {
  const { server } = await served(new AskedClickHouse());
  const urls = ['--clickhouse', server.url.replace('//', '//ada:pass-9c1@'), '--clickhouse', DEAD];
  const dead = ['--elasticsearch', DEAD.replace('//', '//ada:pass-9c1@')];
  const ended = await check([...urls, ...dead, ...NONE]);
  expect([troubles(ended), ended.code]).toEqual([
    [
      'sink clickhouse: server: warning: the server cannot be reached (ECONNREFUSED)',
      'sink elasticsearch: server: problem: cannot be reached (ECONNREFUSED)',
    ],
    1,
  ]);
  const rights = saidBy(ended).find(({ what }) => what === 'rights');
  expect(rights).toMatchObject({ where: 'user ada', found: 'may SELECT, INSERT, CREATE TABLE' });
  expect(ended.stdout + ended.stderr).not.toContain('pass-9c1');
  onlyAsked(server);
});

test('servers that never answer are given ten seconds, all at once', async () => {
  const { server } = await served(new AskedClickHouse());
  const asked: number[] = [];
  server.faultOfQuestions = HTTP_FAULTS.hang(() => void asked.push(performance.now()), false);
  const urls = ['--clickhouse', server.url, '--clickhouse', `${server.url}/b`, '--elasticsearch', server.url];
  const ended = await check([...urls, ...NONE]);
  expect(troubles(ended)).toEqual([
    'sink clickhouse: server: problem: gave no answer in time',
    'sink clickhouse: server: problem: gave no answer in time',
    'sink elasticsearch: server: problem: gave no answer in time',
  ]);
  expect(asked).toHaveLength(3);
  // One after the other, the last would have been asked when the others had had their time.
  expect(asked.at(-1)! - asked[0]!).toBeLessThan(10_000);
}, 60_000);

test('a wrong password is a problem, and what to do about it is said', async () => {
  const { server, backend } = await served(new AskedClickHouse());
  backend.answers['SELECT version()'] = { code: 516, name: 'AUTHENTICATION_FAILED' };
  const ended = await check(['--clickhouse', server.url, ...NONE]);
  expect(troubles(ended)).toEqual([
    'sink clickhouse: server: problem: the user or the password is wrong (516 AUTHENTICATION_FAILED)',
  ]);
  expect(saidBy(ended).at(-1)?.todo).toBe('check `user` and `password`');
});

test('tables that are missing are made by a run, or the statements are there for whoever may', async () => {
  const { server } = await served(new AskedClickHouse());
  const auto = await check(['--clickhouse', server.url, ...NONE]);
  expect([troubles(auto), auto.code]).toEqual([[], 0]);
  const never = await check(['--clickhouse', server.url, '--create', 'never', ...NONE]);
  expect(troubles(never)).toEqual(Array(5).fill('sink clickhouse: table: problem: is not there'));
  expect(never.code).toBe(1);
  const told = await home.start(['check', '--clickhouse', server.url, '--create', 'never', ...NONE], { input: '' })
    .ended;
  expect(told.stdout).toContain('statements for sink clickhouse\nCREATE TABLE IF NOT EXISTS `default`.`steps` (\n');
  expect(told.stdout.endsWith('\n\na run would not work: 5 problems\n')).toBe(true);
  expect(told.stdout).not.toContain('\x1b');
  onlyAsked(server);
});

test('a right that is missing is named, with the statement that gives it', async () => {
  const { server, backend } = await served(new AskedClickHouse());
  backend.answers = {
    'CHECK GRANT CREATE': '0\n',
    'CHECK GRANT INSERT ON `default`.`logs`': '0\n',
    'CHECK GRANT INSERT ON `default`.*': '0\n',
    ...backend.answers,
  };
  const ended = await check(['--clickhouse', server.url, ...NONE]);
  const rights = saidBy(ended).find(({ what }) => what === 'rights');
  expect(rights).toMatchObject({
    state: 'problem',
    found: 'may not INSERT ON `default`.`logs`, CREATE TABLE ON `default`.*',
    statements: ['GRANT INSERT ON `default`.`logs` TO `ada`', 'GRANT CREATE TABLE ON `default`.* TO `ada`'],
  });
  expect(ended.code).toBe(1);
  expect(server.asked.map(queryOf)).not.toContain('SHOW GRANTS FORMAT TSVRaw');
});

test('a user who is read-only, and one of whom the server says nothing, are told apart', async () => {
  const { server, backend } = await served(new AskedClickHouse());
  backend.answers['SELECT currentUser()'] = 'ada\t1\n';
  expect(troubles(await check(['--clickhouse', server.url, ...NONE]))).toEqual([
    'sink clickhouse: rights: problem: is read-only',
  ]);
  backend.answers['SELECT currentUser()'] = 'ada\t0\n';
  backend.answers['CHECK GRANT'] = { code: 62, name: 'SYNTAX_ERROR' };
  backend.answers['SHOW GRANTS'] = 'GRANT writer TO ada\n';
  const ended = await check(['--clickhouse', server.url, ...NONE]);
  expect(troubles(ended)).toEqual([
    'sink clickhouse: rights: unknown: the server does not tell whether it may SELECT, INSERT, CREATE TABLE',
  ]);
  expect(ended.code).toBe(0);
});

test('clocks that differ, and a server that is too old, are told', async () => {
  const { server, backend } = await served(new AskedClickHouse());
  backend.answers['SELECT toUnixTimestamp64Milli'] = `${Date.now() - 3_600_000}\n`;
  const skewed = await check(['--clickhouse', server.url, ...NONE]);
  expect(troubles(skewed)).toEqual([
    expect.stringMatching(/^sink clickhouse: clock: warning: is 3[56]\d\d s behind this machine$/),
  ]);
  backend.answers['SELECT version()'] = '22.3.1.1\n';
  backend.answers['SELECT name FROM system.settings'] = 'async_insert\n';
  const old = await check(['--clickhouse', server.url, ...NONE]);
  expect(troubles(old)).toEqual([
    'sink clickhouse: server: problem: ClickHouse 22.3.1.1: it has no deduplication tokens, so a retry would store rows twice',
  ]);
});

test('a state that another process holds is a problem, and that process goes on', async () => {
  const run = home.start(['--clickhouse', DEAD, ...NONE]);
  await run.said(/^reading stdin/);
  const ended = await check(['--clickhouse', (await served(new AskedClickHouse())).server.url, ...NONE]);
  expect([troubles(ended), ended.code]).toEqual([[`state: lock: problem: in use by process ${run.child.pid}`], 1]);
  expect((await readdir(join(home.path, 'steptap-data'))).filter((name) => name.startsWith('LOCK'))).toEqual(['LOCK']);
  expect(run.child.exitCode).toBe(null);
});

test('a state that cannot be written is a problem', async () => {
  const root = process.getuid?.() === 0;
  await mkdir(join(home.path, 'theirs'));
  await chmod(join(home.path, 'theirs'), 0o555);
  await chmod(home.path, 0o755);
  const args = ['-c', 'p.yaml', '--input', '-'];
  await pipeline(FILES.replace('rows', 'theirs/rows'));
  const ended = await check([...args, '--state', 'theirs'], root ? { uid: 65_534 } : {});
  expect([troubles(ended), ended.code]).toEqual([
    [
      'state: directory: problem: cannot be written (EACCES)',
      `sink kept: directory: problem: cannot be made: ${join(home.path, 'theirs')} cannot be written (EACCES)`,
    ],
    1,
  ]);
  const behind = await check([...args, '--state', 'p.yaml/state'], root ? { uid: 65_534 } : {});
  expect(troubles(behind)[0]).toMatch(
    /^state: directory: problem: cannot be made: something on the way to it is no directory/,
  );
});

test('a state on a disk that is too small for its spool is warned of', async () => {
  await writeFile(join(home.path, 'in.log'), '');
  await pipeline(FILES);
  const ended = await check(['-c', 'p.yaml', '--spool-bytes', '900000g']);
  expect(troubles(ended)).toEqual([
    expect.stringMatching(/^state: space: warning: .*, and the spool may take 879 TiB: /),
  ]);
  expect(ended.code).toBe(0);
});

test('an address for metrics that is taken is a problem when it was named, and free again when it was not', async () => {
  await writeFile(join(home.path, 'in.log'), '');
  await pipeline(FILES.replace('prometheus: { listen: none }', ''));
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const address = `127.0.0.1:${(taken.address() as AddressInfo).port}`;
  const ended = await check(['-c', 'p.yaml', '--metrics', address]);
  expect([troubles(ended), ended.code]).toEqual([['sink prometheus: address: problem: it is in use'], 1]);
  await new Promise((resolve) => taken.close(resolve));
  const free = await check(['-c', 'p.yaml', '--metrics', address]);
  expect([troubles(free), free.code]).toEqual([[], 0]);
  await new Promise<void>((resolve, reject) => {
    const again = createServer().once('error', reject);
    again.listen(Number(address.split(':')[1]), '127.0.0.1', () => again.close(() => resolve()));
  });
});

test('of privacy and of what came out of the environment the names are told, and no secret', async () => {
  await writeFile(join(home.path, 'in.log'), '');
  await pipeline(`${FILES}
privacy: { mask: [token], hash: [email], hash_key: '\${env:KEY}' }
enrichment: { constants: { namespace: ml } }
dialects: { log: { store: false } }
`);
  const ended = await check(['-c', 'p.yaml'], { env: { KEY: 'canary-0123456789abcdef' } });
  const found = Object.fromEntries(saidBy(ended).map(({ what, found: text }) => [what, text]));
  expect(found).toMatchObject({
    files: 'p.yaml',
    dialects: 'flytekit, flyte2, flyte-services, orchest, rhapsody, log (counted, not stored)',
    constants: 'namespace=ml',
    privacy: 'params none; attributes all; mask token; hash email (its secret is there)',
  });
  expect(ended.stdout).not.toContain('canary');
});

test.each([
  [
    'sinks: { clickhouze: {} }',
    /^steptap: p\.yaml:1:10: sinks\.clickhouze: there is no such sink; did you mean clickhouse\?/,
  ],
  [
    'sinks: { prometheus: { buckets: [2, 1] } }',
    /^steptap: p\.yaml:1:33: sinks\.prometheus\.buckets: must be ascending/,
  ],
  ['privacy: { hash: [email] }', /^steptap: --hash needs a secret/],
])('a configuration that is wrong ends with 2 before anything is looked at: %s', async (text, message) => {
  await pipeline(text);
  const { code, stdout, stderr } = await check(['-c', 'p.yaml']);
  expect(stderr).toMatch(message);
  expect([stdout, code]).toEqual(['', 2]);
});
