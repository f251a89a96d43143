import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { KUBERNETES_DEFAULTS } from '../../../src/kubernetes/rules.ts';
import { Cluster, pod, until } from '../../kubernetes/parts.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { post } from '../http-parts.ts';
import { INSERT, row, start, type Started } from './parts.ts';

const names = ({ spool }: Started): unknown[] => spool.rows('steps').map(({ step_raw }) => step_raw);
const NEVER = { query: 'INSERT INTO t FORMAT JSONEachRow' };

test('rows are stored wherever the statement stands, in every writing of them that ClickHouse takes', async () => {
  const source = await start();
  const sent = [
    await source.send(row('in the URL')),
    await source.send(`${INSERT}\n${row('in the body')}\n`, {}),
    await source.send(`FORMAT JSONEachRow ${row('in both')}`, { query: 'INSERT INTO t (event, step)' }),
    await source.send(row('second'), { query: `${INSERT} ${row('first in the URL')}` }),
    await source.send(`[${row('of an array')},\n ${row('of the same')}]`),
    await source.send(row('one') + row('behind another'), { query: 'INSERT INTO t FORMAT NDJSON' }),
    await source.send(row('by default'), { query: 'INSERT INTO t', default_format: 'JSONEachRow' }),
    await source.send(gzipSync(row('in gzip')), undefined, { headers: { 'content-encoding': 'gzip' } }),
    await source.send(''),
  ];
  expect(sent.map(({ status }) => status)).toEqual(sent.map(() => 200));
  expect(names(source)).toEqual([
    'in the URL',
    'in the body',
    'in both',
    'first in the URL',
    'second',
    'of an array',
    'of the same',
    'one',
    'behind another',
    'by default',
    'in gzip',
  ]);
  expect(source.spool.rows('steps')[0]).toMatchObject({
    ts: '2026-02-19T10:31:12.640000Z',
    kind: 'step',
    dialect: 'flytekit',
    wall_time_s: 0.5,
    execution_id: 'x',
  });
});

test('an answer has what clients read out of it: how many rows, and the id of the query', async () => {
  const { send } = await start();
  const { headers, body } = await send(`${row('a')}\n${row('b')}\n`, {
    query: INSERT,
    query_id: 'q-1',
    async_insert: '1',
  });
  expect(JSON.parse(String(headers['x-clickhouse-summary']))).toMatchObject({ written_rows: '2', result_rows: '2' });
  expect([headers['x-clickhouse-query-id'], body]).toEqual(['q-1', '']);
  const odd = await send('', { query: INSERT, query_id: 'a\r\nset-cookie: b' });
  expect(odd.headers['x-clickhouse-query-id']).toMatch(/^[0-9a-f-]{36}$/);
});

test('whoever asks whether somebody is there is told so, and lets no password be looked at', async () => {
  const { url } = await start({ password: 'canary' });
  const get = async (path: string): Promise<unknown[]> => {
    const { status, body } = await post(new URL(path, url).href, '', { method: 'GET' });
    return [status, body];
  };
  expect([await get('/ping'), await get('/')]).toEqual([
    [200, 'Ok.\n'],
    [200, 'Ok.\n'],
  ]);
  expect(await get('/?query=SELECT%201&password=canary')).toEqual([200, '1\n']);
  expect((await get('/?query=SELECT%201'))[0]).toBe(401);
});

test('a row that can be no event is a dead letter, and its neighbours are stored', async () => {
  const source = await start();
  const broken = row('broken', { wall_time_s: 'long' });
  const { status } = await source.send([row('before'), broken, row('cut').slice(0, 90), row('after')].join('\n'));
  expect([status, names(source)]).toEqual([200, ['before', 'after']]);
  expect(source.spool.rows('rejections').map(({ reason }) => reason)).toEqual(['schema', 'json_syntax']);
  expect(source.spool.batches.length).toBe(1);
});

test.each([
  [62, 'SYNTAX_ERROR', 400, { query: 'INSERT INTO t VALUES (1)' }, /at 15: expected FORMAT/],
  [62, 'SYNTAX_ERROR', 400, { query: 'INSERT INTO' }, /expected a name/],
  [73, 'UNKNOWN_FORMAT', 404, { query: 'INSERT INTO t FORMAT CSV' }, /Unknown format CSV: steptap takes INSERT/],
  [73, 'UNKNOWN_FORMAT', 404, { query: 'INSERT INTO t' }, /No format is said/],
  [48, 'NOT_IMPLEMENTED', 400, { query: 'CREATE TABLE t (a Int8)' }, /not CREATE/],
  [48, 'NOT_IMPLEMENTED', 400, {}, /steptap takes INSERT/],
  [48, 'NOT_IMPLEMENTED', 400, { query: INSERT, decompress: '1' }, /send gzip/],
])('what is not taken is said as ClickHouse says it: %i %s', async (code, name, status, params, why) => {
  const { send, spool, warnings } = await start();
  const answer = await send('', params);
  expect(answer.body).toMatch(new RegExp(`^Code: ${code}\\. DB::Exception: .*\\. \\(${name}\\)\n$`));
  expect(answer.body).toMatch(why);
  expect([answer.status, answer.headers['x-clickhouse-exception-code']]).toEqual([status, String(code)]);
  expect([spool.batches.length, warnings.length]).toEqual([0, 1]);
});

