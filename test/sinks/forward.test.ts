import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventTime, FluentServer } from '@fluent-org/logger';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createForwardSink, type ForwardSinkOptions } from '../../src/sinks/forward/index.ts';
import { SinkError, STORED, type Sink } from '../../src/sinks/sink.ts';
import { makeCertificate } from '../listening/certificates.ts';
import { start, until } from '../sources/forward/parts.ts';
import { systemClock } from '../../src/clock.ts';
import { partOf, stepRow } from '../support/rows.ts';

const never = new AbortController().signal;
const part = partOf([stepRow({ step: 'a' }), stepRow({ step: 'b', message: 'x' })]);
const sinks: Sink[] = [];
const servers: { close(): unknown }[] = [];
let home = '';
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'steptap-forward-'));
});
afterEach(async () => {
  for (const sink of sinks.splice(0)) await sink.close();
  for (const server of servers.splice(0)) server.close();
  await rm(home, { recursive: true, force: true });
});

function sinkTo(port: number, options: Partial<ForwardSinkOptions> = {}): Sink {
  const sink = createForwardSink(
    { address: `127.0.0.1:${port}`, timeout_ms: 5_000, ...options },
    { clock: systemClock, log: () => undefined },
  );
  sinks.push(sink);
  return sink;
}

async function failureOf(
  work: Promise<unknown>,
): Promise<Pick<SinkError, 'failure' | 'code' | 'message' | 'in_doubt'>> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(SinkError);
  const { failure, code, message, in_doubt } = error as SinkError;
  return { failure, code, message, in_doubt };
}

