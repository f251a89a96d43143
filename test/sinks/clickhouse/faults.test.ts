import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createNetServer, type AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { afterEach, expect, test, vi } from 'vitest';
import { systemClock, type Clock } from '../../../src/clock.ts';
import {
  CLICKHOUSE_DEFAULTS,
  createClickHouseSink,
  type ClickHouseOptions,
} from '../../../src/sinks/clickhouse/index.ts';
import { SinkError, STORED, type Sink } from '../../../src/sinks/sink.ts';
import { partOf, stepRow } from '../../support/rows.ts';

const never = new AbortController().signal;
const log = (): void => undefined;
const CANARY = 'canary-4111';
const PART = partOf([stepRow({ step_raw: CANARY }), stepRow()]);

interface Insert {
  readonly url: URL;
  readonly body: string;
}

/** Something that listens where ClickHouse should: every query is answered with nothing, an INSERT as `answer` says. */
interface Impostor {
  readonly url: string;
  readonly inserts: Insert[];
  answer: (response: ServerResponse, request: IncomingMessage) => void;
}

const open: { servers: Server[]; sinks: Sink[] } = { servers: [], sinks: [] };

async function impostor(answer: Impostor['answer']): Promise<Impostor> {
  const self: Impostor = { url: '', inserts: [], answer };
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const insert = url.searchParams.get('query')?.startsWith('INSERT') ?? false;
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (!insert) {
        response.end();
        return;
      }
      const bytes = Buffer.concat(chunks);
      const body = (request.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString('utf8');
      self.inserts.push({ url, body });
      self.answer(response, request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.servers.push(server);
  return Object.assign(self, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}

async function sinkOn(urls: string[], options: Partial<ClickHouseOptions> = {}, clock = systemClock): Promise<Sink> {
  const sink = createClickHouseSink({ ...CLICKHOUSE_DEFAULTS, urls, ...options }, { clock, log });
  open.sinks.push(sink);
  await sink.open(never);
  return sink;
}

/** How a send to one that answers like this fails. */
async function failureOf(answer: Impostor['answer'], clock?: Clock): Promise<SinkError> {
  const server = await impostor(answer);
  const sink = await sinkOn([server.url], {}, clock);
  return failed(sink.send(PART, never));
}

async function failed(promise: Promise<unknown>): Promise<SinkError> {
  const error = await promise.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SinkError);
  expect((error as SinkError).message).not.toContain(CANARY);
  return error as SinkError;
}

afterEach(async () => {
  for (const sink of open.sinks.splice(0)) await sink.close();
  for (const server of open.servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

test('a server that answers everything with nothing is written to all the same', async () => {
  const server = await impostor((response) => response.end());
  const sink = await sinkOn([server.url]);
  expect(await sink.send(PART, never)).toBe(STORED);
  const { url, body } = server.inserts[0]!;
  expect(url.searchParams.get('query')).toBe('INSERT INTO `default`.`steps` FORMAT JSONEachRow');
  expect(url.searchParams.get('insert_deduplication_token')).toBe(PART.token);
  expect(url.searchParams.get('async_insert')).toBe('0');
  expect(url.searchParams.has('deduplicate_insert')).toBe(false);
  expect(body.split('\n')[1]).toMatch(/^\{"_day":"2026-11-21","_src":"spool0-epoch0","_seq":1,"_i":1,"ts":"2026-/);
  expect(sink.describe()).toBe(`ClickHouse at ${server.url}, database default`);
});

test('a 200 with an exception in the body is a failure', async () => {
  const text = `Code: 252. DB::Exception: Too many parts (300) in table '${CANARY}'. (TOO_MANY_PARTS) (version 24.1)\n`;
  const error = await failureOf((response) => response.end(text));
  expect(error).toMatchObject({ failure: 'retry', code: '252', in_doubt: true });
});

test('a 200 with the exception block of newer servers is a failure', async () => {
  const message = `Code: 395. DB::Exception: ${CANARY}: while pushing to view d.mv. (FUNCTION_THROW_IF_VALUE_IS_NON_ZERO) (version 25.11.1 (official build))`;
  const block = `\r\n__exception__\r\nabcdefghijklmnop\r\n${message}\n${message.length + 1} abcdefghijklmnop\r\n__exception__\r\n`;
  const error = await failureOf((response) => {
    response.setHeader('X-ClickHouse-Exception-Tag', 'abcdefghijklmnop');
    response.end(block);
  });
  expect(error).toMatchObject({ failure: 'hold', code: '395', in_doubt: true });
});

test('a 200 with the code of an exception in its headers is a failure', async () => {
  const error = await failureOf((response) => {
    response.setHeader('X-ClickHouse-Exception-Code', '241');
    response.end();
  });
  expect(error).toMatchObject({ failure: 'retry', code: '241', in_doubt: true });
});

test('a 200 with anything in it is a failure: no ClickHouse says that', async () => {
  const error = await failureOf((response) => response.end('<html>Welcome!</html>'));
  expect(error).toMatchObject({ failure: 'hold', code: 'HTTP 200', in_doubt: true });
});

test('what a proxy says is told by its status', async () => {
  const cases = [
    [502, { failure: 'retry', in_doubt: true }],
    [429, { failure: 'retry', in_doubt: false, retry_after_ms: 7000 }],
    [413, { failure: 'split', in_doubt: false }],
    [403, { failure: 'hold', in_doubt: false }],
    [404, { failure: 'hold', in_doubt: false }],
    [302, { failure: 'hold', in_doubt: false }],
  ] as const;
  for (const [status, expected] of cases) {
    const error = await failureOf((response) => {
      response.writeHead(status, { 'retry-after': '7', location: '/elsewhere' }).end(`<html>${CANARY}</html>`);
    });
    expect(error).toMatchObject({ ...expected, code: `HTTP ${status}` });
  }
});

test('an answer that is cut is in doubt', async () => {
  const cuts: Impostor['answer'][] = [
    (response) => response.destroy(),
    (response) => response.writeHead(200, { 'content-length': '100' }).write('x', () => response.destroy()),
    (response) => response.write('x', () => response.destroy()),
    (response) => response.writeHead(500).write('Code: 27. DB', () => response.destroy()),
  ];
  for (const cut of cuts)
    expect(await failureOf(cut)).toMatchObject({ failure: 'retry', code: 'ECONNRESET', in_doubt: true });
});

test('a server that hangs is in doubt once the time is up, also in the middle of its answer, also when it dribbles', async () => {
  const dribble: Impostor['answer'] = (response) => {
    const timer = setInterval(() => response.write(' '), 20);
    response.on('close', () => clearInterval(timer));
  };
  const hangs: Impostor['answer'][] = [() => undefined, (response) => response.flushHeaders(), dribble];
  for (const hang of hangs) {
    const late = new EventEmitter();
    const clock: Clock = { ...systemClock, sleep: async () => void (await once(late, 'timeout')) };
    const answer: Impostor['answer'] = (response, request) => {
      hang(response, request);
      setTimeout(() => late.emit('timeout'), 50);
    };
    const error = await failureOf(answer, clock);
    expect(error).toMatchObject({ failure: 'retry', code: 'TIMEOUT', in_doubt: true });
  }
});

test('a send ends when steptap stops', async () => {
  const server = await impostor(() => undefined);
  const sink = await sinkOn([server.url]);
  const stopping = new AbortController();
  setTimeout(() => stopping.abort(), 50);
  expect(await failed(sink.send(PART, stopping.signal))).toMatchObject({ failure: 'retry', code: 'ABORTED' });
  expect(await failed(sink.send(PART, stopping.signal))).toMatchObject({ failure: 'retry', code: 'ABORTED' });
});

test('a part is sent again with the same bytes and token, and an identity of its own for the query', async () => {
  const server = await impostor((response) => response.destroy());
  for (const compression of ['none', 'gzip'] as const) {
    server.inserts.length = 0;
    const sink = await sinkOn([server.url], { compression });
    server.answer = (response) => response.destroy();
    await failed(sink.send(PART, never));
    server.answer = (response) => response.end();
    await sink.send({ ...PART, in_doubt: true }, never);
    const [first, second] = server.inserts;
    expect(second!.body).toBe(first!.body);
    const ids = [first, second].map((insert) => insert!.url.searchParams.get('query_id'));
    expect(new Set(ids).size).toBe(2);
    for (const insert of [first, second]) insert!.url.searchParams.delete('query_id');
    expect(second!.url.href).toBe(first!.url.href);
  }
});

test('what a slow server still reads of a send that failed is not overwritten by the next one', async () => {
  const read: string[] = [];
  // It answers an INSERT before it has read the rows, as a proxy does that has no server behind it, and reads them later.
  const server = createNetServer((socket) => {
    let text = '';
    let number: number | undefined;
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      if (number !== undefined) read[number] += chunk.toString('latin1');
      else text += chunk.toString('latin1');
      if (number === undefined && text.includes('INSERT')) {
        number = read.push(text) - 1;
        socket.write('HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n');
        socket.pause();
        setTimeout(() => socket.resume(), 300);
      } else if (text.endsWith('0\r\n\r\n')) {
        text = '';
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const sink = await sinkOn([`http://127.0.0.1:${(server.address() as AddressInfo).port}`]);
  const rows = ['a', 'a', 'b'].map((letter, seq) => partOf([stepRow({ message: letter.repeat(16_000_000) })], { seq }));
  for (const part of rows) await failed(sink.send(part, never));
  const whole = (): boolean => read.length === 3 && read.every((text) => text.length > 16_000_000);
  await vi.waitFor(() => expect(whole()).toBe(true), 10_000);
  for (const text of read) expect(new Set(text.match(/aaaaaaaa|bbbbbbbb/g))).toHaveProperty('size', 1);
  await sink.close();
  await new Promise((resolve) => server.close(resolve));
});

test('with two addresses, one that hangs or breaks is left for the other', async () => {
  const broken = await impostor((response) => response.destroy());
  const good = await impostor((response) => response.end());
  const sink = await sinkOn([broken.url, good.url]);
  // In doubt: said to the lane, which sends the part again; tokens are shared by replicas.
  expect(await failed(sink.send(PART, never))).toMatchObject({ failure: 'retry', in_doubt: true });
  expect(await sink.send({ ...PART, in_doubt: true }, never)).toBe(STORED);
  expect(await sink.send(partOf([stepRow()], { seq: 2 }), never)).toBe(STORED);
  expect([broken.inserts.length, good.inserts.length]).toEqual([1, 2]);
  expect(good.inserts[0]!.body).toBe(broken.inserts[0]!.body);
});

test('an address with a path keeps it', async () => {
  const server = await impostor((response) => response.end());
  const sink = await sinkOn([`${server.url.replace('//', '//me:p%40ss@')}/proxy/clickhouse/`]);
  await sink.send(PART, never);
  expect(server.inserts[0]!.url.pathname).toBe('/proxy/clickhouse/');
  expect(sink.describe()).not.toMatch(/me|p%40ss|p@ss/);
});
