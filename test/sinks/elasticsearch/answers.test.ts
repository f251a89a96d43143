import { afterEach, expect, test } from 'vitest';
import { createElasticsearchSink, ELASTICSEARCH_DEFAULTS } from '../../../src/sinks/elasticsearch/index.ts';
import { STORED } from '../../../src/sinks/sink.ts';
import { partOf, stepRow } from '../../support/rows.ts';
import * as faulty from './faulty-server.ts';
import { bulkAnswer, failure, never, sinkOf, type FaultyServer, type Reply } from './faulty-server.ts';

const CANARY = 'canary-7f3a';
const part = (count: number, settled?: Uint8Array): ReturnType<typeof partOf> =>
  partOf(
    Array.from({ length: count }, (_, row) => stepRow({ task: CANARY, process_time_s: row })),
    settled === undefined ? {} : { settled },
  );

const running: FaultyServer[] = [];
async function server(...replies: Reply[]): Promise<FaultyServer> {
  const started = await faulty.startFaultyServer(...replies);
  running.push(started);
  return started;
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.stop()));
});

/** The error that a send of three rows ends with; never a value of a row or a secret in it. */
async function failing(reply: Reply): Promise<{ failure: string; code: string; in_doubt: boolean; message: string }> {
  const { url } = await server(reply);
  const sink = sinkOf([url.replace('//', '//someone:pass-9c1@')]);
  const error = await failure(sink.send(part(3), never));
  await sink.close();
  expect(`${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`).not.toMatch(/canary|pass-9c1|c29tZW9uZ/);
  return error;
}

const reason = `failed to parse [${CANARY}]`;

test('rows are counted as stored without reading the answer row by row when nothing went wrong', async () => {
  const { url } = await server({ status: 200, body: '{"errors":false,"took":3,"items":[]}' });
  const sink = sinkOf([url]);
  expect(await sink.send(part(3), never)).toEqual(STORED);
});

test('each row of a mixed answer gets its own fate: 201 and 409 stored, 429 and 503 again, 400 rejected', async () => {
  const error = {
    type: 'document_parsing_exception',
    reason,
    caused_by: { type: 'illegal_argument_exception', reason },
  };
  const { url, received } = await server(
    bulkAnswer(
      { status: 201 },
      { status: 409 },
      { status: 429 },
      { status: 400, error },
      { status: 503 },
      { status: 200 },
    ),
  );
  const outcome = await sinkOf([url]).send(part(6), never);
  expect(outcome).toEqual({
    rejected: [
      { row: 3, code: 'document_parsing_exception', detail: 'status 400, caused by illegal_argument_exception' },
    ],
    again: [2, 4],
  });
  expect(received).toHaveLength(1);
  expect(received[0]?.path).not.toContain('reason');
});

test('rows that are settled are not sent, and the answer is read past them', async () => {
  const answered = { create: { _id: 'spool0-epoch0-1-2', status: 429 } };
  const { url, received } = await server({ status: 200, body: { took: 1, errors: true, items: [answered] } });
  const sink = sinkOf([url]);
  expect((await sink.send(part(4, Uint8Array.of(1, 1, 0, 1)), never)).again).toEqual([2]);
  expect(received[0]?.body.split('\n')[0]).toBe('{"create":{"_id":"spool0-epoch0-1-2"}}');
  expect(await sink.send(part(2, Uint8Array.of(1, 1)), never)).toEqual(STORED);
  expect(received).toHaveLength(1);
});

test('a row in the failure store counts as rejected, though the answer says that there are no errors', async () => {
  const { url, received } = await server(bulkAnswer({ status: 201 }, { status: 201, failure_store: 'used' }));
  const outcome = await sinkOf([url]).send(part(2), never);
  expect(outcome.rejected).toMatchObject([{ row: 1, code: 'failure_store' }]);
  expect(outcome.again).toEqual([]);
  expect(received).toHaveLength(1);
});

test('a row that may not be written by this user holds the whole part, whatever became of the others', async () => {
  const error = { type: 'security_exception', reason };
  const held = await failing(bulkAnswer({ status: 201 }, { status: 403, error }, { status: 400, error }));
  expect(held).toMatchObject({ failure: 'hold', code: 'HTTP 403' });
  expect(held.message).toContain('create_doc');
});

