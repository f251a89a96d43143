import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock } from '../../../src/clock.ts';
import { ELASTICSEARCH_DEFAULTS, createElasticsearchSink } from '../../../src/sinks/elasticsearch/index.ts';
import type { ElasticsearchOptions } from '../../../src/sinks/elasticsearch/index.ts';
import { SinkError, type Sink, type SinkContext } from '../../../src/sinks/sink.ts';

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** What the server does with a request: a status with a body, or whatever it likes with the response. */
export type Reply =
  | { readonly status: number; readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> }
  | ((response: ServerResponse, request: Received) => void);

export interface FaultyServer {
  readonly url: string;
  readonly received: Received[];
  /** Answers in their order; the last one stays. */
  replies: Reply[];
  stop(): Promise<void>;
}

/** A server that answers as it is told, and keeps what it was asked. */
export async function startFaultyServer(...replies: Reply[]): Promise<FaultyServer> {
  const received: Received[] = [];
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('error', () => undefined);
    incoming.on('end', () => {
      const { method = '', url: path = '', headers } = incoming;
      const request = { method, path, headers, body: Buffer.concat(chunks).toString('utf8') };
      received.push(request);
      const reply = faulty.replies.length > 1 ? faulty.replies.shift()! : faulty.replies[0]!;
      if (typeof reply === 'function') return reply(response, request);
      response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers });
      response.end(typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body ?? {}));
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const faulty: FaultyServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    replies,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
  return faulty;
}

/** A bulk answer with these items; every item belongs to the row of the same place of record 1. */
export function bulkAnswer(...items: (Readonly<Record<string, unknown>> & { readonly status: number })[]): Reply {
  const errors = items.some(({ status }) => status >= 300);
  const named = items.map((item, row) => ({ create: { _id: `spool0-epoch0-1-${row}`, ...item } }));
  return { status: 200, body: { took: 3, errors, items: named } };
}

export const never: AbortSignal = new AbortController().signal;
export const told: string[] = [];
export const context = {
  clock: systemClock,
  log: (severity: string, message: string) => void told.push(`${severity}: ${message}`),
};

export function sinkOf(
  urls: readonly string[],
  options: Partial<ElasticsearchOptions> = {},
  more: Partial<SinkContext> = {},
): Sink {
  return createElasticsearchSink({ ...ELASTICSEARCH_DEFAULTS, urls: [...urls], ...options }, { ...context, ...more });
}

/** The SinkError that a promise ends with. */
export async function failure(promise: Promise<unknown>): Promise<SinkError> {
  const end = await promise.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  if (end instanceof SinkError) return end;
  throw end;
}
