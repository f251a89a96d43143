import { once } from 'node:events';
import { createServer, request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Registry } from 'prom-client';
import { afterEach, describe, expect, test } from 'vitest';
import { Serving } from '../../src/cli/serving.ts';
import { systemClock } from '../../src/clock.ts';
import { EVENT_TABLES } from '../../src/fields.ts';
import { startHttpServer, type HttpServer } from '../../src/http-server.ts';
import { Secret } from '../../src/listening/secret.ts';
import { LiveEvents } from '../../src/live/endpoint.ts';
import { messagesOf, type Message } from '../../src/live/messages.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { SRC, Storing } from './parts.ts';

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function serve(storing: Storing, token?: string): Promise<HttpServer> {
  const secret = token === undefined ? undefined : Secret.of({ value: token }, 'token', () => {});
  const readiness = () => ({ ready: true, sinks: {} });
  const server = await startHttpServer({
    listen: '127.0.0.1:0',
    registry: new Registry(),
    readiness,
    secret,
    feed: storing.feed,
  });
  closing.push(() => server.close());
  return server;
}

type Headers = Readonly<Record<string, string>>;

async function get(url: string, headers: Headers = {}): Promise<IncomingMessage> {
  const outgoing = request(url, { headers, agent: false }).on('error', () => {});
  outgoing.end();
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  closing.push(async () => void response.on('error', () => {}).destroy());
  return response;
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of response as AsyncIterable<Buffer>) text += piece.toString();
  return text;
}

async function next(messages: AsyncIterator<Message>): Promise<Message | undefined> {
  const { done, value } = await messages.next();
  return done === true ? undefined : value;
}

describe('GET /events', () => {
  test('says where it begins, and shows events as they are stored', async () => {
    const storing = new Storing(systemClock);
    storing.store({ steps: [{ n: 0 }] });
    const { url } = await serve(storing);
    const response = await get(`${url}/events?table=steps&filter=${encodeURIComponent("n in (2,3) && kind='step'")}`);
    expect([
      response.statusCode,
      response.headers['content-type'],
      response.headers['access-control-allow-origin'],
    ]).toEqual([200, 'text/event-stream; charset=utf-8', undefined]);
    const messages = messagesOf(response);
    const hello = await next(messages);
    expect([hello?.event, JSON.parse(hello!.data)]).toEqual([
      'hello',
      { version: expect.any(String), after: `${SRC}-1`, tables: ['steps'], filter: "n in (2, 3) and kind = 'step'" },
    ]);
    storing.store({
      steps: [
        { kind: 'step', n: 1 },
        { kind: 'step', n: 2, text: 'two\n\ndata: lines' },
      ],
    });
    const two = await next(messages);
    expect([two?.event, JSON.parse(two!.data)]).toMatchObject([
      'step',
      { n: 2, text: 'two\n\ndata: lines', _src: SRC, _seq: 2, _i: 1 },
    ]);
  });

  test.each([
    ['filter=status+%3D', 'filter: column 9: expected a value, found the end'],
    ['table=steps,nothing', `table: there is no such table; there are ${EVENT_TABLES.join(', ')}`],
    ['filters=a', 'only filter and table can be asked for'],
  ])('says what is wrong with %s', async (query, message) => {
    const { url } = await serve(new Storing(systemClock));
    const response = await get(`${url}/events?${query}`);
    expect([response.statusCode, await textOf(response)]).toEqual([400, `${message}\n`]);
  });

  test('is told for the token, as /metrics is', async () => {
    const { url } = await serve(new Storing(systemClock), 'secret');
    for (const headers of [{}, { authorization: 'Bearer wrong' }] as Headers[]) {
      expect((await get(`${url}/events`, headers)).statusCode).toBe(401);
    }
    // By any name: a page that was given one does not know the token.
    const known = { authorization: 'Bearer secret', host: 'metrics.example' };
    expect((await get(`${url}/events`, known)).statusCode).toBe(200);
  });

  test.each<[string, Headers, number]>([
    ['a page of another origin', { origin: 'http://evil.example' }, 403],
    ['a page without an origin', { origin: 'null' }, 403],
    ['a page of another port', { origin: 'http://127.0.0.1:1' }, 403],
    ['a page whose name was pointed here', { host: 'evil.example', origin: 'http://evil.example' }, 403],
    ['the same without an origin', { host: 'evil.example:9464' }, 403],
    ['a frame of another site', { 'sec-fetch-site': 'cross-site' }, 403],
    [
      'a page of this server',
      { host: 'localhost:9464', origin: 'http://localhost:9464', 'sec-fetch-site': 'same-origin' },
      200,
    ],
    ['a program', { host: '[::1]:9464' }, 200],
  ])('is answered to %s with %j: %i', async (_, headers, status) => {
    const { url } = await serve(new Storing(systemClock));
    expect((await get(`${url}/events`, headers)).statusCode).toBe(status);
  });

  test('is not there where nobody wants it', async () => {
    const server = await startHttpServer({
      listen: '127.0.0.1:0',
      registry: new Registry(),
      readiness: () => ({ ready: true, sinks: {} }),
    });
    closing.push(() => server.close());
    expect((await get(`${server.url}/events`)).statusCode).toBe(404);
  });

  test('has 16 readers at most, and room again when one has left', async () => {
    const storing = new Storing(systemClock);
    const { url } = await serve(storing);
    const readers: IncomingMessage[] = [];
    for (let n = 0; n < 16; n++) readers.push(await get(`${url}/events`));
    const more = await get(`${url}/events`);
    expect([more.statusCode, more.headers['retry-after']]).toEqual([503, '10']);
    readers[0]!.destroy();
    let status: number | undefined = 503;
    while (status === 503) status = (await get(`${url}/events`)).statusCode;
    expect(status).toBe(200);
  });

  test('shows what was stored before the end, says the end, and does not wait for who does not read', async () => {
    const storing = new Storing(systemClock);
    const server = await serve(storing);
    const deaf = await get(`${server.url}/events`);
    deaf.pause();
    const messages = messagesOf(await get(`${server.url}/events`));
    await next(messages);
    storing.store({ logs: Array.from({ length: 3 }, (_, n) => ({ n, kind: 'log', message: 'x'.repeat(1 << 20) })) });
    const closed = server.close();
    const seen: string[] = [];
    for await (const { event, data } of messages) seen.push(event === 'end' ? data : event);
    await closed;
    expect(seen).toEqual(['log', 'log', 'log', '{"cut":false}']);
  });
});

