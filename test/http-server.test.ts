import { once } from 'node:events';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { Gauge, Registry } from 'prom-client';
import { afterEach, describe, expect, test } from 'vitest';
import { type HttpServer, type Readiness, startHttpServer } from '../src/http-server.ts';

const READY: Readiness = { ready: true, sinks: { clickhouse: { state: 'open' } } };
const servers: HttpServer[] = [];

async function start(options: { listen?: string; registry?: Registry; readiness?: () => Readiness } = {}) {
  const { listen = '127.0.0.1:0', registry = new Registry(), readiness = () => READY } = options;
  const server = await startHttpServer({ listen, registry, readiness });
  servers.push(server);
  return server;
}

afterEach(async () => {
  await Promise.all(servers.splice(0).map(async (server) => server.close()));
});

/** A registry with one gauge, whose value takes until `wait` resolves. */
function registryWith(wait: () => Promise<void> = async () => {}): Registry {
  const registry = new Registry();
  const gauge = new Gauge({ name: 'up_to', help: 'A number.', registers: [registry], collect: wait });
  gauge.set(7);
  return registry;
}

async function open(server: HttpServer): Promise<Socket> {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

describe('the HTTP server', () => {
  test('shows the metrics', async () => {
    const { url } = await start({ registry: registryWith() });
    const response = await fetch(`${url}/metrics?name=x`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await response.text()).toBe('# HELP up_to A number.\n# TYPE up_to gauge\nup_to 7\n');
  });

  test('says that the process runs', async () => {
    const { url } = await start();
    const response = await fetch(`${url}/healthz`);
    expect([response.status, await response.text()]).toEqual([200, 'ok']);
  });

  test('says whether events are taken, and if not, why', async () => {
    let readiness: Readiness = READY;
    const { url } = await start({ readiness: () => readiness });
    const ready = await fetch(`${url}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([200, READY]);
    readiness = { ready: false, sinks: { clickhouse: { state: 'hold', reason: 'table missing' } } };
    const not = await fetch(`${url}/readyz`);
    expect([not.status, await not.json()]).toEqual([503, readiness]);
  });

  test('answers HEAD with the same headers and no body', async () => {
    const { url } = await start({ registry: registryWith() });
    for (const path of ['/metrics', '/healthz', '/readyz']) {
      const [get, head] = [await fetch(url + path), await fetch(url + path, { method: 'HEAD' })];
      expect(head.status).toBe(200);
      expect(head.headers.get('content-length')).toBe(get.headers.get('content-length'));
      expect(await head.text()).toBe('');
      await get.text();
    }
  });

  test('knows no other path and no other method', async () => {
    const { url } = await start();
    for (const path of ['/', '/metrics/', '/Metrics', '/..%2fmetrics'])
      expect((await fetch(url + path)).status).toBe(404);
    const post = await fetch(`${url}/metrics`, { method: 'POST', body: 'x'.repeat(100_000) });
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  test('says 500 when a metric cannot be read, and goes on', async () => {
    const broken = registryWith(() => Promise.reject(new Error('no such file')));
    const { url } = await start({ registry: broken });
    const response = await fetch(`${url}/metrics`);
    expect([response.status, await response.text()]).toEqual([500, 'no such file\n']);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  test('refuses headers of more than 8 KB', async () => {
    const { url } = await start();
    const response = await fetch(`${url}/healthz`, { headers: { long: 'x'.repeat(8200) } });
    expect(response.status).toBe(431);
  });

  test('renders for eight scrapes at a time, sends more away, and has room again after they left', async () => {
    let release = (): void => {};
    const released = new Promise<void>((resolve) => (release = resolve));
    const { url } = await start({ registry: registryWith(() => released) });
    const running = Array.from({ length: 8 }, () => request(`${url}/metrics`).on('error', () => {}));
    for (const one of running) one.end();
    // Until the eight are in, a probe waits with them, and gives its place up again.
    let status = 0;
    while (status !== 503) {
      const probe = new AbortController();
      const timer = setTimeout(() => probe.abort(), 50);
      status = await fetch(`${url}/metrics`, { signal: probe.signal }).then(
        (response) => response.status,
        () => 0,
      );
      clearTimeout(timer);
    }
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    for (const one of running) one.destroy();
    release();
    while (status !== 200) status = (await fetch(`${url}/metrics`)).status;
  });

  test('has 512 clients at most', async () => {
    const server = await start();
    const clients = await Promise.all(Array.from({ length: 512 }, async () => open(server)));
    const oneMore = await open(server);
    oneMore.resume();
    await once(oneMore, 'close');
    expect(clients.filter((socket) => socket.closed)).toEqual([]);
  });

  test('hangs up on a client that does not finish its headers', async () => {
    const socket = await open(await start());
    socket.write('GET /healthz HTTP/1.1\r\nHost: a\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 408 /);
  }, 10_000);
});

describe('closing', () => {
  test('does not wait for clients that are silent, half done, idle or do not read', async () => {
    const large = new Registry();
    new Gauge({ name: 'large', help: 'x'.repeat(50_000_000), registers: [large] }).set(1);
    const server = await start({ registry: large });
    const [silent, half, idle, deaf] = await Promise.all([open(server), open(server), open(server), open(server)]);
    half.write('GET /healthz HTTP/1.1\r\nHost');
    idle.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(idle, 'data');
    deaf.write('GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(deaf, 'readable');
    const gone = [silent, half, idle, deaf].map(async (socket) => {
      socket.resume();
      if (!socket.closed) await once(socket, 'close');
    });
    await server.close();
    await Promise.all(gone);
    await server.close();
    await expect(fetch(server.url)).rejects.toThrow('fetch failed');
  }, 4_000);
});

describe('listening', () => {
  test.each([
    ['127.0.0.1:0', /^http:\/\/127\.0\.0\.1:\d+$/],
    ['localhost:0', /^http:\/\/(127\.0\.0\.1|\[::1\]):\d+$/],
    [':0', /^http:\/\/127\.0\.0\.1:\d+$/],
    ['0.0.0.0:0', /^http:\/\/127\.0\.0\.1:\d+$/],
  ])('on %s gives the address to ask', async (listen, url) => {
    const server = await start({ listen });
    expect(server.url).toMatch(url);
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  });

  const ipv6 = Object.values(networkInterfaces()).some((own) => own?.some(({ address }) => address === '::1'));
  test.skipIf(!ipv6)('on [::1]:0 gives the address to ask', async () => {
    const server = await start({ listen: '[::1]:0' });
    expect(server.url).toMatch(/^http:\/\/\[::1\]:\d+$/);
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  });

  test('on a port that is in use says so, and what to do', async () => {
    const { host } = new URL((await start()).url);
    await expect(start({ listen: host })).rejects.toThrow(
      `cannot listen on ${host}: it is in use; use --metrics HOST:PORT or --metrics none`,
    );
  });

  test.each(['', '9464', 'localhost', '::1:9464', '1.2.3.4:99999', 'a:b', 'http://localhost:1'])(
    'on %j says how an address is written',
    async (listen) => {
      await expect(start({ listen })).rejects.toThrow(
        `cannot listen on ${listen}: it is not HOST:PORT, :PORT or [IPV6]:PORT; use --metrics HOST:PORT or --metrics none`,
      );
    },
  );

  test('on an address of another machine says so', async () => {
    await expect(start({ listen: '192.0.2.1:0' })).rejects.toThrow('this machine has no such address');
  });
});