test.each([
  ['the limit of shards is reached', 400, 'validation_exception'],
  ['the index is closed', 400, 'index_closed_exception'],
  ['the index may not be made', 404, 'index_not_found_exception'],
  ['the password is wrong', 401, 'security_exception'],
  ['a status is not known', 302, 'surprise'],
])('rows are held, not given up, when %s', async (_, status, type) => {
  const item = { status, error: { type, reason } };
  expect(await failing(bulkAnswer(item, item, item))).toMatchObject({ failure: 'hold', code: `HTTP ${status}` });
});

test('when every row is refused for an argument that is no row, an operator has to look at it', async () => {
  const item = { status: 400, error: { type: 'illegal_argument_exception', reason } };
  expect(await failing(bulkAnswer(item, item, item))).toMatchObject({ failure: 'hold', code: 'HTTP 400' });
  const { url } = await server(bulkAnswer({ status: 201 }, item, item));
  expect((await sinkOf([url]).send(part(3), never)).rejected.map(({ row }) => row)).toEqual([1, 2]);
});

test.each([
  [400, 'hold', false],
  [401, 'hold', false],
  [403, 'hold', false],
  [404, 'hold', false],
  [406, 'hold', false],
  [408, 'retry', true],
  [413, 'split', false],
  [429, 'retry', false],
  [500, 'retry', true],
  [502, 'retry', true],
  [503, 'retry', true],
  [504, 'retry', true],
])('an answer with status %i is a reason to %s', async (status, kind, in_doubt) => {
  const reply = { status, body: { error: { type: 'some_exception', reason }, status } };
  const error = await failing(reply);
  expect(error).toMatchObject({ failure: kind, code: `HTTP ${status}`, in_doubt });
  expect(error.message).toContain('some_exception');
});

test('a redirect is not followed', async () => {
  const other = await server({ status: 200 });
  const error = await failing({ status: 307, headers: { location: `${other.url}/x` }, body: `<html>${CANARY}</html>` });
  expect(error).toMatchObject({ failure: 'hold', code: 'HTTP 307' });
  expect(other.received).toHaveLength(0);
});

test('a busy cluster says when to come back, in seconds or as a date, for a body and for single rows', async () => {
  expect(await failing({ status: 429, headers: { 'retry-after': '7' } })).toMatchObject({ retry_after_ms: 7_000 });
  const clock = { ...faulty.context.clock, wall: () => Date.parse('2026-11-21T10:00:00Z') };
  const busy = { status: 503, headers: { 'retry-after': 'Sat, 21 Nov 2026 10:00:09 GMT' } };
  const { url, replies } = await server(busy, bulkAnswer({ status: 201 }, { status: 429 }));
  const options = { ...ELASTICSEARCH_DEFAULTS, urls: [url] };
  const sink = createElasticsearchSink(options, { ...faulty.context, clock });
  expect((await failure(sink.send(part(2), never))).retry_after_ms).toBe(9_000);
  Object.assign(replies[0]!, { headers: { 'retry-after': '2' } });
  expect(await sink.send(part(2), never)).toEqual({ rejected: [], again: [1], retry_after_ms: 2_000 });
});

test.each<[string, string]>([
  ['cut short', '{"took":3,"errors":false,"items":[{"create":{"_id":"spool0-epoch0-1-0","st'],
  ['of a proxy', '<html>all is well</html>'],
  ['empty', ''],
  ['of no rows', '{"took":3,"errors":true,"items":[]}'],
  ['without items', '{"took":3,"errors":true}'],
  ['about other rows', bulkBody('spool0-epoch0-1-0', 'spool0-epoch0-1-1', 'spool0-epoch9-1-2')],
  ['without a status', bulkBody('spool0-epoch0-1-0', 'spool0-epoch0-1-1', 'spool0-epoch0-1-2')],
])('an answer %s is in doubt and the part goes again', async (_, body) => {
  expect(await failing({ status: 200, body })).toMatchObject({ failure: 'retry', code: 'BAD_ANSWER', in_doubt: true });
});

function bulkBody(...ids: string[]): string {
  return JSON.stringify({ took: 3, errors: true, items: ids.map((_id) => ({ create: { _id } })) });
}

test('a connection that is reset in the middle of the answer is in doubt', async () => {
  const error = await failing((response) => {
    response.writeHead(200, { 'content-length': '1000' });
    response.write('{"took":3,"errors":false,"items":[]}');
    setImmediate(() => response.socket?.resetAndDestroy());
  });
  expect(error).toMatchObject({ failure: 'retry', code: 'ECONNRESET', in_doubt: true });
});

test('a chunked answer that ends too early is in doubt', async () => {
  const error = await failing((response) => {
    response.writeHead(200);
    response.write('{"took":3,"errors":false}');
    setImmediate(() => response.socket?.end());
  });
  expect(error).toMatchObject({ failure: 'retry', in_doubt: true });
});

