import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Registry } from 'prom-client';
import { systemClock } from './clock.ts';
import { listen, ListenError } from './listening/address.ts';
import type { Certificate } from './listening/certificate.ts';
import { bearer, closeNow, httpServer } from './listening/http.ts';
import type { Secret } from './listening/secret.ts';
import { LiveEvents } from './live/endpoint.ts';
import type { Feed } from './live/feed.ts';

export interface Readiness {
  readonly ready: boolean;
  readonly sinks: Readonly<Record<string, { readonly state: string; readonly reason?: string }>>;
  readonly spool?: { readonly bytes: number; readonly max_bytes: number; readonly full?: boolean };
}

export interface HttpServerOptions {
  /** `127.0.0.1:9464`, `:9464` for every address, `[::1]:9464`; port 0 for any free one. */
  readonly listen: string;
  /** With it TLS is spoken. */
  readonly certificate?: Certificate | undefined;
  /** What `/metrics` is told for; the probes of Kubernetes need none. */
  readonly secret?: Secret | undefined;
  readonly registry: Registry;
  readiness(): Readiness;
  /**
   * False while histograms of an earlier process are not yet as far as they were: a scrape would see them go back, which Prometheus takes for a
   * restart from 0. It is answered with 503 until then.
   */
  counted?(): boolean;
  /** What `/events` shows, to whom `/metrics` would be told; absent: there is none. */
  readonly feed?: Feed | undefined;
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
const PATHS: ReadonlySet<string> = new Set(['/metrics', '/healthz', '/readyz']);

const EVENTS_OFF = 'events are not shown here: say `events: true` beside `listen`, or give a token\n';

/**
 * Answers `/metrics`, `/healthz` (the process runs), `/readyz` (it takes events; 503 when it does not) and `/events` (those of a feed). Rejects when it cannot listen.
 *
 * Nothing that a client does, or does not do, holds it: every wait for a client has an end, and `close` cuts what is left.
 */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const server = httpServer(options.certificate);
  const scrapes: Scrapes = { running: 0 };
  // A certificate is of a name: where there is one, no page can go by another.
  const open = options.secret === undefined && options.certificate === undefined && !options.listen.startsWith('unix:');
  const events = options.feed === undefined ? undefined : new LiveEvents(options.feed, systemClock, open);
  server.on('request', (request, response) => void answer(request, response, { ...options, events }, scrapes));
  const at = await listen(server, options.listen).catch((error: unknown): never => {
    if (!(error instanceof ListenError)) throw error;
    throw new Error(`${error.message}; use --metrics HOST:PORT or --metrics none`, { cause: error });
  });
  const scheme = options.certificate === undefined ? 'http' : 'https';
  return { url: `${scheme}://${at}${at.startsWith('unix:') ? ':' : ''}`, close };

  async function close(): Promise<void> {
    await events?.close();
    await closeNow(server);
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: HttpServerOptions & { readonly events: LiveEvents | undefined },
  scrapes: Scrapes,
): Promise<void> {
  const say = (status: number, type: string, text: string): void => {
    const body = Buffer.from(text);
    response.writeHead(status, { 'content-type': type, 'content-length': body.length }).end(body);
  };
  const path = (request.url ?? '').split('?', 1)[0]!;
  const known = path === '/events' ? options.events !== undefined : PATHS.has(path);
  if (path === '/events' && !known) return say(404, TEXT, EVENTS_OFF);
  if (!known) return say(404, TEXT, 'not found\n');
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
    if (options.secret !== undefined && options.secret.match(bearer(request.headers.authorization)) === undefined) {
      response.setHeader('www-authenticate', 'Bearer');
      return say(401, TEXT, 'send the token: Authorization: Bearer TOKEN\n');
    }
    if (path === '/events') return options.events!.answer(request, response);
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
