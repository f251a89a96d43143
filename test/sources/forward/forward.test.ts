import { createHash } from 'node:crypto';
import { encode } from '@msgpack/msgpack';
import { EventTime, FluentClient } from '@fluent-org/logger';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { UsageError } from '../../../src/errors.ts';
import { forwardSource } from '../../../src/sources/forward/index.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { KeptSpool } from '../../support/kept-spool.ts';
import { Client, start, until } from './parts.ts';

/** Commits when the test says so, and has room for more meanwhile. */
class SlowSpool extends KeptSpool {
  override held = true;
  override usage(): ReturnType<KeptSpool['usage']> {
    return { ...super.usage(), full: false };
  }
}

/** A record as tail and the filter for Kubernetes make it. */
const record = (log: string): Record<string, unknown> => ({
  log,
  stream: 'stderr',
  kubernetes: { pod_name: 'p', namespace_name: 'n', container_name: 'c' },
});
const forward = (chunk: string | undefined, ...logs: string[]): Uint8Array =>
  encode(['a.tag', logs.map((log, n) => [1_771_497_044 + n, record(log)]), chunk === undefined ? {} : { chunk }]);
const ack = (chunk: string): string => Buffer.from(encode({ ack: chunk })).toString('hex');
const hex = (frames: readonly Buffer[]): string[] => frames.map((frame) => frame.toString('hex'));
const messages = (spool: KeptSpool): unknown[] => spool.rows().map((row) => row['message']);

describe('FluentClient', () => {
  const MODES = ['Message', 'Forward', 'PackedForward', 'CompressedPackedForward'] as const;
  test.each(MODES)('in %s mode gets its acknowledgements, and every event is stored once', async (eventMode) => {
    const { port, spool } = await start({ shared_key: 'k', users: [{ username: 'u', password: 'w' }] });
    const client = new FluentClient('app', {
      eventMode,
      ack: { ackTimeout: 20_000 },
      socket: { port, host: '127.0.0.1' },
      security: { clientHostname: 'here', sharedKey: 'k', username: 'u', password: 'w' },
    });
    const sent = Array.from({ length: 50 }, (_, n) => `line ${n}`);
    // Each resolves with its acknowledgement.
    await Promise.all(sent.map((log, n) => client.emit('x', record(log), new EventTime(1_771_497_044, n * 1000))));
    await client.shutdown();
    const rows = spool.rows('logs');
    expect(rows).toHaveLength(sent.length);
    expect(new Set(rows.map((row) => row['message']))).toEqual(new Set(sent));
    expect(rows.find((row) => row['message'] === 'line 7')).toMatchObject({
      ts: '2026-02-19T10:30:44.000007Z',
      pod: 'p',
      namespace: 'n',
      container: 'c',
      stream: 'stderr',
    });
  });

  test.each([
    ['another key', { sharedKey: 'other', username: 'u', password: 'w' }],
    ['another password', { sharedKey: 'k', username: 'u', password: 'other' }],
    ['another user', { sharedKey: 'k', username: 'other', password: 'w' }],
    ['no user', { sharedKey: 'k' }],
  ])('with %s is not let in', async (_what, credentials) => {
    const { port, spool, warnings } = await start({ shared_key: 'k', users: [{ username: 'u', password: 'w' }] });
    const client = new FluentClient('app', {
      ack: { ackTimeout: 500 },
      socket: { port, host: '127.0.0.1', reconnect: { delay: 100_000, minDelay: 100_000 } },
      security: { clientHostname: 'here', ...credentials },
    });
    client.socketOn('error' as never, () => {});
    const sent = client.emit('x', { log: 'x' }).then(
      () => 'sent',
      () => 'refused',
    );
    await until(() => warnings.length > 0);
    expect(warnings[0]).toMatch(/^forward:test: the connection of 127\.0\.0\.1 was closed: .* mismatch$/);
    expect(warnings.join()).not.toMatch(/other/);
    expect(spool.rows()).toEqual([]);
    await client.shutdown().catch(() => {});
    expect(await sent).toBe('refused');
  });
});

test('a chunk that comes again is answered again, and stored once; from another connection too', async () => {
  const { port, spool } = await start();
  for (let time = 0; time < 3; time++) {
    const client = new Client(port);
    client.socket.write(forward('one', 'a', 'b'));
    expect(hex(await client.heard(1))).toEqual([ack('one')]);
    client.socket.destroy();
  }
  expect(messages(spool)).toEqual(['a', 'b']);
});

test('a chunk that comes again while the first is not committed yet waits for that', async () => {
  const spool = new SlowSpool();
  const { port } = await start({}, { spool });
  const [gone, again] = [new Client(port), new Client(port)];
  gone.socket.write(forward('one', 'a'));
  await until(() => spool.waiting.length === 1);
  gone.socket.destroy();
  again.socket.write(forward('one', 'a'));
  await new Promise(setImmediate);
  expect(again.frames).toEqual([]);
  spool.commit();
  expect(hex(await again.heard(1))).toEqual([ack('one')]);
  expect(messages(spool)).toEqual(['a']);
});