test('a cluster that hangs is given up after the time that was set, and the rows are in doubt', async () => {
  const pauses: number[] = [];
  let ring = (): void => undefined;
  const clock = {
    ...faulty.context.clock,
    sleep: (ms: number) =>
      new Promise<void>((resolve) => {
        pauses.push(ms);
        ring = resolve;
      }),
  };
  const { url } = await server(() => ring());
  const options = { ...ELASTICSEARCH_DEFAULTS, urls: [url] };
  const sink = createElasticsearchSink(options, { ...faulty.context, clock });
  const error = await failure(sink.send(part(1), never));
  expect(error).toMatchObject({ failure: 'retry', code: 'TIMEOUT', in_doubt: true });
  expect(pauses).toEqual([60_000]);
});

test('stopping does not wait for an answer', async () => {
  const stopping = new AbortController();
  const { url } = await server(() => stopping.abort());
  expect(await failure(sinkOf([url]).send(part(1), stopping.signal))).toMatchObject({
    code: 'ABORTED',
    in_doubt: true,
  });
});

test('an answer without end does not fill the memory', async () => {
  const error = await failing((response) => {
    const chunk = Buffer.alloc(1 << 20, 'x');
    const more = (): void => {
      while (!response.destroyed && response.write(chunk));
    };
    response.on('drain', more).on('error', () => undefined);
    more();
  });
  expect(error).toMatchObject({ failure: 'hold', code: 'ANSWER_TOO_LARGE', in_doubt: true });
});

test('when one address cannot be reached the next one gets the rows, at once, and keeps getting them', async () => {
  const gone = await server({ status: 200 });
  await gone.stop();
  const { url, received } = await server({ status: 200, body: '{"took":1,"errors":false,"items":[]}' });
  const sink = sinkOf([gone.url, url]);
  expect(await sink.send(part(1), never)).toEqual(STORED);
  expect(await sink.send(part(1), never)).toEqual(STORED);
  expect(received).toHaveLength(2);
  expect(sink.describe()).toBe(`Elasticsearch at ${url}`);
  const none = await failure(sinkOf([gone.url, gone.url]).send(part(1), never));
  expect(none).toMatchObject({ failure: 'retry', code: 'ECONNREFUSED', in_doubt: false });
});

test('a kept connection that the cluster closed meanwhile costs nothing', async () => {
  const good: Reply = { status: 200, body: '{"took":1,"errors":false,"items":[]}' };
  let fresh = true;
  const { url, received } = await server(good, (response) => {
    if (fresh) response.socket?.resetAndDestroy();
    else response.end('{"took":1,"errors":false,"items":[]}');
    fresh = false;
  });
  const sink = sinkOf([url]);
  await sink.send(part(1), never);
  expect(await sink.send(part(1), never)).toEqual(STORED);
  expect(received).toHaveLength(3);
});

test('a user, a key, or what stands in the address is what the cluster is shown', async () => {
  const { url, received } = await server({ status: 200, body: '{"took":1,"errors":false,"items":[]}' });
  await sinkOf([url], { user: 'u', password: 'p:ß' }).send(part(1), never);
  await sinkOf([url], { api_key: 'a2V5' }).send(part(1), never);
  await sinkOf([`${url.replace('//', '//x:p%40%25@')}/es/`]).send(part(1), never);
  const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;
  expect(received.map(({ headers }) => headers.authorization)).toEqual([basic('u:p:ß'), 'ApiKey a2V5', basic('x:p@%')]);
  expect(received[2]?.path).toMatch(/^\/es\/steptap-steps-2026\.11\.21\/_bulk\?/);
  expect(received[2]?.headers).toMatchObject({ 'content-type': 'application/x-ndjson', accept: 'application/json' });
});

test('options that make no sense are refused at once, without repeating them', () => {
  for (const url of ['http://u:pass-9c1@ho st', 'es-9c1:9200']) {
    expect(() => sinkOf([url])).toThrow(/^(?!.*9c1).*not an address/);
  }
  expect(() => sinkOf(['http://es'], { prefix: '../_all' })).toThrow(/prefix/);
  expect(() => sinkOf(['http://es'], { prefix: 'x'.repeat(101) })).toThrow(/prefix/);
  expect(() => sinkOf(['http://es'], { api_key: 'pass-9c1\n' })).toThrow(/^(?!.*9c1).*api_key/);
});
