import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectSecure } from 'node:tls';
import type { Clock } from '../clock.ts';
import { errorCode } from '../errors.ts';
import { OutgoingError, tlsTrouble } from './errors.ts';
import type { Proxy } from './proxy.ts';

/** How long a proxy may take to let somebody through. */
const DEADLINE_MS = 10_000;

export interface Reaching {
  readonly clock: Clock;
  /** Aborts when nobody wants the connection any more. */
  readonly signal: AbortSignal;
}

/** A connection to the proxy. Rejects with OutgoingErrors only, in ten seconds at the latest. */
export async function reachProxy(proxy: Proxy, reaching: Reaching): Promise<Socket> {
  const { host, port, secure } = proxy;
  const options = { host, port, noDelay: true, keepAlive: true };
  // An address is no name that it could be asked for, and Node asks for none by itself.
  const servername = isIP(host) === 0 ? host : '';
  const socket = secure
    ? connectSecure({ ...options, servername, ALPNProtocols: ['http/1.1'] })
    : connectPlain(options);
  // Who gives it up destroys it, and hears no more of it.
  socket.on('error', () => {});
  const connected = inTime(proxy, reaching, (signal) => once(socket, secure ? 'secureConnect' : 'connect', { signal }));
  await connected.catch((error: unknown) => {
    socket.destroy();
    throw error instanceof OutgoingError ? error : unreached(proxy, errorCode(error) ?? 'unknown error');
  });
  return socket;
}

/** A connection through the proxy to `host:port`, of which the proxy reads nothing. Rejects like `reachProxy`. */
export async function tunnel(proxy: Proxy, to: string, reaching: Reaching): Promise<Socket> {
  const socket = await reachProxy(proxy, reaching);
  try {
    const asked = request({
      method: 'CONNECT',
      path: to,
      createConnection: () => socket,
      headers: { host: to, ...proxyHeaders(proxy) },
    });
    asked.on('error', () => {});
    const answered = inTime(proxy, reaching, (signal) => once(asked, 'connect', { signal }));
    asked.end();
    const [{ statusCode = 0 }] = (await answered) as [IncomingMessage];
    if (statusCode >= 200 && statusCode < 300) return socket;
    throw refused(proxy, to, statusCode);
  } catch (error) {
    socket.destroy();
    throw error instanceof OutgoingError ? error : unreached(proxy, errorCode(error) ?? 'unknown error');
  }
}

export function proxyHeaders({ authorization }: Proxy): Record<string, string> {
  return authorization === undefined ? {} : { 'proxy-authorization': authorization };
}

/** Rejects when the time is over, or nobody wants the connection any more. */
async function inTime<T>(
  proxy: Proxy,
  { clock, signal }: Reaching,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  const stop = AbortSignal.any([signal, over.signal]);
  let late = false;
  void clock.sleep(DEADLINE_MS, stop).then(() => {
    late = !stop.aborted;
    over.abort('over');
  });
  try {
    return await work(stop);
  } catch (error) {
    if (!late) throw error;
    const what = `the proxy ${proxy.name} lets nobody through in ${DEADLINE_MS / 1000} s`;
    throw new OutgoingError('retry', 'PROXY_TIMEOUT', `${what}: see whether ${proxy.variable} is right, and it runs`);
  } finally {
    over.abort('over');
  }
}

function unreached(proxy: Proxy, code: string): OutgoingError {
  const trouble = tlsTrouble(code);
  const what = `the proxy ${proxy.name} cannot be reached (${code})`;
  if (trouble === undefined) {
    return new OutgoingError('retry', 'PROXY', `${what}: check ${proxy.variable}, and whether it runs`);
  }
  return new OutgoingError('hold', 'PROXY', `${what}: name its authority in NODE_EXTRA_CA_CERTS`);
}

function refused(proxy: Proxy, to: string, status: number): OutgoingError {
  const code = `PROXY ${status}`;
  const { name, variable } = proxy;
  if (status === 407) {
    const advice = `give them in ${variable}, as http://user:password@host:port`;
    return new OutgoingError('hold', code, `the proxy ${name} wants another user or password: ${advice}`);
  }
  if (status >= 500 || status === 408 || status === 429) {
    return new OutgoingError('retry', code, `the proxy ${name} does not get through to ${to}: check the address`);
  }
  const advice = `allow it there, or name the host in NO_PROXY`;
  return new OutgoingError('hold', code, `the proxy ${name} does not let steptap through to ${to}: ${advice}`);
}
