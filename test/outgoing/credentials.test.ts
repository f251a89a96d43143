import { describe, expect, test } from 'vitest';
import type { CredentialOptions, TlsOptions } from '../../src/outgoing/index.ts';
import { Authority } from '../support/certificates.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { partOf, stepRow } from '../support/rows.ts';
import { failure, files, KINDS, never, Secret, sinkOf, Store, told, type Kind } from './parts.ts';

const path = files({
  password: 'p:ß w\n',
  'id-key': 'an-id:a-key\r\n',
  encoded: 'YW4taWQ6YS1rZXk=',
  token: 'a.b.c\n',
  blank: ' \n',
  two: 'one\ntwo\n',
});
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const BASIC = `Basic ${base64('me:p:ß w')}`;
const KEY = `ApiKey ${base64('an-id:a-key')}`;

/** The header that the store is shown, and what else ClickHouse reads. */
async function shown(kind: Kind, store: Store, options: CredentialOptions, more = {}): Promise<unknown> {
  await sinkOf(kind, { urls: [`http://127.0.0.1:${store.port}`], ...options, ...more }).open(never);
  return store.asked.at(-1)?.headers.authorization;
}

describe.each(KINDS)('%s', (kind) => {
  test('a password, a token: out of a file or as they stand', async () => {
    const store = await new Store().start();
    expect(await shown(kind, store, { user: 'me', password_file: path('password') })).toBe(BASIC);
    expect(await shown(kind, store, { user: 'me', password: 'p:ß w' })).toBe(BASIC);
    expect(await shown(kind, store, { bearer_token_file: path('token') })).toBe('Bearer a.b.c');
    expect(await shown(kind, store, { bearer_token: 'a.b.c' })).toBe('Bearer a.b.c');
    expect(store.asked.some(({ headers }) => 'x-clickhouse-user' in headers)).toBe(false);
  });

  const both: readonly CredentialOptions[] = [
    { user: 'me', password: 'canary', password_file: '/a' },
    { user: 'me', password_file: '/a', bearer_token_file: '/b' },
    { user: 'me', bearer_token: 'canary' },
    { bearer_token: 'canary', bearer_token_file: '/b' },
  ];
  test.each(both)('%o is two ways at once, and both are named', (options) => {
    const names = Object.keys(options).filter((name) => name !== 'user' || Object.keys(options).length === 2);
    const create = (): unknown => sinkOf(kind, { urls: ['http://a'], ...options });
    for (const name of names) expect(create).toThrow(`\`${name}\``);
    expect(create).toThrow(/are both given: give one of them/);
    expect(create).not.toThrow(/canary/);
  });

  test('a user in the address and a file are two ways at once', () => {
    const create = (): unknown => sinkOf(kind, { urls: ['http://x:canary@a'], bearer_token_file: '/a' });
    expect(create).toThrow('a user in `urls` and `bearer_token_file` are both given');
    expect(create).not.toThrow(/canary/);
  });

  test.each([
    ['/nowhere', 'bearer_token_file /nowhere cannot be read (ENOENT)'],
    [path('blank'), 'is empty'],
    [path('two'), 'has more in it than one secret'],
  ])('the file %s holds before anything is asked', async (bearer_token_file, said) => {
    const store = await new Store().start();
    const sink = sinkOf(kind, { urls: [`http://127.0.0.1:${store.port}`], bearer_token_file });
    const error = await failure(sink.open(never));
    expect(error).toMatchObject({ failure: 'hold', code: 'FILE', in_doubt: false });
    expect(error.message).toContain(said);
    expect(store.asked).toEqual([]);
  });

  test('a password that is replaced is used after two seconds, without a restart', async () => {
    const clock = new FakeClock();
    const store = await new Store().start();
    const secret = new Secret({ password: 'one' });
    const urls = [`http://127.0.0.1:${store.port}`];
    const sink = sinkOf(kind, { urls, user: 'me', password_file: secret.path('password') }, { clock });
    const last = async (): Promise<unknown> => {
      await sink.send(partOf([stepRow()]), never);
      return store.asked.at(-1)?.headers.authorization;
    };
    await sink.open(never);
    secret.replace({ password: 'two' });
    await clock.advance(1_900);
    expect(await last()).toBe(`Basic ${base64('me:one')}`);
    await clock.advance(200);
    expect(await last()).toBe(`Basic ${base64('me:two')}`);
    secret.replace({ password: '' });
    await clock.advance(2_000);
    expect(await last()).toBe(`Basic ${base64('me:two')}`);
    await clock.advance(2_000);
    expect(await last()).toBe(`Basic ${base64('me:two')}`);
    expect(told.filter((line) => line.includes('password_file'))).toEqual([
      expect.stringMatching(/^warning: password_file .*password is empty: .*; what was read before stays in use$/),
    ]);
    secret.replace({ password: 'three' });
    await clock.advance(2_000);
    expect(await last()).toBe(`Basic ${base64('me:three')}`);
  });

  test('a password that is refused is read again at once, and what was asked is asked once more', async () => {
    const store = await new Store().start();
    const secret = new Secret({ password: 'one' });
    const urls = [`http://127.0.0.1:${store.port}`];
    const sink = sinkOf(kind, { urls, user: 'me', password_file: secret.path('password') }, { clock: new FakeClock() });
    await sink.open(never);
    secret.replace({ password: 'two' });
    store.lets = ({ headers }) => headers.authorization === `Basic ${base64('me:two')}`;
    store.asked.length = 0;
    await sink.send(partOf([stepRow()]), never);
    expect(store.asked).toHaveLength(2);
    store.lets = () => false;
    const error = await failure(sink.send(partOf([stepRow()]), never));
    expect(error).toMatchObject({ failure: 'hold', code: 'HTTP 401', in_doubt: false });
    expect(store.asked).toHaveLength(3);
    secret.replace({ password: 'three' });
    await failure(sink.send(partOf([stepRow()]), never));
    expect(store.asked).toHaveLength(5);
  });
});