test('an insert into a table that is not named is refused, in whatever way its database is said', async () => {
  const { send } = await start({ tables: ['default.a', 'b'] });
  const into = async (table: string, params = {}, headers = {}): Promise<number> =>
    (await send('', { query: `INSERT INTO ${table} FORMAT JSONEachRow`, ...params }, { headers })).status;
  expect([await into('a'), await into('default.a'), await into('b'), await into('other.b')]).toEqual([
    200, 200, 200, 200,
  ]);
  expect(await into('a', { database: 'other' })).toBe(404);
  expect(await into('a', {}, { 'x-clickhouse-database': 'other' })).toBe(404);
  expect((await send('', { query: 'INSERT INTO c FORMAT JSONEachRow' })).body).toBe(
    'Code: 60. DB::Exception: Table default.c does not exist: it is not among the tables of this source. (UNKNOWN_TABLE)\n',
  );
});

test('a password is taken in every way that ClickHouse takes it, from its user only', async () => {
  const { send, warnings } = await start({ username: 'flyte', password: 'secret-canary' });
  const basic = (text: string): object => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });
  const status = async (headers: object, params = {}): Promise<number> =>
    (await send('', { query: INSERT, ...params }, { headers: { ...headers } })).status;
  const key = { 'x-clickhouse-key': 'secret-canary' };
  expect([
    await status(basic('flyte:secret-canary')),
    await status({ 'x-clickhouse-user': 'flyte', ...key }),
    await status({}, { user: 'flyte', password: 'secret-canary' }),
  ]).toEqual([200, 200, 200]);
  expect([await status({}), await status(basic('flyte:')), await status(basic('flyte'))]).toEqual([401, 401, 401]);
  expect([
    await status(basic('flyte:wrong-canary')),
    await status(basic('other:secret-canary')),
    await status(key),
    await status({ 'x-clickhouse-user': 'flyte', 'x-clickhouse-key': 'no' }, { password: 'secret-canary' }),
  ]).toEqual([403, 403, 403, 403]);
  expect(warnings.join()).not.toMatch(/canary/);
});

test('without a password whatever is sent as one is taken', async () => {
  const { send } = await start();
  const authorization = `Basic ${Buffer.from('default:').toString('base64')}`;
  expect((await send(row('a'), undefined, { headers: { authorization } })).status).toBe(200);
});

test('an insert that comes again is stored once: by its token, or byte for byte', async () => {
  const source = await start();
  const both = async (name: string, params: object, other: object, headers = {}): Promise<void> => {
    for (const each of [params, params, other]) await source.send(row(name), { query: INSERT, ...each }, { headers });
  };
  await both('token', { insert_deduplication_token: '1' }, { insert_deduplication_token: '2' });
  await both('bytes', { query_id: '1' }, { query: NEVER.query });
  await both('unguarded', { insert_deduplicate: '0' }, {});
  await source.send(row('token, other rows'), { query: INSERT, insert_deduplication_token: '1' });
  const said = 'INSERT INTO t SETTINGS insert_deduplication_token = 3 FORMAT JSONEachRow';
  for (const name of ['in the statement', 'and again']) await source.send(`${said}\n${row(name)}`, {});
  const all = names(source);
  expect([...new Set(all)].map((name) => [name, all.filter((each) => each === name).length])).toEqual([
    ['token', 2],
    ['bytes', 2],
    ['unguarded', 3],
    ['in the statement', 1],
  ]);
});

test("two events of flytekit that are the same bytes are two, since its sink sends none again; two batches of a script's are one", async () => {
  const source = await start();
  const headers = { 'user-agent': 'Python-urllib/3.11' };
  for (const body of [row('event'), row('event'), `${row('a')}\n${row('b')}`, `${row('a')}\n${row('b')}`]) {
    await source.send(body, undefined, { headers });
  }
  expect(names(source)).toEqual(['event', 'event', 'a', 'b']);
});

test('where nobody wants bodies to be compared, only a token makes two inserts one', async () => {
  const source = await start({ deduplicate: false });
  for (const token of ['', '', '1', '1']) {
    await source.send(row(`token ${token}`), { query: INSERT, insert_deduplication_token: token });
  }
  expect(names(source)).toEqual(['token ', 'token ', 'token 1']);
});

