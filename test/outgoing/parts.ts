import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer as createPlain, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecure } from 'node:https';
import { connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, afterEach, expect } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import type { OutgoingContext, OutgoingOptions } from '../../src/outgoing/index.ts';
import { CLICKHOUSE_DEFAULTS, createClickHouseSink } from '../../src/sinks/clickhouse/index.ts';
import { createElasticsearchSink, ELASTICSEARCH_DEFAULTS } from '../../src/sinks/elasticsearch/index.ts';
import { SinkError, type Sink } from '../../src/sinks/sink.ts';
import { Authority, type Certified } from '../support/certificates.ts';

export const never: AbortSignal = new AbortController().signal;

const directory = mkdtempSync(join(tmpdir(), 'steptap-outgoing-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let folders = 0;

/** A secret as Kubernetes mounts it: its files are links through `..data`, which is swapped when they change. */
export class Secret {
  readonly folder = join(directory, `secret-${folders++}`);
  #version = 0;

  constructor(files: Readonly<Record<string, string>>) {
    mkdirSync(this.folder);
    this.replace(files);
    for (const name of Object.keys(files)) symlinkSync(join('..data', name), this.path(name));
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  replace(files: Readonly<Record<string, string>>): void {
    const version = `..v${this.#version++}`;
    mkdirSync(join(this.folder, version));
    for (const [name, text] of Object.entries(files)) {
      writeFileSync(join(this.folder, version, name), text, { mode: 0o600 });
    }
    symlinkSync(version, join(this.folder, '..data_tmp'));
    renameSync(join(this.folder, '..data_tmp'), join(this.folder, '..data'));
  }
}

/** Files of their own, with these texts. */
export function files(texts: Readonly<Record<string, string>>): (name: string) => string {
  const secret = new Secret(texts);
  return (name) => secret.path(name);
}

const servers = new Set<Server>();
const sockets = new Set<Socket>();

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all([...servers].map((server) => new Promise((resolve) => server.close(resolve))));
  servers.clear();
});

/** Until the end of the test. */
export async function listening(server: Server): Promise<number> {
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  servers.add(server);
  return (server.address() as AddressInfo).port;
}

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  /** Name in the certificate of whoever asks. */
  readonly client: string | undefined;
  /** Which of the connections it came over, from 1. */
  readonly connection: number;
}

/** Stands for a store: it takes everything, and remembers who asked. */
export class Store {
  readonly asked: Asked[] = [];
  /** Connections that there were, and those that are open still. */
  connections = 0;
  open = 0;
  port = 0;
  /** Whom it lets in, by the header. */
  lets: (asked: Asked) => boolean = () => true;
  /** Does what else is to be done with a request that is let in; undefined: it is taken. */
  serves: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
  #server: ReturnType<typeof createSecure> | undefined;
  readonly #numbers = new WeakMap<Socket, number>();

  /** `https` with a certificate, and for those who have one of this authority. */
  async start(own?: Certified, clients?: Authority): Promise<this> {
    const handle = (incoming: IncomingMessage, response: ServerResponse): void => this.#handle(incoming, response);
    const server = own === undefined ? createPlain(handle) : createSecure(secured(own, clients), handle);
    server.on(own === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
      this.#numbers.set(socket, ++this.connections);
      this.open++;
      socket.on('close', () => this.open--);
    });
    server.on('tlsClientError', () => undefined);
    if (own !== undefined) this.#server = server as ReturnType<typeof createSecure>;
    this.port = await listening(server);
    return this;
  }

  /** From the next connection on. Those that there are go on. */
  become(own: Certified, clients?: Authority): void {
    this.#server!.setSecureContext(secured(own, clients));
  }

  hangUp(): void {
    this.#server!.closeAllConnections();
  }

  #handle(incoming: IncomingMessage, response: ServerResponse): void {
    const { method = '', url: path = '', headers, socket } = incoming;
    const peer = 'getPeerCertificate' in socket ? (socket as TLSSocket).getPeerCertificate() : undefined;
    const connection = this.#numbers.get(socket) ?? 0;
    const asked = {
      method,
      path,
      headers,
      client: peer === undefined ? undefined : String(peer.subject?.CN),
      connection,
    };
    this.asked.push(asked);
    const answer = (): void => {
      if (!this.lets(asked)) return void response.writeHead(401).end('who are you?');
      if (this.serves !== undefined) return this.serves(incoming, response);
      return void response.end(method === 'GET' && path.endsWith('/') ? BANNER : bulkOrNothing(path));
    };
    if (this.serves !== undefined && this.lets(asked)) return answer();
    incoming.resume().on('end', answer);
  }
}

