import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';

export interface Readiness {
  readonly ready: boolean;
  readonly sinks: Readonly<Record<string, { readonly state: string; readonly reason?: string }>>;
  readonly spool?: { readonly bytes: number; readonly max_bytes: number; readonly full?: boolean };
}

export interface HttpServerOptions {
  /** `127.0.0.1:9464`, `:9464` for every address, `[::1]:9464`; port 0 for any free one. */
  readonly listen: string;
  readonly registry: Registry;
  readiness(): Readiness;
  /**
   * False while histograms of an earlier process are not yet as far as they were: a scrape would see them go back, which Prometheus takes for a
   * restart from 0. It is answered with 503 until then.
   */
  counted?(): boolean;
}

export interface HttpServer {
  /** Where it can be reached from this machine, with the true port and no slash at the end. */
  readonly url: string;
  /** Resolves when the port is free again; does not wait for any client. */
  close(): Promise<void>;
}

/** A rendered /metrics is some MB until its client has read it: more than this many at a time are sent away, with 503. */
const MOST_SCRAPES = 8;
const LONGEST_ANSWER_MS = 30_000;

const TEXT = 'text/plain; charset=utf-8';

/**
 * Answers `/metrics`, `/healthz` (the process runs) and `/readyz` (it takes events; 503 when it does not). Rejects when it cannot listen.
 *
 * Nothing that a client does, or does not do, holds it: every wait for a client has an end, and `close` cuts what is left.
 */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const server = createServer({
    headersTimeout: 5_000,
    requestTimeout: 30_000,
    // How often those two are looked at; the default of 30 s would make 35 s of the 5.
    connectionsCheckingInterval: 1_000,
    maxHeaderSize: 8 * 1024,
  });
  server.maxConnections = 512;
  const scrapes: Scrapes = { running: 0 };
  server.on('request', (request, response) => void answer(request, response, options, scrapes));
  await listen(server, options.listen);
  // A failed accept (no file descriptor left) is said here, and is over for us; without a listener it would end the process.
  server.on('error', () => {});
  const { address, family, port } = server.address() as AddressInfo;
  const anyAddress = address === '::' || address === '0.0.0.0';
  const host = anyAddress ? '127.0.0.1' : family === 'IPv6' ? `[${address}]` : address;
  return { url: `http://${host}:${port}`, close: () => close(server) };
}

/** Listens there and stops at once. Rejects as `startHttpServer` would. */
export async function tryListening(address: string): Promise<void> {
  const server = createServer();
  await listen(server, address);
  await close(server);
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: HttpServerOptions,
  scrapes: Scrapes,
): Promise<void> {
  const say = (status: number, type: string, text: string): void => {
    const body = Buffer.from(text);
    response.writeHead(status, { 'content-type': type, 'content-length': body.length }).end(body);
  };
  const path = (request.url ?? '').split('?', 1)[0]!;
  if (path !== '/metrics' && path !== '/healthz' && path !== '/readyz') return say(404, TEXT, 'not found\n');
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    // Its body is not read, so the connection is of no more use.
    response.setHeader('allow', 'GET, HEAD').setHeader('connection', 'close');
    return say(405, TEXT, 'only GET and HEAD\n');
  }
  try {
    if (path === '/healthz') return say(200, TEXT, 'ok');
    if (path === '/readyz') {
      const readiness = options.readiness();
      return say(readiness.ready ? 200 : 503, 'application/json; charset=utf-8', `${JSON.stringify(readiness)}\n`);
    }
    if (options.counted?.() === false) return say(503, TEXT, 'counting what the last run had not; try again\n');
    if (!enter(scrapes, request, response)) return say(503, TEXT, `${MOST_SCRAPES} scrapes are running; try again\n`);
    say(200, options.registry.contentType, await options.registry.metrics());
  } catch (error) {
    say(500, TEXT, `${error instanceof Error ? error.message : String(error)}\n`);
  }
}

interface Scrapes {
  running: number;
}

/** Counts a scrape until its client has everything, is gone, or has taken too long and is cut off. False when there are too many. */
function enter(scrapes: Scrapes, request: IncomingMessage, response: ServerResponse): boolean {
  if (scrapes.running >= MOST_SCRAPES) return false;
  scrapes.running += 1;
  const leave = (): void => {
    clearTimeout(deadline);
    scrapes.running -= 1;
  };
  // The answer to a pipelined request has no socket yet and never closes when the client goes first: then the deadline ends it.
  const deadline = setTimeout(() => {
    response.off('close', leave);
    request.socket.destroy();
    leave();
  }, LONGEST_ANSWER_MS).unref();
  response.once('close', leave);
  return true;
}

/** Why listening failed, by Node's code, in words that follow "it". */
const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'it is in use',
  EACCES: 'this user may not open that port',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'there is no host of that name',
  EAI_AGAIN: 'the name of the host cannot be looked up now',
};

const ADDRESS = /^(?:\[(?<ipv6>[^\]]+)\]|(?<host>[^:[\]]*)):(?<port>\d{1,5})$/;

/** Whether it is written as an address; it may be taken all the same. */
export function isListenAddress(text: string): boolean {
  return Number(ADDRESS.exec(text)?.groups?.['port'] ?? 65_536) <= 65_535;
}

async function listen(server: Server, address: string): Promise<void> {
  const parts = ADDRESS.exec(address)?.groups;
  const port = Number(parts?.['port']);
  if (parts === undefined || !isListenAddress(address))
    throw cannotListen(address, 'it is not HOST:PORT, :PORT or [IPV6]:PORT');
  const host = parts['ipv6'] ?? parts['host']!;
  await new Promise<void>((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException): void => {
      reject(cannotListen(address, REASONS[cause.code ?? ''] ?? cause.message, cause));
    };
    server.once('error', failed);
    server.listen(host === '' ? { port } : { port, host }, () => {
      server.off('error', failed);
      resolve();
    });
  });
}

function cannotListen(address: string, reason: string, cause?: Error): Error {
  const message = `cannot listen on ${address}: ${reason}; use --metrics HOST:PORT or --metrics none`;
  return new Error(message, cause === undefined ? undefined : { cause });
}

async function close(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    // Called with an error when it was closed before, which is as good.
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
