import { createPrivateKey } from 'node:crypto';
import { connect, createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { TlsOptions } from '../../src/outgoing/index.ts';
import { Authority } from '../support/certificates.ts';
import { partOf, stepRow } from '../support/rows.ts';
import { failure, files, KINDS, listening, never, sinkOf, Store } from './parts.ts';

const ours = new Authority('ours');
const others = new Authority('others');
const server = ours.sign({ name: 'server', of: ['127.0.0.1'] });
const renamed = ours.sign({ name: 'server', of: ['store.test'] });
const expired = ours.sign({ name: 'server', of: ['127.0.0.1'], from: -9, to: -1 });
const client = others.sign({ name: 'steptap' });
const encrypted = createPrivateKey(client.key)
  .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'open-sesame' })
  .toString();

const path = files({
  'ca.crt': ours.cert,
  'both.crt': `${others.cert}\n${ours.cert}`,
  'other.crt': others.cert,
  'tls.crt': client.cert,
  'tls.key': client.key,
  'locked.key': encrypted,
  'server.key': server.key,
  'half.crt': ours.cert.slice(0, -60),
});
const ca_file = path('ca.crt');
const own = { ca_file, cert_file: path('tls.crt'), key_file: path('tls.key') };

describe.each(KINDS)('%s', (kind) => {
  const to = ({ port }: Store, tls?: TlsOptions): ReturnType<typeof sinkOf> =>
    sinkOf(kind, { urls: [`https://127.0.0.1:${port}`], tls });

  test('a server of an authority of its own is trusted when its file is named, and only then', async () => {
    const store = await new Store().start(server);
    for (const name of ['ca.crt', 'both.crt']) {
      const sink = to(store, { ca_file: path(name) });
      await sink.open(never);
      await sink.send(partOf([stepRow()]), never);
    }
    const before = store.asked.length;
    for (const tls of [undefined, { ca_file: path('other.crt') }]) {
      const error = await failure(to(store, tls).open(never));
      expect(error).toMatchObject({ failure: 'hold', in_doubt: false });
      expect(error.message).toContain('name its authority in tls.ca_file');
    }
    expect(store.asked).toHaveLength(before);
  });

  test('an answer that is garbled on its way leaves in doubt whether rows are stored', async () => {
    const store = await new Store().start(server);
    let garbles = false;
    const between = await listening(
      createServer((socket) => {
        const through = connect(store.port, '127.0.0.1');
        socket.pipe(through).on('error', () => socket.destroy());
        through.on('data', (bytes: Buffer) => socket.write(garbles ? bytes.fill(0x21) : bytes));
      }),
    );
    const sink = sinkOf(kind, { urls: [`https://127.0.0.1:${between}`], tls: { ca_file } });
    await sink.open(never);
    const before = store.asked.length;
    garbles = true;
    const error = await failure(sink.send(partOf([stepRow()]), never));
    expect(error.code).toMatch(/^ERR_SSL/);
    expect([store.asked.length > before, error.in_doubt]).toEqual([true, true]);
  });

  test('a certificate that has expired holds, and so does one of another name until server_name says it', async () => {
    const old = await failure(to(await new Store().start(expired), { ca_file }).open(never));
    expect(old).toMatchObject({ failure: 'hold', code: 'CERT_HAS_EXPIRED', in_doubt: false });
    expect(old.message).toContain('has expired: renew it');
    const store = await new Store().start(renamed);
    const other = await failure(to(store, { ca_file }).open(never));
    expect(other).toMatchObject({ failure: 'hold', code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    expect(other.message).toContain('tls.server_name');
    await to(store, { ca_file, server_name: 'store.test' }).open(never);
    await failure(to(store, { ca_file, server_name: 'other.test' }).open(never));
  });

  test('insecure_skip_verify takes any certificate', async () => {
    const store = await new Store().start(expired);
    await to(store, { insecure_skip_verify: true }).open(never);
    await failure(to(store, { insecure_skip_verify: false }).open(never));
    expect(store.asked.length).toBeGreaterThan(0);
  });

  test('a server that wants a certificate is shown ours, also from a key that is encrypted', async () => {
    const store = await new Store().start(server, others);
    await to(store, own).open(never);
    await to(store, { ...own, key_file: path('locked.key'), key_passphrase: 'open-sesame' }).open(never);
    await failure(to(store, { ca_file }).open(never));
    expect(new Set(store.asked.map((asked) => asked.client))).toEqual(new Set(['steptap']));
  });

  test.each<[string, TlsOptions, string]>([
    ['a file that is not there', { ca_file: '/nowhere/ca.crt' }, 'tls.ca_file /nowhere/ca.crt cannot be read (ENOENT)'],
    ['half a file', { ca_file: path('half.crt') }, 'half.crt holds no whole certificates in PEM'],
    ['a directory', { ca_file: '/tmp' }, 'tls.ca_file /tmp is no file'],
    ['a device without an end', { ca_file: '/dev/zero' }, 'is no file'],
    ['the key of another', { ...own, key_file: path('server.key') }, 'server.key is not the key of tls.cert_file'],
    ['a key that stays shut', { ...own, key_file: path('locked.key') }, 'tls.key_passphrase does not open it'],
    ['a certificate for a key', { ...own, key_file: path('tls.crt') }, 'tls.crt holds no private key in PEM'],
  ])('%s holds, says which, and asks nobody', async (_, tls, said) => {
    const store = await new Store().start(server);
    const error = await failure(to(store, tls).open(never));
    expect(error).toMatchObject({ failure: 'hold', code: 'FILE', in_doubt: false });
    expect(error.message).toContain(said);
    expect(store.connections).toBe(0);
  });

  test.each<[string, TlsOptions, RegExp]>([
    ['https://a', { cert_file: '/a' }, /`?tls\.cert_file`? is given without tls\.key_file/],
    ['https://a', { key_file: '/a' }, /tls\.key_file is given without tls\.cert_file/],
    ['https://a', { key_passphrase: 'canary' }, /tls\.key_passphrase is given without tls\.key_file(?!.*canary)/],
    ['http://a', { ca_file: '/a' }, /`tls` is given and no address is https/],
  ])('%s with %o is refused at once', (url, tls, said) => {
    expect(() => sinkOf(kind, { urls: [url], tls })).toThrow(said);
  });
});