/** A server that does with each connection what the test says. */
async function serverOf(connected: (socket: Socket, number: number) => void): Promise<number> {
  let number = 0;
  const server: Server = createServer((socket) => {
    socket.on('error', () => {});
    connected(socket, number++);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as { port: number }).port;
}

test.each(['none', 'gzip'] as const)(
  'the server of @fluent-org/logger gets every field of an event (%s)',
  async (compress) => {
    const entries: [string, unknown, Record<string, unknown>][] = [];
    const server = new FluentServer({
      listenOptions: { port: 0, host: '127.0.0.1' },
      security: { serverHostname: 'there', sharedKey: 'k', authorize: true, userDict: { u: 'w' } },
    });
    server.on('entry', (tag: string, time: unknown, record: Record<string, unknown>) =>
      entries.push([tag, time, record]),
    );
    await server.listen();
    servers.push({ close: () => void server.close() });
    const sink = sinkTo(server.port!, { shared_key: 'k', username: 'u', password: 'w', tag: 'a.b', compress });
    await sink.open(never);
    expect(await sink.send(part, never)).toEqual(STORED);
    await until(() => entries.length === 2);
    const [tag, time, record] = entries[0]!;
    expect(tag).toBe('a.b');
    expect(time).toEqual(new EventTime(1_771_497_072, 640_123_000));
    expect(record).toMatchObject({ step: 'a', wall_time_s: 1.234, _src: 'spool0-epoch0', _seq: 1, _i: 0 });
  },
);

describe('A receiver', () => {
  test('that hangs up without an answer may have the rows: they are in doubt', async () => {
    const port = await serverOf((socket) => socket.once('data', () => socket.destroy()));
    expect(await failureOf(sinkTo(port).send(part, never))).toMatchObject({ failure: 'retry', in_doubt: true });
  });

  test('that never answers is not waited for for ever', async () => {
    const port = await serverOf(() => undefined);
    expect(await failureOf(sinkTo(port, { timeout_ms: 100 }).send(part, never))).toEqual({
      failure: 'retry',
      code: 'TIMEOUT',
      message: `127.0.0.1:${port}: no answer within 100 ms (TIMEOUT); tried again`,
      in_doubt: true,
    });
  });

  test('that answers for something else has not answered', async () => {
    const port = await serverOf((socket) =>
      socket.once('data', () => socket.write(Buffer.from('81a361636ba178', 'hex'))),
    );
    expect(await failureOf(sinkTo(port, { timeout_ms: 100 }).send(part, never))).toMatchObject({ code: 'TIMEOUT' });
  });

  test('that is not there has got nothing', async () => {
    const port = await serverOf(() => undefined);
    servers.pop()!.close();
    expect(await failureOf(sinkTo(port).open(never))).toMatchObject({ code: 'ECONNREFUSED', in_doubt: false });
  });

  test.each([
    ['another key', { shared_key: 'secret-2' }, 'shared key mismatch'],
    ['no key', {}, 'it asks for a shared key'],
    ['another password', { shared_key: 'secret-1', username: 'u', password: 'secret-2' }, 'username/password mismatch'],
  ])('is not bothered again soon by who has %s, and no secret is told', async (_what, options, why) => {
    const { port } = await start({ shared_key: 'secret-1', users: [{ username: 'u', password: 'secret-3' }] });
    const sink = sinkTo(port, options);
    const found = await failureOf(sink.open(never).then(() => sink.send(part, never)));
    expect(found).toMatchObject({ failure: 'hold', code: 'REFUSED' });
    expect(found.message).toContain(why);
    expect(found.message).not.toMatch(/secret-\d/);
  });

  test('that has not the key itself gets no row', async () => {
    const { port, spool } = await start({ shared_key: 'k', hostname: 'srv' });
    // In between, somebody who passes on the greeting, and whose own answer is made up.
    const between = await serverOf((socket) => {
      const helo = Buffer.from(
        '92a448454c4f83a56e6f6e6365c4100102030405060708090a0b0c0d0e0f10a461757468a0a96b656570616c697665c3',
        'hex',
      );
      socket.write(helo);
      socket.once('data', () => socket.write(Buffer.from('95a4504f4e47c3a0a3737276a178', 'hex')));
    });
    expect(await failureOf(sinkTo(between, { shared_key: 'k' }).open(never))).toMatchObject({
      failure: 'hold',
      message: expect.stringContaining('does not have the shared key itself') as string,
    });
    expect(port).not.toBe(between);
    expect(spool.rows()).toEqual([]);
  });

  test('that comes back on the same address gets the same chunk, and stores it once', async () => {
    const receiver = await start();
    // The first answer is lost on its way.
    const port = await serverOf((socket, number) => {
      const up = connect(receiver.port, '127.0.0.1');
      socket.on('data', (piece: Buffer) => up.write(piece)).once('close', () => up.destroy());
      up.on('data', (piece: Buffer) => (number === 0 ? socket.destroy() : socket.write(piece)));
    });
    const token = '0123456789abcdef-0123456789ab-1-1';
    const sink = sinkTo(port);
    expect(await failureOf(sink.send({ ...part, token }, never))).toMatchObject({ in_doubt: true });
    expect(await sink.send({ ...part, token, in_doubt: true }, never)).toEqual(STORED);
    expect(receiver.spool.rows().map(({ step }) => step)).toEqual(['a', 'b']);
  });
});

test('a receiver derives tasks himself, and gets them when they are named', () => {
  expect([...sinkTo(1).tables]).toEqual(['steps', 'logs', 'events', 'resources']);
  const context = { clock: systemClock, log: () => undefined, tables: ['tasks'] as const };
  const sink = createForwardSink({ address: '127.0.0.1:1' }, context);
  expect([...sink.tables]).toEqual(['tasks']);
});

test('a part that no message can hold is halved', async () => {
  const { port } = await start();
  const big = partOf([stepRow({ message: 'x'.repeat(9 << 20) }), stepRow({ message: 'x'.repeat(9 << 20) })]);
  expect(await failureOf(sinkTo(port).send(big, never))).toMatchObject({ failure: 'split', in_doubt: false });
});

describe('TLS', () => {
  test('rows go to who has the right certificate, and to nobody else; a client may have to have one, too', async () => {
    const [server, client, other] = ['server', 'client', 'other'].map((name) => makeCertificate(home, name));
    const { port, spool } = await start({ tls: { ...server!, client_ca_file: client!.cert_file }, shared_key: 'k' });
    const good = { ca_file: server!.cert_file, ...client! };
    expect(await sinkTo(port, { shared_key: 'k', tls: good }).send(part, never)).toEqual(STORED);
    const wrong = sinkTo(port, { shared_key: 'k', tls: { ...good, ca_file: other!.cert_file } });
    expect(await failureOf(wrong.open(never))).toMatchObject({ failure: 'hold', in_doubt: false });
    const stranger = sinkTo(port, { shared_key: 'k', tls: { ...good, ...other! }, timeout_ms: 2_000 });
    expect(await failureOf(stranger.open(never))).toMatchObject({ in_doubt: false });
    const plain = sinkTo(port, { shared_key: 'k', timeout_ms: 500 });
    expect(await failureOf(plain.open(never))).toMatchObject({ failure: 'retry', in_doubt: false });
    expect(spool.rows()).toHaveLength(2);
  });

  test('a certificate and a key that are exchanged are those of the next connection', async () => {
    const [server, next] = ['server', 'next'].map((name) => makeCertificate(home, name));
    const key = join(home, 'key');
    await writeFile(key, 'old\n');
    const { port, spool } = await start({ tls: server!, shared_key_file: key });
    expect(await sinkTo(port, { shared_key: 'old', tls: { ca_file: server!.cert_file } }).send(part, never)).toEqual(
      STORED,
    );
    await rename(next!.cert_file, server!.cert_file);
    await rename(next!.key_file, server!.key_file);
    await writeFile(key, 'new\n');
    const later = sinkTo(port, { shared_key: 'new', tls: { ca_file: server!.cert_file } });
    expect(await later.send(partOf([stepRow({ step: 'c' })], { seq: 2 }), never)).toEqual(STORED);
    expect(spool.rows()).toHaveLength(3);
  });
});