function secured({ cert, key }: Certified, clients: Authority | undefined): object {
  return {
    cert,
    key,
    ...(clients === undefined ? {} : { ca: clients.cert, requestCert: true, rejectUnauthorized: true }),
  };
}

const BANNER = '{"version":{"number":"8.17.2"}}';

/** What ClickHouse says to everything, as a null sink does, and Elasticsearch to a bulk request. */
function bulkOrNothing(path: string): string {
  return path.includes('_bulk') ? '{"took":1,"errors":false,"items":[]}' : '';
}

export type Kind = 'clickhouse' | 'elasticsearch';
export const KINDS: readonly Kind[] = ['clickhouse', 'elasticsearch'];

/** What the sinks said. */
export const told: string[] = [];
const opened: Sink[] = [];

afterEach(async () => {
  told.length = 0;
  for (const sink of opened.splice(0)) await sink.close();
});

/** Either sink: the options are the same. */
export function sinkOf(kind: Kind, options: OutgoingOptions, context: Partial<OutgoingContext> = {}): Sink {
  const log = (severity: string, message: string): void => void told.push(`${severity}: ${message}`);
  const own = { clock: systemClock, log, environment: {}, ...context };
  const sink =
    kind === 'clickhouse'
      ? createClickHouseSink({ ...CLICKHOUSE_DEFAULTS, ...given(options) }, own)
      : createElasticsearchSink({ ...ELASTICSEARCH_DEFAULTS, create_template: 'never', ...given(options) }, own);
  opened.push(sink);
  return sink;
}

/** Options as a pipeline gives them: none is there and undefined. */
function given({ urls, ...options }: OutgoingOptions): { urls: string[] } {
  return { urls: [...urls], ...Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) };
}

export async function failure(promise: Promise<unknown>): Promise<SinkError> {
  const error = await promise.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SinkError);
  return error as SinkError;
}

/** A proxy that lets everybody through to 127.0.0.1, whatever the host is called. */
export class Proxy {
  /** `CONNECT store.test:8443`, `GET http://store.test/`. */
  readonly asked: string[] = [];
  readonly logins: (string | undefined)[] = [];
  port = 0;
  /** With another status than 200 it refuses; 0 is silence. */
  status = 200;

  async start(own?: Certified): Promise<this> {
    const server = own === undefined ? createPlain() : createSecure(own);
    server.on('request', (incoming: IncomingMessage, response: ServerResponse) => this.#pass(incoming, response));
    server.on('connect', (incoming: IncomingMessage, socket: Socket, head: Buffer) => {
      this.#note(incoming);
      if (this.status === 0) return;
      if (this.status !== 200) {
        socket.end(`HTTP/1.1 ${this.status} No\r\ncontent-length: 0\r\n\r\n`);
        return;
      }
      const to = connect(Number(incoming.url!.split(':').at(-1)), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Yes\r\n\r\n');
        to.write(head);
        socket.pipe(to).pipe(socket);
      });
      for (const [one, other] of [
        [socket, to],
        [to, socket],
      ] as const) {
        one.on('error', () => other.destroy()).on('close', () => other.destroy());
      }
    });
    this.port = await listening(server);
    return this;
  }

  #note({ method, url, headers }: IncomingMessage): void {
    this.asked.push(`${method} ${url}`);
    this.logins.push(headers['proxy-authorization']);
  }

  #pass(incoming: IncomingMessage, response: ServerResponse): void {
    this.#note(incoming);
    if (this.status === 0) return;
    if (this.status !== 200) return void response.writeHead(this.status).end();
    const { port, pathname, search } = new URL(incoming.url!);
    const { method, headers } = incoming;
    const options = { host: '127.0.0.1', port, path: pathname + search, method, headers, agent: false };
    const passed = request(options, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    passed.on('error', () => response.writeHead(502).end());
    incoming.pipe(passed);
  }
}