test('the same chunk with another tag is another', async () => {
  const { port, spool } = await start();
  const client = new Client(port);
  client.socket.write(forward('one', 'a'));
  client.socket.write(encode(['b.tag', [[1, record('a')]], { chunk: 'one' }]));
  await client.heard(2);
  expect(messages(spool)).toEqual(['a', 'a']);
});

test('a chunk of a steptap is the same from any address and under any tag', async () => {
  const { port, spool } = await start();
  const row = { ts: '2026-02-19T10:30:44.000007Z', dialect: 'log', kind: 'log', message: 'm', pod: 'p' };
  const chunk = 'steptap-0123456789abcdef-0123456789ab-1-1-logs';
  const client = new Client(port);
  for (const tag of ['one', 'two']) client.socket.write(encode([tag, [[1, row]], { chunk, steptap: 1 }]));
  expect(hex(await client.heard(2))).toEqual([ack(chunk), ack(chunk)]);
  expect(spool.rows()).toEqual([row]);
});

test('a record cannot say that it is the row of a steptap: only its sender can', async () => {
  const { port, spool } = await start();
  const row = {
    _src: 'x',
    _seq: 1,
    _i: 0,
    ts: '2026-02-19T10:30:44.000007Z',
    kind: 'step',
    dialect: 'flytekit',
    pod: 'victim',
  };
  const client = new Client(port);
  client.socket.write(encode(['t', [[1, row]], { chunk: 'c' }]));
  await client.heard(1);
  expect(spool.rows('logs')).toMatchObject([{ kind: 'log', attributes: { pod: 'victim' } }]);
  expect(spool.rows('logs')[0]).not.toHaveProperty('pod');
  expect(spool.rows('steps')).toEqual([]);
});

test('answers come in the order of the messages, each when it is committed', async () => {
  const spool = new SlowSpool();
  const { port } = await start({}, { spool });
  const client = new Client(port);
  for (const chunk of ['1', '2', '3']) client.socket.write(forward(chunk, chunk));
  await until(() => spool.waiting.length === 3);
  spool.waiting[2]!();
  await new Promise(setImmediate);
  expect(client.frames).toEqual([]);
  spool.commit();
  expect(hex(await client.heard(3))).toEqual(['1', '2', '3'].map(ack));
});

test('what nobody waits for is stored together, behind what came before it', async () => {
  const { port, spool } = await start();
  const client = new Client(port);
  for (let n = 0; n < 100; n++) client.socket.write(encode(['t', 1_771_497_044, record(`m${n}`)]));
  client.socket.write(forward('last', 'last'));
  await client.heard(1);
  expect(messages(spool)).toEqual([...Array.from({ length: 100 }, (_, n) => `m${n}`), 'last']);
  expect(spool.batches.length).toBeLessThan(10);
});

test('times of every form are read, markers of groups are no records, and a date of the record is its own', async () => {
  const { port, spool } = await start();
  const client = new Client(port);
  const seconds = (number: number): Buffer => {
    const bytes = Buffer.from('d700000000000000003a', 'hex').subarray(0, 10);
    bytes.writeInt32BE(number, 2);
    return bytes;
  };
  const entry = (time: Uint8Array, log: string): Buffer =>
    Buffer.concat([Buffer.from([0x92]), time, encode(record(log))]);
  const entries = Buffer.concat([
    entry(encode(1_771_497_044), 'integer'),
    entry(encode(1_771_497_044.25), 'float'),
    entry(seconds(1_771_497_044), 'event time'),
    entry(Buffer.concat([Buffer.from([0x92]), seconds(1_771_497_044), encode({ otlp: 1 })]), 'with metadata'),
    entry(seconds(-1), 'a group begins'),
    entry(encode(-2), 'a group ends'),
    Buffer.concat([Buffer.from([0x92]), encode(1), encode({ ...record('own date'), date: 1_771_497_045 })]),
    Buffer.concat([Buffer.from([0x92]), encode(1_771_497_044), encode('no map')]),
    Buffer.concat([Buffer.from([0x92]), encode(1_771_497_044), encode({})]),
  ]);
  client.socket.write(encode(['t', entries, { chunk: 'c' }]));
  await client.heard(1);
  expect(spool.rows().map(({ message, ts }) => [message, (ts as string).slice(17)])).toEqual([
    ['integer', '44.000000Z'],
    ['float', '44.250000Z'],
    ['event time', '44.000000Z'],
    ['with metadata', '44.000000Z'],
    ['own date', '45.000000Z'],
    ['no map', '44.000000Z'],
    [undefined, '44.000000Z'],
  ]);
});

test('a record as deep as Fluentd lets it be does not hold up its neighbours', async () => {
  const { port, spool } = await start();
  const client = new Client(port);
  let deep: unknown = 'x';
  for (let level = 0; level < 126; level++) deep = [deep];
  const entries = [record('before'), { ...record('deep'), deep }, record('behind')].map((each) => [1, each]);
  client.socket.write(encode(['t', entries, { chunk: 'c' }], { maxDepth: 200 }));
  expect(hex(await client.heard(1))).toEqual([ack('c')]);
  expect(messages(spool)).toEqual(['before', 'deep', 'behind']);
});

