import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { follow, NotAttached } from '../../src/live/follow.ts';
import { FakeClock } from '../support/fake-clock.ts';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** A run that answers each who comes with the next of these. */
async function serve(answers: ((response: ServerResponse) => void)[]): Promise<URL> {
  const server = createServer((_, response) => answers.shift()!(response)).listen(0, '127.0.0.1');
  closing.push(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server, 'listening');
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/events`);
}

const stream = (text: string) => (response: ServerResponse) => {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' }).end(text);
};
const refusal = (status: number) => (response: ServerResponse) => {
  response.writeHead(status).end('because');
};
const message = (event: string, data: unknown): string => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
const hello = (seq: number): string => message('hello', { after: `s-${seq}` });

/** Follows until the last of the answers was read, and gives all that was said and shown. */
async function followed(...answers: ((response: ServerResponse) => void)[]): Promise<string[]> {
  const clock = new FakeClock();
  const stop = new AbortController();
  const seen: string[] = [];
  const last = (response: ServerResponse): void => {
    stream('')(response);
    stop.abort();
  };
  const url = await serve([...answers, last]);
  const show = async (row: string): Promise<void> => void seen.push(row);
  const say = (text: string): void => void seen.push(text);
  const over = follow({ url }, { clock, stop: stop.signal, show, say });
  let ended = false;
  const end = over.finally(() => (ended = true)).catch(() => {});
  while (!ended) await clock.advance(1_000);
  await end;
  await over;
  return seen;
}

test('what is missed is said together, and no later than at the end', async () => {
  const gap = message('dropped', { count: 700 });
  const seen = await followed(
    stream(
      hello(3) +
        gap +
        message('step', { n: 1 }) +
        gap +
        message('step', { n: 2 }) +
        gap +
        message('end', { cut: true }),
    ),
  );
  expect(seen).toEqual([
    'watching, behind record s-3',
    '700 events were passed over: more came than were looked at',
    '{"n":1}',
    '{"n":2}',
    'the last events before the end were not shown',
    '1,400 events were passed over: more came than were looked at',
    'the run has ended: waiting for it to come back, Ctrl-C ends',
  ]);
});

test('a run that comes back is watched again, also when it is busy first', async () => {
  const seen = await followed(
    stream(hello(3)),
    refusal(503),
    stream(hello(9) + message('log', { n: 1 }) + message('end', {})),
  );
  expect(seen).toEqual([
    'watching, behind record s-3',
    'the connection is lost: waiting for it to come back, Ctrl-C ends',
    'attached again, behind record s-9: what was stored in between was not shown',
    '{"n":1}',
    'the run has ended: waiting for it to come back, Ctrl-C ends',
  ]);
});

test.each([401, 404, 503, 200])('an answer that is no stream ends it: %i', async (status) => {
  await expect(followed(refusal(status))).rejects.toMatchObject({ answer: { status, text: 'because' } });
});

test('so does a run that wants a token when it comes back, and an address where nobody is', async () => {
  await expect(followed(stream(hello(1)), refusal(401))).rejects.toBeInstanceOf(NotAttached);
  const url = await serve([]);
  for (const close of closing.splice(0)) close();
  const nothing = { clock: new FakeClock(), stop: new AbortController().signal, show: async () => {}, say: () => {} };
  await expect(follow({ url }, nothing)).rejects.toMatchObject({ answer: { absent: 'ECONNREFUSED' } });
});

test.each([
  ['broken', 'event: log\ndata: {"n":\n\n'],
  ['no object', message('log', null)],
  ['a hello of somebody else', 'event: hello\ndata: hello\n\n'],
])('events that are none of a run end it, and a person is told so: %s', async (_, text) => {
  const answer = { status: 200, text: 'what it sends are no events of steptap' };
  await expect(followed(stream(text))).rejects.toMatchObject({ answer });
});