describe('elasticsearch', () => {
  test('a key in either form, out of a file or as it stands', async () => {
    const store = await new Store().start();
    const all: readonly CredentialOptions[] = [
      { api_key: 'an-id:a-key' },
      { api_key: 'YW4taWQ6YS1rZXk=' },
      { api_key_file: path('id-key') },
      { api_key_file: path('encoded') },
    ];
    for (const options of all) expect(await shown('elasticsearch', store, options)).toBe(KEY);
  });

  test.each<CredentialOptions>([
    { api_key: 'canary', api_key_file: '/a' },
    { user: 'canary', api_key: 'canary' },
    { api_key_file: '/a', bearer_token: 'canary' },
  ])('%o is two ways at once', (options) => {
    const create = (): unknown => sinkOf('elasticsearch', { urls: ['http://a'], ...options });
    for (const name of Object.keys(options)) expect(create).toThrow(`\`${name}\``);
    expect(create).not.toThrow(/canary/);
  });

  test('a password needs somebody whose it is', () => {
    expect(() => sinkOf('elasticsearch', { urls: ['http://a'], password_file: '/a' })).toThrow(
      '`password_file` is given without `user`',
    );
  });
});

describe('clickhouse', () => {
  const authority = new Authority('ours');
  const server = authority.sign({ name: 'server', of: ['127.0.0.1'] });
  const client = authority.sign({ name: 'steptap' });
  const own = files({ 'ca.crt': authority.cert, 'tls.crt': client.cert, 'tls.key': client.key });
  const tls: TlsOptions = { ca_file: own('ca.crt'), cert_file: own('tls.crt'), key_file: own('tls.key') };

  test('a user without a password logs in by his certificate, and the default user, or one with a password, does not', async () => {
    const store = await new Store().start(server, authority);
    const urls = [`https://127.0.0.1:${store.port}`];
    const headers = async (options: CredentialOptions): Promise<unknown[]> => {
      await sinkOf('clickhouse', { urls, tls, ...options }).open(never);
      const { headers: all } = store.asked.at(-1)!;
      return [all.authorization, all['x-clickhouse-user'], all['x-clickhouse-ssl-certificate-auth']];
    };
    expect(await headers({ user: 'me' })).toEqual([undefined, 'me', 'on']);
    expect(await headers({ user: 'me', password: 'p' })).toEqual([`Basic ${base64('me:p')}`, undefined, undefined]);
    expect(await headers({})).toEqual([`Basic ${base64('default:')}`, undefined, undefined]);
    expect(await headers({ bearer_token: 't' })).toEqual(['Bearer t', undefined, undefined]);
  });
});
