import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { encode } from '@msgpack/msgpack';
import { expect, test } from 'vitest';
import { Connection, type Served } from '../../src/sources/forward/connection.ts';
import { httpSource } from '../../src/sources/http/index.ts';
import { HTTP_DEFAULTS } from '../../src/sources/http/schema.ts';
import { FakeClock, settled } from '../support/fake-clock.ts';
import { KeptSpool } from '../support/kept-spool.ts';
import { Client, runs, start, until } from './forward/parts.ts';

/** Time passes until it has happened. */
async function while_passing<T>(clock: FakeClock, happens: Promise<T>): Promise<T> {
  let over = false;
  const done = happens.finally(() => (over = true));
  while (!over) await clock.advance(1_000);
  return done;
}

async function connected(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

test('an HTTP source ends though somebody never sends the rest of his request', async () => {
  const clock = new FakeClock();
  let url = '';
  const options = { ...HTTP_DEFAULTS, listen: '127.0.0.1:0', max_body_bytes: 1 << 20 };
  const log = (_severity: unknown, _message: string, fields: { url?: unknown } = {}): void => {
    if (typeof fields.url === 'string') ({ url } = fields as { url: string });
  };
  const stop = runs(httpSource('http:test', options, { clock, log }), { spool: new KeptSpool(), clock });
  await until(() => url !== '');
  const socket = await connected(Number(new URL(url).port));
  // The request is known to be under way when the server says that it may go on.
  socket.write('POST /ingest HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\nexpect: 100-continue\r\n\r\n');
  const [said] = (await once(socket, 'data')) as [Buffer];
  expect(said.toString()).toMatch(/100 Continue/);
  socket.write('{"a":');
  const hung_up = once(socket, 'close');
  await while_passing(clock, stop());
  await hung_up;
});

/** A socket whose peer takes nothing until he is told to. */
class Deaf extends Duplex {
  listen: () => void = () => {};
  override _read(): void {}
  override _write(_piece: Buffer, _encoding: string, done: () => void): void {
    this.listen = () => {
      this.listen = () => {};
      done();
    };
  }
}

test('who does not take his acknowledgements is not read either; then he gets all of them', async () => {
  const socket = new Deaf();
  let answered = 0;
  const served: Served = {
    now: () => 0,
    door: undefined,
    full: false,
    waits: () => {},
    take: async () => 'stored',
    stored: () => answered++,
    refused: () => {},
    held: () => {},
  };
  const connection = new Connection(socket as unknown as Socket, served);
  const message = encode(['t', [], { chunk: 'x'.repeat(250) }]);
  for (let n = 0; n < 10_000; n++) socket.push(message);
  await settled();
  const held = socket.writableLength;
  for (let n = 0; n < 20; n++) await settled();
  expect([answered < 5_000, socket.writableLength - held]).toEqual([true, 0]);
  // Where there are too many it goes before others: nothing of ours is missing.
  expect(connection.idle).toBe(true);
  for (let rounds = 0; answered < 10_000 && rounds < 20_000; rounds++) {
    socket.listen();
    await settled();
  }
  expect(answered).toBe(10_000);
});

test('a chunk with a name that nobody gives is not kept to be answered', async () => {
  const { port, warnings } = await start();
  const client = new Client(port);
  client.socket.write(encode(['t', [], { chunk: 'x'.repeat(1_000_000) }]));
  await client.closed;
  expect(warnings.join()).toMatch(/a chunk whose name has more than 256 bytes/);
});
