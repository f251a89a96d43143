import { chmodSync, lstatSync, rmSync } from 'node:fs';
import { connect, createServer, isIPv4, type AddressInfo, type Server } from 'node:net';
import { errorCode } from '../errors.ts';

/** Where somebody listens: `127.0.0.1:8088`, `:8088` for every address, `[::1]:8088`, `unix:/run/steptap.sock`. */
export type Address = { readonly host: string; readonly port: number } | { readonly path: string };

/** It could not be listened on; the message names it and says why, and ends where advice may follow. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
  /** In words that follow "it". */
  readonly reason: string;

  constructor(address: string, reason: string, cause?: Error) {
    super(`cannot listen on ${address}: ${reason}`, cause === undefined ? undefined : { cause });
    this.reason = reason;
  }
}

const TCP = /^(?:\[(?<ipv6>[^\]]+)\]|(?<host>[^:[\]]*)):(?<port>\d{1,5})$/;
const UNIX = /^unix:(?<path>\/.+)$/;
/** Linux takes 107 bytes for a socket's path. */
const LONGEST_PATH = 107;
/** Of a socket: its owner and its group may connect. */
const SOCKET_MODE = 0o660;

/** Undefined when it is not written as one. It may be taken all the same. */
export function readAddress(text: string): Address | undefined {
  const path = UNIX.exec(text)?.groups?.['path'];
  if (path !== undefined) return { path };
  const { ipv6, host = '', port } = TCP.exec(text)?.groups ?? {};
  if (port === undefined || Number(port) > 65_535) return undefined;
  return { host: ipv6 ?? host, port: Number(port) };
}

/** True when only this machine can reach it. A name other than `localhost` may be anybody's. */
export function isLocal(address: Address): boolean {
  if ('path' in address) return true;
  const host = address.host.toLowerCase().replace(/^::ffff:/, '');
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

/** Listens there. Gives where it can be reached from this machine: `127.0.0.1:8088`, `[::1]:8088`, `unix:/run/steptap.sock`. Rejects with a ListenError. */
export async function listen(server: Server, text: string): Promise<string> {
  const address = readAddress(text);
  if (address === undefined) throw new ListenError(text, 'it is not HOST:PORT, :PORT or [IPV6]:PORT');
  if ('path' in address) await clear(text, address.path);
  await new Promise<void>((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException): void => {
      const reasons = 'path' in address ? PATH_REASONS : REASONS;
      reject(new ListenError(text, reasons[cause.code ?? ''] ?? cause.message, cause));
    };
    server.once('error', failed);
    const at = 'path' in address || address.host !== '' ? address : { port: address.port };
    server.listen(at, () => {
      server.off('error', failed);
      resolve();
    });
  });
  // A failed accept (no file descriptor left) is over for us; without a listener it would end the process.
  server.on('error', () => {});
  if ('path' in address) {
    chmodSync(address.path, SOCKET_MODE);
    return text;
  }
  const { address: bound, family, port } = server.address() as AddressInfo;
  const host = bound === '::' || bound === '0.0.0.0' ? '127.0.0.1' : bound;
  return `${family === 'IPv6' && host === bound ? `[${host}]` : host}:${port}`;
}

/** Listens there and stops at once. Rejects as `listen` would. */
export async function tryListening(text: string): Promise<void> {
  const server = createServer();
  await listen(server, text);
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
}

/** Why listening failed, by Node's code, in words that follow "it". */
const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'it is in use',
  EACCES: 'this user may not open that port',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'there is no host of that name',
  EAI_AGAIN: 'the name of the host cannot be looked up now',
};

/** For a missing directory Node says EACCES, too. */
const PATH_REASONS: Readonly<Record<string, string>> = {
  ...REASONS,
  EACCES: 'its directory is not there, or this user may not write to it',
};

/** A socket whose process was killed is still there, and answers nobody. */
async function clear(text: string, path: string): Promise<void> {
  if (Buffer.byteLength(path) > LONGEST_PATH) {
    throw new ListenError(text, `a path of a socket has at most ${LONGEST_PATH} bytes`);
  }
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new ListenError(text, 'something that is no socket is there');
  const answered = await new Promise<boolean>((resolve) => {
    const socket = connect(path)
      .once('connect', () => resolve(true))
      .once('error', (error) => resolve(errorCode(error) !== 'ECONNREFUSED'));
    socket.once('connect', () => socket.destroy());
  });
  if (!answered) rmSync(path, { force: true });
}