test('a stream goes on through a change of other things, and ends when its address changes', async () => {
  const storing = new Storing(systemClock);
  const options = { registry: new Registry(), readiness: () => ({ ready: true, sinks: {} }), feed: storing.feed };
  const serving = new Serving(options, () => {});
  closing.push(() => serving.close());
  await serving.at({ listen: '127.0.0.1:0', events: true });
  const messages = messagesOf(await get(`${serving.url}/events`));
  await next(messages);
  await serving.at({ listen: '127.0.0.1:0', events: true });
  storing.store({ steps: [{ kind: 'step' }] });
  expect((await next(messages))?.event).toBe('step');
  await serving.at({ listen: '127.0.0.1:0', events: false });
  expect((await next(messages))?.event).toBe('end');
  expect((await get(`${serving.url}/events`)).statusCode).toBe(404);
});

describe('a reader', () => {
  async function watching(): Promise<{ clock: FakeClock; storing: Storing; url: string }> {
    const clock = new FakeClock();
    const storing = new Storing(clock);
    const events = new LiveEvents(storing.feed, clock, true);
    const server = createServer((incoming, response) => events.answer(incoming, response)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    closing.push(async () => {
      server.close();
      server.closeAllConnections();
    });
    return { clock, storing, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/events` };
  }

  test('hears every 15 s that the run is there', async () => {
    const { clock, url } = await watching();
    const response = await get(url);
    const [hello] = (await once(response, 'data')) as [Buffer];
    expect(hello.toString()).toMatch(/^event: hello\n/);
    while (clock.sleeping === 0) await new Promise(setImmediate);
    const data = once(response, 'data') as Promise<[Buffer]>;
    await clock.advance(14_999);
    expect(clock.sleeping).toBe(1);
    await clock.advance(1);
    expect((await data)[0].toString()).toBe(':\n\n');
  });

  test('that takes nothing for 30 s is sent away', async () => {
    const { clock, storing, url } = await watching();
    const response = await get(url);
    response.pause();
    // In the end it is more than the sockets hold: then the writing waits for it.
    const large = { kind: 'log', message: 'x'.repeat(1 << 20) };
    while (storing.feed.readers > 0) {
      storing.store({ logs: [large] });
      await clock.advance(1_000);
    }
    expect(clock.monotonic()).toBeGreaterThanOrEqual(30_000);
    response.resume();
    await expect(once(response, 'end')).rejects.toThrow('aborted');
  });
});