test('while the spool is full an insert is answered with 503 and TOO_MANY_PARTS, and taken when it comes again', async () => {
  const source = await start();
  source.spool.held = true;
  const first = source.send(row('first'));
  await until(() => source.spool.waiting.length > 0);
  const { status, headers, body } = await source.send(row('second'));
  expect([status, headers['retry-after'], headers['x-clickhouse-exception-code']]).toEqual([503, '1', '252']);
  expect(body).toMatch(/nothing was taken: send it again/);
  source.spool.commit();
  expect([(await first).status, (await source.send(row('second'))).status]).toEqual([200, 200]);
  expect(names(source)).toEqual(['first', 'second']);
  // It says nothing of what is no fault of a client.
  expect(source.warnings).toEqual([]);
});

test('an insert that is not committed in time is answered with 503 and TIMEOUT_EXCEEDED, and stored once when it comes again', async () => {
  const clock = new FakeClock();
  const source = await start({}, {}, { clock });
  source.spool.held = true;
  const first = source.send(row('slow'));
  await until(() => source.spool.waiting.length > 0);
  await clock.advance(25_000);
  const { status, headers } = await first;
  expect([status, headers['x-clickhouse-exception-code']]).toEqual([503, '159']);
  source.spool.commit();
  expect((await source.send(row('slow'))).status).toBe(200);
  expect(names(source)).toEqual(['slow']);
});

test('a body that cannot be read is refused in the same words, and a dead letter has its beginning', async () => {
  const { send, spool } = await start({ max_body_bytes: 1024 });
  const large = await send(row('x'.repeat(2_000)));
  const broken = await send('no gzip', undefined, { headers: { 'content-encoding': 'gzip' } });
  const packed = await send('x', undefined, { headers: { 'content-encoding': 'lz4' } });
  expect([large, broken, packed].map(({ status, body }) => `${status} ${body}`)).toEqual([
    expect.stringMatching(/^413 Code: 307\. .*max_body_bytes \(1024\).*\(TOO_MANY_BYTES\)\n$/),
    expect.stringMatching(/^400 Code: 117\. .*is no gzip.*\(INCORRECT_DATA\)\n$/),
    expect.stringMatching(/^415 Code: 48\. .*use gzip.*\(NOT_IMPLEMENTED\)\n$/),
  ]);
  expect(spool.rows('rejections').map(({ reason }) => reason)).toEqual(['body_too_large', 'body_broken']);
});

test('rows are of the pod that has the address of the connection, unless somebody passes requests on', async () => {
  const cluster = await Cluster.start();
  const labels = { 'execution-id': 'f1c0b5a2e93d4c7f8a61', 'app.kubernetes.io/name': 'trainer' };
  const status = { phase: 'Running', podIP: '127.0.0.1' };
  cluster.api.put(pod('f1c0b5a2e93d4c7f8a61-n0-0', { labels, status }));
  const pods = await cluster.synced();
  const source = await start({}, { kubernetes: { ...KUBERNETES_DEFAULTS, pods } });
  await source.send(row('direct', { execution_id: 'local' }));
  await source.send(row('passed on'), undefined, { headers: { 'x-forwarded-for': '10.1.1.1' } });
  cluster.api.put(pod('f1c0b5a2e93d4c7f8a61-n0-0', { labels, status: { ...status, phase: 'Succeeded' } }));
  await until(() => pods.at('127.0.0.1') === undefined);
  await source.send(row('ended'));
  const [direct, ...others] = source.spool.rows('steps');
  // What is large is decoded by itself.
  cluster.api.put(pod('f1c0b5a2e93d4c7f8a61-n0-0', { labels, status }));
  await until(() => pods.at('127.0.0.1') !== undefined);
  await source.send(`${row('large')}\n`.repeat(1_500));
  const large = source.spool.rows('steps').filter(({ step_raw }) => step_raw === 'large');
  expect([large.length, new Set(large.map(({ pod_uid }) => pod_uid))]).toEqual([1_500, new Set([direct!['pod_uid']])]);
  expect(direct).toMatchObject({
    pod: 'f1c0b5a2e93d4c7f8a61-n0-0',
    pod_uid: 'uid-f1c0b5a2e93d4c7f8a61-n0-0',
    namespace: 'ml-production',
    container: 'main',
    node: 'worker-3',
    app: 'trainer',
    k8s_enriched: true,
    execution_id: 'f1c0b5a2e93d4c7f8a61',
  });
  expect(others.map(({ step_raw, k8s_enriched, pod: name }) => [step_raw, k8s_enriched, name])).toEqual([
    ['passed on', false, undefined],
    ['ended', false, undefined],
  ]);
});

test('where nobody is asked for pods, nothing is said of any', async () => {
  const source = await start();
  await source.send(row('a'));
  expect(source.spool.rows('steps')[0]).not.toHaveProperty('k8s_enriched');
});
