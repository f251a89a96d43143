import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * What a proxy does with a request that it has read: passes it on, lets it wait for ever, passes it on and keeps the answer, or breaks the connection instead,
 * or answers itself.
 */
export type Deed = 'pass' | 'hang' | 'swallow' | 'cut' | { readonly status: number; readonly body?: string };

export interface Passing {
  readonly method: string;
  readonly path: string;
  readonly body: Buffer;
}

/** Stands in front of a real server, and is what goes wrong between steptap and it. */
export interface Proxy {
  readonly url: string;
  /** Looked up for every request. */
  deed: (passing: Passing) => Deed;
  /** Called when a request was passed on and the server has answered, before the answer is. */
  after: (passing: Passing) => Promise<void>;
  /** Resolves when the next answer has been swallowed: the server has done what it was asked. */
  swallowed(): Promise<void>;
  /** Nothing listens any more; connections are cut. */
  leave(): Promise<void>;
  comeBack(): Promise<void>;
}

/** True for a request that brings rows to ClickHouse, Elasticsearch or OpenSearch. */
export function bringsRows({ method, path, body }: Passing): boolean {
  if (method !== 'POST') return false;
  return path.includes('/_bulk') || /query=INSERT/i.test(path) || body.subarray(0, 7).toString() === 'INSERT ';
}

export async function startProxy(target: () => string): Promise<Proxy> {
  let swallowed: (() => void)[] = [];
  const pass = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const pieces: Buffer[] = [];
    for await (const piece of incoming) pieces.push(piece as Buffer);
    const body = Buffer.concat(pieces);
    const { method = '', url: path = '', headers } = incoming;
    const deed = self.deed({ method, path, body });
    if (deed === 'hang') return;
    if (typeof deed === 'object') {
      response.writeHead(deed.status).end(deed.body ?? '');
      return;
    }
    const answer = await forward(target(), method, path, headers, body);
    await self.after({ method, path, body });
    if (deed === 'cut') {
      response.socket?.resetAndDestroy();
      return;
    }
    if (deed === 'swallow') {
      for (const resolve of swallowed) resolve();
      swallowed = [];
      return;
    }
    response.writeHead(answer.status, answer.headers).end(answer.body);
  };
  let server: Server;
  const listen = async (port: number): Promise<void> => {
    server = createServer((incoming, response) => {
      response.on('error', () => undefined);
      pass(incoming, response).catch(() => response.destroy());
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
  };
  await listen(0);
  const { port } = server!.address() as AddressInfo;
  const self: Proxy = {
    url: `http://127.0.0.1:${port}`,
    deed: () => 'pass',
    after: async () => undefined,
    swallowed: () => new Promise((resolve) => swallowed.push(resolve)),
    async leave() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
    comeBack: () => listen(port),
  };
  return self;
}

async function forward(
  target: string,
  method: string,
  path: string,
  { host: _host, connection: _connection, ...headers }: IncomingMessage['headers'],
  body: Buffer,
): Promise<{ status: number; headers: IncomingMessage['headers']; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const length = { 'content-length': String(body.length) };
    const { 'transfer-encoding': _chunked, ...kept } = headers;
    const sent = request(new URL(path, target), { method, headers: { ...kept, ...length }, agent: false }, (answer) => {
      const pieces: Buffer[] = [];
      answer.on('data', (piece: Buffer) => pieces.push(piece));
      answer.on('error', reject);
      answer.on('end', () => {
        const { 'transfer-encoding': _way, connection: _kept, 'content-length': _size, ...rest } = answer.headers;
        resolve({ status: answer.statusCode ?? 502, headers: rest, body: Buffer.concat(pieces) });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
