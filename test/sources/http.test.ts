import { once } from 'node:events';
import { renameSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import * as zlib from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { Home, line } from '../cli/parts.ts';
import { makeCertificate } from '../listening/certificates.ts';
import type { Cli, CliOptions } from '../support/run-cli.ts';
import { listening, post, record } from './http-parts.ts';

const home = new Home();
const { createZstdCompress: _, zstdCompressSync } = zlib as unknown as {
  createZstdCompress?: unknown;
  zstdCompressSync?: (bytes: Buffer) => Buffer;
};

function pipeline(source: string, rest = 'sinks: { files: { directory: rows }, prometheus: { listen: none } }'): void {
  writeFileSync(
    join(home.path, 'next.yaml'),
    `sources: { in: { type: http, listen: '127.0.0.1:0', ${source} } }\n${rest}\n`,
  );
  renameSync(join(home.path, 'next.yaml'), join(home.path, 'p.yaml'));
}

async function started(source = '', options: Omit<CliOptions, 'cwd'> = {}): Promise<{ cli: Cli; url: string }> {
  pipeline(source);
  const cli = home.start(['-c', 'p.yaml'], options);
  return { cli, url: await listening(cli) };
}

/** What is stored when it has ended, by message; and why the rest is not. */
async function stored(cli: Cli): Promise<{ messages: unknown[]; rows: Record<string, unknown>[]; letters: unknown[] }> {
  cli.kill('SIGTERM');
  return left(cli);
}

/** The same for one that ends. */
async function left(cli: Cli): Promise<{ messages: unknown[]; rows: Record<string, unknown>[]; letters: unknown[] }> {
  const { code, stderr } = await cli.ended;
  expect([code, stderr]).toEqual([0, stderr]);
  const [rows, letters] = await Promise.all(
    [['rows'], ['steptap-data', 'dead-letters']].map((path) => home.rows(...path).catch(() => [])),
  );
  return { rows: rows!, messages: rows!.map(({ message }) => message), letters: letters!.map(({ reason }) => reason) };
}

describe('a request', () => {
  test('is answered with 200 and nothing else when it is stored, however it is written', async () => {
    const { cli, url } = await started();
    const bodies = [
      `${record('ndjson 1')}\n${record('ndjson 2')}\n`,
      `[${record('array 1')},\n${record('array 2')}]`,
      `${record('stream 1')}${record('stream 2')}`,
      'plain 1\nplain 2',
    ];
    for (const body of bodies) expect(await post(url, body)).toMatchObject({ status: 200, body: '' });
    const gzip = { headers: { 'content-encoding': 'gzip', 'content-type': 'text/html' } };
    expect((await post(url, zlib.gzipSync(record('gzip')), gzip)).status).toBe(200);
    expect((await post(url.replace('/ingest', '/?a=b'), record('root'))).status).toBe(200);
    expect((await post(url, '')).status).toBe(200);
    const { messages, rows } = await stored(cli);
    const twice = ['ndjson', 'array', 'stream', 'plain'].flatMap((name) => [`${name} 1`, `${name} 2`]);
    expect(messages).toEqual([...twice, 'gzip', 'root']);
    expect(rows[0]).toMatchObject({
      pod: 'pod-1',
      namespace: 'ns',
      container: 'main',
      node: 'node-1',
      stream: 'stderr',
    });
    expect(rows[0]).toMatchObject({ _seq: 1, ts: '2026-02-19T10:30:44.189512Z' });
    expect(rows.slice(0, 2).map(({ _seq, _i }) => [_seq, _i])).toEqual([
      [1, 0],
      [1, 1],
    ]);
  });

  test('that comes again is answered with 200 again, and is stored once; also after a restart', async () => {
    const { cli, url } = await started();
    const send = (at: string, body: string, headers: Record<string, string> = {}) => post(at, body, { headers });
    const sent = async (at: string): Promise<void> => {
      const same = await Promise.all([1, 2, 3].map(() => send(at, record('same'))));
      expect(same.map(({ status }) => status)).toEqual([200, 200, 200]);
      for (const tag of ['a', 'b', 'b']) await send(at, record('tagged'), { 'x-fluent-tag': tag });
      for (const key of ['1', '2', '2']) await send(at, record('keyed'), { 'idempotency-key': key });
      await send(at, record('keyed otherwise'), { 'idempotency-key': '2' });
    };
    await sent(url);
    cli.kill('SIGKILL');
    await cli.ended;
    const again = home.start(['-c', 'p.yaml']);
    await sent(await listening(again));
    const { messages } = await stored(again);
    expect(messages).toEqual(['same', 'tagged', 'tagged', 'keyed', 'keyed']);
  });

  test('is stored each time where nobody wants bodies to be compared, except by its key', async () => {
    const { cli, url } = await started('deduplicate: false');
    for (const headers of [{}, {}, { 'idempotency-key': '1' }, { 'idempotency-key': '1' }]) {
      expect((await post(url, record('same'), { headers })).status).toBe(200);
    }
    expect((await stored(cli)).messages).toEqual(['same', 'same', 'same']);
  });

  test('that was refused is taken when it comes again with the same key, and whole', async () => {
    const { cli, url } = await started();
    const headers = { 'idempotency-key': '1', 'content-encoding': 'gzip' };
    const body = zlib.gzipSync(record('whole'));
    for (const [sent, status] of [
      [body.subarray(0, 40), 400],
      [body.subarray(0, 40), 400],
      [body, 200],
      [body, 200],
    ] as const) {
      expect((await post(url, sent, { headers })).status).toBe(status);
    }
    expect(await stored(cli)).toMatchObject({ messages: ['whole'], letters: ['body_broken'] });
  });

  test('with broken records in it is answered with 200: they are dead letters, and their neighbours are stored', async () => {
    const { cli, url } = await started();
    const broken = line('broken').replace('"wall_time_s": 1.5', '"wall_time_s": "long"');
    const cut = line('cut').slice(0, 180);
    const body = [
      record('before'),
      record(broken),
      record(cut),
      'x'.repeat((1 << 20) + 1),
      '{"half":',
      record('after'),
    ];
    expect((await post(url, body.join('\n'))).status).toBe(200);
    expect((await post(url, `[${record(cut)},${record('in an array')}]`)).status).toBe(200);
    const { messages, letters } = await stored(cli);
    expect(messages).toEqual(['before', '{"half":', 'after', 'in an array']);
    expect(letters).toEqual(['schema', 'json_syntax', 'line_too_long', 'json_syntax']);
  });

  test('speaks for its own pods: what a pod wrote into its line names no other', async () => {
    const { cli, url } = await started();
    const forged = [
      record('x', 'victim'),
      JSON.stringify({ log: 'x', kubernetes: { pod_name: 'victim', namespace_name: 'ns' } }),
      '2026-02-19T10:30:44.189512345Z stderr F x',
      '[pod/victim/main] x',
      `x\n${record('second', 'victim')}`,
    ];
    expect((await post(url, forged.map((log) => record(log, 'canary')).join('\n'))).status).toBe(200);
    const { rows } = await stored(cli);
    expect(rows.map(({ pod }) => pod)).toEqual(forged.map(() => 'canary'));
  });
});

describe('what is not taken', () => {
  test('has the status that says why, and is counted, told, and a dead letter where it is lost', async () => {
    pipeline(
      'max_body_bytes: 2k, token: secret-canary',
      'sinks: { files: { directory: rows }, prometheus: { listen: "127.0.0.1:0" } }',
    );
    const cli = home.start(['-c', 'p.yaml']);
    const url = await listening(cli);
    const authorization = 'Bearer secret-canary';
    const send = async (body: string | Buffer, headers = {}, at = url) =>
      (await post(at, body, { headers: { authorization, ...headers } })).status;
    const gzip = { 'content-encoding': 'gzip' };
    expect(await send('x', {}, `${url}/other`)).toBe(404);
    expect((await post(url, '', { method: 'GET', headers: { authorization } })).status).toBe(405);
    const wrong = ['Bearer wrong-canary', 'Basic secret-canary', 'secret-canary', ''];
    for (const each of wrong) expect(await send('x', { authorization: each })).toBe(401);
    expect((await post(url, 'x')).headers).toMatchObject({ 'www-authenticate': 'Bearer' });
    const long = `${record('long')}\n`.repeat(40);
    expect([await send(long), await send(long), await send(zlib.gzipSync(long), gzip)]).toEqual([413, 413, 413]);
    expect([await send('no gzip', gzip), await send(zlib.gzipSync('x').subarray(0, 15), gzip)]).toEqual([400, 400]);
    const twice = zlib.gzipSync(zlib.gzipSync('packed twice'));
    expect([await send(twice, gzip), await send(zlib.gzipSync('not said'))]).toEqual([400, 400]);
    expect(await send('x', { 'content-encoding': 'gzip, gzip' })).toBe(415);
    expect(await send('x', { 'content-encoding': 'snappy' })).toBe(415);
    expect(await send(record('good'))).toBe(200);
    const { metrics } = await cli.said(/^reading/);
    const text = await (await fetch(String(metrics))).text();
    const counts = [...text.matchAll(/steptap_http_requests_total\{source="http:in",code="(\d+)"\} (\d+)/g)];
    expect(Object.fromEntries(counts.map(([, code, count]) => [code, Number(count)]))).toEqual({
      200: 1,
      400: 4,
      401: 5,
      404: 1,
      405: 1,
      413: 3,
      415: 2,
    });
    const { messages, letters } = await stored(cli);
    expect(messages).toEqual(['good']);
    // Of what came twice, one; the same beginning in another coding is the same loss.
    expect(letters.map(String).sort((a, b) => a.localeCompare(b))).toEqual([
      'body_broken',
      'body_broken',
      'body_broken',
      'body_too_large',
    ]);
    expect(cli.stderr).not.toMatch(/canary/);
    const told = cli.log.filter(({ message }) => /answered/.test(message)).map(({ status }) => status);
    expect(told).toEqual([404, 401, 413, 400, 415]);
  });

  test('of more rows than a record can hold is refused, though it is short', async () => {
    const { cli, url } = await started();
    const control = `${'\u0001'.repeat(999)}\n`.repeat(3_000);
    expect((await post(url, control)).status).toBe(413);
    expect((await post(url, record('after'))).status).toBe(200);
    expect(await stored(cli)).toMatchObject({ messages: ['after'], letters: ['body_too_large'] });
  });

  test.runIf(zstdCompressSync !== undefined)('is nothing of zstd, where Node can read it', async () => {
    const { cli, url } = await started();
    const headers = { 'content-encoding': 'zstd' };
    expect((await post(url, zstdCompressSync!(Buffer.from(record('zstd'))), { headers })).status).toBe(200);
    expect((await post(url, 'no zstd', { headers })).status).toBe(400);
    const bomb = zstdCompressSync!(Buffer.alloc(8 << 20, 'x'));
    expect((await post(url, bomb, { headers })).status).toBe(413);
    expect((await stored(cli)).messages).toEqual(['zstd']);
  });

  test.runIf(zstdCompressSync === undefined)(
    'is zstd, where Node cannot read it: that is told at the start',
    async () => {
      const { cli, url } = await started();
      expect((await post(url, 'x', { headers: { 'content-encoding': 'zstd' } })).status).toBe(415);
      expect((await cli.said(/listening on/)).message).toMatch(
        /not with zstd: Node .* cannot read it, 22\.15 and later can$/,
      );
      await stored(cli);
    },
  );
});

describe('backpressure', () => {
  test('is 503 with Retry-After while the spool is full; what was sent then is stored once when there is room', async () => {
    const { server, backend } = await home.clickhouse();
    await server.leave();
    pipeline('', `sinks: { clickhouse: { urls: ['${server.url}'] }, prometheus: { listen: none } }`);
    const cli = home.start(['-c', 'p.yaml', '--state', 'none', '--spool-memory', '1m']);
    const url = await listening(cli);
    const sent: Promise<number>[] = [];
    const body = (n: number): string => Array.from({ length: 300 }, (__, row) => line(`${n} ${row}`)).join('');
    let refused: Awaited<ReturnType<typeof post>> | undefined;
    for (let n = 0; refused === undefined; n++) {
      const answer = post(url, body(n));
      sent.push(answer.then(({ status }) => status));
      const first = await Promise.race([
        answer,
        new Promise<undefined>((resolve) => setTimeout(resolve, 100, undefined)),
      ]);
      if (first?.status === 503) refused = first;
    }
    expect(refused.headers['retry-after']).toBe('1');
    await server.comeBack();
    const count = sent.length;
    for (let n = 0; n < count; n++) {
      let status = 0;
      while (status !== 200) ({ status } = await post(url, body(n)));
    }
    cli.kill('SIGTERM');
    expect((await cli.ended).code).toBe(0);
    expect(new Set(backend.rows.map(({ raw }) => raw)).size).toBe(count * 300);
    expect(backend.rows.length).toBe(count * 300);
  });
});

/** A request whose body is sent bit by bit. */
function slowly(url: string): { outgoing: ReturnType<typeof request>; status: Promise<number> } {
  const outgoing = request(url, { method: 'POST', agent: false });
  const status = once(outgoing, 'response').then(([response]) => (response as { statusCode: number }).statusCode);
  return { outgoing, status };
}

describe('while it runs', () => {
  test('a stop lets requests under way be finished, and takes no others', async () => {
    const { cli, url } = await started();
    const { outgoing, status } = slowly(url);
    outgoing.write(`${record('first half')}\n`);
    // Its headers are read when another one, sent later, has its answer.
    await post(url, record('another'));
    cli.kill('SIGTERM');
    await cli.said(/^stopping/);
    let refused = false;
    while (!refused)
      refused = await post(url, record('late')).then(
        ({ status: code }) => code === 503,
        () => true,
      );
    outgoing.end(record('second half'));
    expect(await status).toBe(200);
    expect((await left(cli)).messages.map(String).sort((a, b) => a.localeCompare(b))).toEqual([
      'another',
      'first half',
      'second half',
    ]);
  });

  test('its port, its path and its certificate may change, and a token that is rotated needs no change', async () => {
    writeFileSync(join(home.path, 'token'), 'one\n');
    const { cli, url } = await started('token_file: token');
    const send = async (at: string, token: string): Promise<number> =>
      (await post(at, record(`${token} at ${new URL(at).protocol}`), { headers: { authorization: `Bearer ${token}` } }))
        .status;
    expect([await send(url, 'one'), await send(url, 'two')]).toEqual([200, 401]);
    writeFileSync(join(home.path, 'token'), 'one\ntwo\n');
    expect([await send(url, 'one'), await send(url, 'two')]).toEqual([200, 200]);
    const { cert_file, key_file } = makeCertificate(home.path, 'tls');
    const tls = `tls: { cert_file: '${cert_file}', key_file: '${key_file}' }`;
    pipeline(`token_file: token, path: /other, ${tls}, listen: '${new URL(url).host}'`.replace("'127.0.0.1:0', ", ''));
    const text = `sources: { in: { type: http, token_file: token, path: /other, ${tls}, listen: '${new URL(url).host}' } }`;
    writeFileSync(
      join(home.path, 'p.yaml'),
      `${text}\nsinks: { files: { directory: rows }, prometheus: { listen: none } }\n`,
    );
    cli.kill('SIGHUP');
    const secure = await listening(cli, 2);
    expect(secure).toBe(url.replace('http:', 'https:').replace('ingest', 'other'));
    expect([await send(secure, 'two'), await send(secure, 'three')]).toEqual([200, 401]);
    expect((await stored(cli)).messages).toEqual(['one at http:', 'two at http:', 'two at https:']);
  });

  test('a socket in the file system does as well', async () => {
    const socketPath = join(home.path, 'in.sock');
    writeFileSync(
      join(home.path, 'p.yaml'),
      `sources: { in: { type: http, listen: 'unix:${socketPath}' } }\nsinks: { files: { directory: rows } }\n`,
    );
    const cli = home.start(['-c', 'p.yaml', '--metrics', 'none']);
    await listening(cli);
    expect((await post('http://any/ingest', record('by socket'), { socketPath })).status).toBe(200);
    expect((await stored(cli)).messages).toEqual(['by socket']);
  });
});

describe('closed by default', () => {
  test('an address that others can reach is refused without TLS and a secret, for requests and for metrics, and so is one that is taken', async () => {
    const ended = async (source: string, ...args: string[]): Promise<[number | null, string]> => {
      const sinks = 'sinks: { prometheus: { listen: none } }';
      writeFileSync(join(home.path, 'p.yaml'), `sources: { in: { type: http, ${source} } }\n${sinks}\n`);
      const { code, stderr } = await home.start(['-c', 'p.yaml', '--state', 'none', '--no-store', ...args]).ended;
      return [code, stderr];
    };
    const open = 'can be reached by other machines: add tls and token_file, listen on 127.0.0.1, or say insecure: true';
    expect(await ended("listen: ':0'")).toEqual([
      2,
      expect.stringContaining(`p.yaml:1:38: sources.in.listen: :0 ${open}`),
    ]);
    expect(await ended("listen: '127.0.0.1:0'", '--metrics', ':0')).toEqual([2, expect.stringContaining(`:0 ${open}`)]);
    expect(await ended('token: canary, token_file: t')).toEqual([2, expect.not.stringContaining('canary')]);
    const missing = await ended("listen: '127.0.0.1:0', token_file: nowhere");
    expect(missing).toEqual([2, 'steptap: token_file nowhere: there is no such file\n']);
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const address = `127.0.0.1:${(taken.address() as AddressInfo).port}`;
    const [code, stderr] = await ended(`listen: '${address}'`);
    taken.close();
    expect([code, stderr]).toEqual([2, `steptap: http:in: cannot listen on ${address}: it is in use\n`]);
  });

  test('metrics that have a token ask for it, and the probes do not', async () => {
    writeFileSync(join(home.path, 'token'), 'secret');
    const { cert_file, key_file } = makeCertificate(home.path, 'tls');
    const place = `listen: '127.0.0.1:0', token_file: token, tls: { cert_file: '${cert_file}', key_file: '${key_file}' }`;
    pipeline('', `sinks: { prometheus: { ${place} } }`);
    const cli = home.start(['-c', 'p.yaml', '--state', 'none', '--no-store']);
    const url = String((await cli.said(/^reading/))['metrics']);
    expect(url).toMatch(/^https:/);
    const get = async (path: string, headers = {}) =>
      (await post(url.replace('/metrics', path), '', { method: 'GET', headers })).status;
    const authorization = 'Bearer secret';
    expect([await get('/metrics'), await get('/metrics', { authorization })]).toEqual([401, 200]);
    expect([await get('/healthz'), await get('/readyz')]).toEqual([200, 200]);
  });
});
