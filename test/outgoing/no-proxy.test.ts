import { expect, test } from 'vitest';
import { sparedBy } from '../../src/outgoing/no-proxy.ts';
import { proxyOf } from '../../src/outgoing/proxy.ts';

/** What NO_PROXY says, a host with its port, and whether it is reached without the proxy. */
const TABLE: readonly (readonly [no_proxy: string, host: string, spared: boolean])[] = [
  ['', 'a.test:443', false],
  ['', 'localhost:443', true],
  ['', 'sub.localhost:443', false],
  ['', '127.0.0.1:443', true],
  ['', '127.99.0.1:80', true],
  ['', '::1:443', true],
  ['', '::ffff:127.0.0.1:443', true],
  ['*', 'a.test:443', true],
  ['*', '8.8.8.8:443', true],
  ['b.test, *', 'a.test:443', true],
  ['foo.com', 'foo.com:443', true],
  ['foo.com', 'bar.foo.com:443', true],
  ['foo.com', 'a.bar.foo.com:443', true],
  ['foo.com', 'barfoo.com:443', false],
  ['foo.com', 'foo.com.evil:443', false],
  ['.foo.com', 'foo.com:443', false],
  ['.foo.com', 'bar.foo.com:443', true],
  ['*.foo.com', 'foo.com:443', false],
  ['*.foo.com', 'bar.foo.com:443', true],
  ['*foo.com', 'bar.foo.com:443', false],
  ['FOO.com', 'bar.foo.com:443', true],
  ['  foo.com , bar.com ', 'bar.com:443', true],
  [',,', 'a.test:443', false],
  ['foo.com:8443', 'foo.com:8443', true],
  ['foo.com:8443', 'foo.com:443', false],
  ['.foo.com:8443', 'bar.foo.com:8443', true],
  [':8443', 'foo.com:8443', false],
  ['com', 'foo.com:443', true],
  ['m', 'foo.com:443', false],
  ['bücher.example', 'xn--bcher-kva.example:443', true],
  ['1.2.3.4', '1.2.3.4:443', true],
  ['1.2.3.4', '1.2.3.40:443', false],
  ['1.2.3.4:80', '1.2.3.4:80', true],
  ['1.2.3.4:80', '1.2.3.4:443', false],
  ['3.4', '1.2.3.4:443', false],
  ['10.0.0.0/8', '10.1.2.3:443', true],
  ['10.1.2.3/8', '10.200.0.1:443', true],
  ['10.0.0.0/8', '11.0.0.1:443', false],
  ['10.0.0.0/8', 'ten.test:443', false],
  ['0.0.0.0/0', '8.8.8.8:443', true],
  ['10.0.0.0/33', '10.0.0.1:443', false],
  ['fd00::/8', 'fd12:3456::1:443', true],
  ['fd00::/8', '2001:db8::1:443', false],
  ['2001:db8::1', '2001:db8::1:443', true],
  ['[2001:db8::1]', '2001:db8::1:443', true],
  ['[2001:db8::1]:8443', '2001:db8::1:8443', true],
  ['[2001:db8::1]:8443', '2001:db8::1:443', false],
  ['2001:db8:0:0::1', '2001:db8::1:443', true],
];

test.each(TABLE)('NO_PROXY=%s spares %s: %s', (no_proxy, target, spared) => {
  const at = target.lastIndexOf(':');
  expect(sparedBy(no_proxy)(target.slice(0, at), target.slice(at + 1))).toBe(spared);
});

test('the variable is that of the scheme, in capitals first, and an empty one is none', () => {
  const name = (url: string, environment: Record<string, string>): string | undefined =>
    proxyOf(new URL(url), environment)?.name;
  const all = { HTTPS_PROXY: 'http://a', https_proxy: 'http://b', HTTP_PROXY: 'c:3128', http_proxy: 'd:3128' };
  expect(name('https://x.test', all)).toBe('http://a');
  expect(name('http://x.test', all)).toBe('http://c:3128');
  expect(name('https://x.test', { https_proxy: 'https://b:1', HTTPS_PROXY: '' })).toBe('https://b:1');
  expect(name('https://x.test', { HTTP_PROXY: 'c:3128', ALL_PROXY: 'e' })).toBeUndefined();
  expect(name('https://x.test', { ...all, no_proxy: 'x.test' })).toBeUndefined();
  expect(name('https://x.test', { ...all, NO_PROXY: 'y.test', no_proxy: 'x.test' })).toBe('http://a');
  expect(name('https://x.test:8443', { ...all, NO_PROXY: 'x.test:443' })).toBe('http://a');
  expect(name('https://x.test', { ...all, NO_PROXY: 'x.test:443' })).toBeUndefined();
  expect(name('https://[2001:db8::1]', { ...all, NO_PROXY: '2001:db8::/32' })).toBeUndefined();
  expect(name('https://x.test', { HTTPS_PROXY: 'http://[fd00::1]:3128' })).toBe('http://[fd00::1]:3128');
});

test('the credentials of a proxy are no part of its name', () => {
  const proxy = proxyOf(new URL('https://x.test'), { HTTPS_PROXY: 'http://me:p%40%ss@proxy:3128/path?q' });
  expect(proxy).toMatchObject({ name: 'http://proxy:3128', host: 'proxy', port: 3128, secure: false });
  expect(proxy?.authorization).toBe(`Basic ${Buffer.from('me:p%40%ss').toString('base64')}`);
});

test.each(['socks5://me:canary@proxy', 'http://me:canary@', 'me:canary@:x', 'ht tp://canary'])(
  'HTTPS_PROXY=%s is refused, but only where it would be used, and is not repeated',
  (HTTPS_PROXY) => {
    expect(() => proxyOf(new URL('https://x.test'), { HTTPS_PROXY })).toThrow(
      /^HTTPS_PROXY is no address of an HTTP proxy: write http:\/\/proxy:3128$/,
    );
    expect(proxyOf(new URL('https://localhost'), { HTTPS_PROXY })).toBeUndefined();
  },
);
