import { createServer as createSecure } from 'node:https';
import { describe, expect, test } from 'vitest';
import { Authority } from '../support/certificates.ts';
import { FakeClock, settled } from '../support/fake-clock.ts';
import { partOf, stepRow } from '../support/rows.ts';
import { failure, files, KINDS, listening, never, Proxy, sinkOf, Store } from './parts.ts';

const authority = new Authority('ours');
const server = authority.sign({ name: 'server', of: ['store.test'] });
const tls = { ca_file: files({ 'ca.crt': authority.cert })('ca.crt') };
const LOGIN = `Basic ${Buffer.from('me:pass@1').toString('base64')}`;

describe.each(KINDS)('%s', (kind) => {
  const through = ({ port }: Proxy, more: Record<string, string> = {}): { environment: Record<string, string> } => {
    const proxy = `http://me:pass%401@127.0.0.1:${port}`;
    return { environment: { HTTPS_PROXY: proxy, HTTP_PROXY: proxy, ...more } };
  };

  test('https goes through a CONNECT, once for all requests of a connection, and the proxy reads nothing of it', async () => {
    const [store, proxy] = [await new Store().start(server), await new Proxy().start()];
    const urls = [`https://who:what@store.test:${store.port}`];
    const sink = sinkOf(kind, { urls, tls }, through(proxy));
    await sink.open(never);
    await sink.send(partOf([stepRow()]), never);
    expect(proxy.asked).toEqual([`CONNECT store.test:${store.port}`]);
    expect(proxy.logins).toEqual([LOGIN]);
    expect(store.connections).toBe(1);
    const said = new Set(store.asked.map(({ headers }) => headers.authorization));
    expect(said).toEqual(new Set([`Basic ${Buffer.from('who:what').toString('base64')}`]));
    expect(store.asked.some(({ headers }) => 'proxy-authorization' in headers)).toBe(false);
  });

  test('an IPv6 address is written in brackets to the proxy', async () => {
    const [store, proxy] = [await new Store().start(server), await new Proxy().start()];
    const urls = [`https://[fd00::1]:${store.port}`];
    await sinkOf(kind, { urls, tls: { insecure_skip_verify: true } }, through(proxy)).open(never);
    expect(proxy.asked).toEqual([`CONNECT [fd00::1]:${store.port}`]);
  });

  test('http is asked of the proxy with its whole address', async () => {
    const [store, proxy] = [await new Store().start(), await new Proxy().start()];
    const sink = sinkOf(kind, { urls: [`http://store.test:${store.port}/sub`] }, through(proxy));
    await sink.open(never);
    await sink.send(partOf([stepRow()]), never);
    expect(proxy.asked).toHaveLength(store.asked.length);
    for (const line of proxy.asked) expect(line).toMatch(new RegExp(`^[A-Z]+ http://store\\.test:${store.port}/sub`));
    expect(new Set(proxy.logins)).toEqual(new Set([LOGIN]));
    expect(store.asked.every(({ path }) => path.startsWith('/sub'))).toBe(true);
    expect(new Set(store.asked.map(({ headers }) => headers.host))).toEqual(new Set([`store.test:${store.port}`]));
  });

  test('a proxy may itself be https', async () => {
    const own = authority.sign({ name: 'proxy', of: ['127.0.0.1'] });
    const [store, proxy] = [await new Store().start(server), await new Proxy().start(own)];
    const environment = { HTTPS_PROXY: `https://127.0.0.1:${proxy.port}` };
    const sink = sinkOf(kind, { urls: [`https://store.test:${store.port}`], tls }, { environment });
    const error = await failure(sink.open(never));
    expect(error).toMatchObject({ failure: 'hold', code: 'PROXY', in_doubt: false });
    expect(error.message).toContain('NODE_EXTRA_CA_CERTS');
    expect(proxy.asked).toEqual([]);
  });

  test('a proxy that is https is told the name that it is asked under', async () => {
    const names: string[] = [];
    const SNICallback = (name: string, done: (error: null) => void): void => {
      names.push(name);
      done(null);
    };
    const proxy = createSecure({ ...server, SNICallback });
    const environment = { HTTPS_PROXY: `https://localhost:${await listening(proxy)}` };
    await failure(sinkOf(kind, { urls: ['https://store.test'], tls }, { environment }).open(never));
    expect(names).toEqual(['localhost']);
  });

  test('what NO_PROXY names, and this machine, is reached without', async () => {
    const [store, proxy] = [await new Store().start(), await new Proxy().start()];
    await sinkOf(kind, { urls: [`http://127.0.0.1:${store.port}`] }, through(proxy)).open(never);
    await sinkOf(kind, { urls: [`http://localhost:${store.port}`] }, through(proxy)).open(never);
    const spared = sinkOf(kind, { urls: ['http://store.invalid:1'] }, through(proxy, { NO_PROXY: '.other, invalid' }));
    await failure(spared.open(never));
    expect(proxy.asked).toEqual([]);
    expect(store.asked.length).toBeGreaterThan(0);
  });

  test.each<[number, string, string]>([
    [407, 'hold', 'wants another user or password: give them in HTTPS_PROXY'],
    [403, 'hold', 'does not let steptap through to store.test:'],
    [502, 'retry', 'does not get through to store.test:'],
    [503, 'retry', 'does not get through to store.test:'],
  ])('a proxy that answers CONNECT with %i is a %s that is in no doubt', async (status, failed, said) => {
    const proxy = Object.assign(await new Proxy().start(), { status });
    const sink = sinkOf(kind, { urls: ['https://store.test:9'], tls }, through(proxy));
    const error = await failure(sink.open(never));
    expect(error).toMatchObject({ failure: failed, code: `PROXY ${status}`, in_doubt: false });
    expect(error.message).toContain(`the proxy http://127.0.0.1:${proxy.port} ${said}`);
    expect(error.message).not.toMatch(/pass%40|pass@|me:/);
  });

  test('a proxy that answers a plain request with 407 holds, and HTTP_PROXY is named', async () => {
    const proxy = Object.assign(await new Proxy().start(), { status: 407 });
    const error = await failure(sinkOf(kind, { urls: ['http://store.test'] }, through(proxy)).open(never));
    expect(error).toMatchObject({ failure: 'hold', code: 'HTTP 407' });
    expect(error.message).toContain('HTTP_PROXY');
  });

  test.each(['https', 'http'])('a proxy for %s that is not there is tried again, and named', async (scheme) => {
    const proxy = 'http://me:canary@127.0.0.1:1';
    const environment = { HTTPS_PROXY: proxy, HTTP_PROXY: proxy };
    const error = await failure(sinkOf(kind, { urls: [`${scheme}://store.test`] }, { environment }).open(never));
    expect(error).toMatchObject({ failure: 'retry', code: 'PROXY', in_doubt: false });
    expect(error.message).toContain('the proxy http://127.0.0.1:1 cannot be reached (ECONNREFUSED)');
    expect(error.message).not.toContain('canary');
  });

  test('a proxy that says nothing is given up after ten seconds, and rows are in no doubt', async () => {
    const clock = new FakeClock();
    const proxy = Object.assign(await new Proxy().start(), { status: 0 });
    const sink = sinkOf(kind, { urls: ['https://store.test'], tls }, { ...through(proxy), clock });
    const failing = failure(sink.open(never));
    while (proxy.asked.length === 0) await settled();
    await clock.advance(10_000);
    expect(await failing).toMatchObject({ failure: 'retry', code: 'PROXY_TIMEOUT', in_doubt: false });
  });
});