test('metrics and traces of Fluent Bit are answered, and not stored', async () => {
  const { port, spool } = await start();
  const client = new Client(port);
  for (const fluent_signal of [1, 2]) client.socket.write(encode(['t', [], { chunk: 'm', fluent_signal }]));
  await client.heard(2);
  expect(spool.batches).toEqual([]);
});

test('while the spool has no room nothing is read, and then everything is', async () => {
  const spool = new KeptSpool();
  spool.held = true;
  const { port } = await start({}, { spool });
  const client = new Client(port);
  let written = 0;
  const text = 'x'.repeat(500_000);
  for (let n = 0; n < 40; n++) client.socket.write(forward(`c${n}`, text), () => written++);
  await until(() => spool.waiting.length === 1);
  // 20 MB were sent; what was read, and what the kernel holds, is less.
  let before = -1;
  while (before !== written) {
    before = written;
    await new Promise((resolve) => {
      setTimeout(resolve, 200);
    });
  }
  expect(written).toBeLessThan(30);
  expect(spool.waiting).toHaveLength(1);
  spool.commit();
  await client.heard(40);
  expect(spool.batches).toHaveLength(40);
});

test('who says goodbye with his last message still gets his answer', async () => {
  const { port, spool } = await start();
  const client = new Client(port);
  client.socket.end(forward('last', 'a'));
  await client.closed;
  expect(hex(client.frames)).toEqual([ack('last')]);
  expect(messages(spool)).toEqual(['a']);
});

test('a source that is stopped answers what it has read, and hangs up', async () => {
  const spool = new SlowSpool();
  const running = await start({}, { spool });
  const { port } = running;
  const client = new Client(port);
  client.socket.write(forward('c', 'a'));
  client.socket.write(encode(['t', 1, record('nobody waits')]));
  await until(() => spool.waiting.length === 2);
  const stopped = running.stop();
  await new Promise(setImmediate);
  spool.commit();
  await stopped;
  await client.closed;
  expect(hex(client.frames)).toEqual([ack('c')]);
  expect(messages(spool)).toEqual(['a', 'nobody waits']);
});

test('a spool that fails answers nobody', async () => {
  const spool = new KeptSpool();
  spool.broken = new Error('disk gone');
  const { port } = await start({}, { spool });
  const client = new Client(port);
  client.socket.write(forward('c', 'a'));
  await client.closed;
  expect(client.frames).toEqual([]);
});

test('who does not shake hands in time, or stops in the middle of a message, is hung up on; who is only silent is not', async () => {
  const clock = new FakeClock();
  const open = await start({}, { clock });
  const closed = await start({ shared_key: 'k' }, { clock });
  const [silent, half, stranger] = [new Client(open.port), new Client(open.port), new Client(closed.port)];
  silent.socket.write(forward('c', 'a'));
  await silent.heard(1);
  half.socket.write(Buffer.from(forward('c', 'a')).subarray(0, 20));
  await stranger.heard(1);
  await clock.advance(6_000);
  await stranger.closed;
  // It has been read by then: both sockets are of one process, and this one was answered.
  silent.socket.write(forward('d', 'b'));
  await silent.heard(2);
  await clock.advance(32_000);
  await half.closed;
  expect(silent.socket.destroyed).toBe(false);
  expect(closed.warnings).toEqual(['forward:test: the connection of 127.0.0.1 was closed: no handshake within 5 s']);
  expect(open.warnings).toEqual(['forward:test: the connection of 127.0.0.1 was closed: it stopped in the middle']);
});

test('a nonce is of one connection: an answer to another one is none', async () => {
  const { port, warnings } = await start({ shared_key: 'k' });
  const first = new Client(port);
  const [helo] = await first.heard(1);
  const nonce = helo!.subarray(helo!.indexOf('nonce') + 7, helo!.indexOf('nonce') + 23);
  const hash = createHash('sha512').update('salt').update('me').update(nonce).update('k').digest('hex');
  const ping = encode(['PING', 'me', 'salt', hash, '', '']);
  const thief = new Client(port);
  await thief.heard(1);
  thief.socket.write(ping);
  await thief.closed;
  expect(warnings[0]).toMatch(/shared key mismatch/);
  first.socket.write(ping);
  expect((await first.heard(2))[1]!.toString('latin1', 1, 7)).toBe('\u00a4PONG\u00c3');
});

test.each([
  ['users and no key', { users: [{ username: 'u', password: 'secret-1' }] }, /give shared_key_file/],
  ['a user without a password', { shared_key: 'secret-1', users: [{ username: 'u' }] }, /user u has no password/],
  ['a key in no file', { shared_key_file: '/nowhere' }, /there is no such file/],
])('%s is an error that says what to do, and no secret', (_what, options, why) => {
  const make = (): unknown => forwardSource('forward:x', options, { clock: systemClock, log: () => {} });
  expect(make).toThrow(UsageError);
  expect(make).toThrow(why);
  expect(make).not.toThrow(/secret-1/);
});
