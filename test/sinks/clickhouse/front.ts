import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach } from 'vitest';

/** What stands in front of a server: it passes on everything but what it is told to answer or to change. */
export interface Front {
  readonly url: string;
  /** What comes in; undefined: it is passed on. */
  instead: (asked: Asked, response: ServerResponse) => true | undefined;
  /** What goes back. */
  change: (asked: Asked, answer: string) => string;
}

export interface Asked {
  /** The statement. */
  readonly query: string;
  readonly url: URL;
}

const fronts: Server[] = [];

afterEach(async () => {
  for (const server of fronts.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** A front of the server at `to`, until the end of the test. */
export async function frontOf(to: string): Promise<Front> {
  const front: Front = { url: '', instead: () => undefined, change: (_, answer) => answer };
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', to);
    const body = await bodyOf(request);
    const asked = { url, query: url.searchParams.get('query') ?? body.toString('utf8') };
    if (front.instead(asked, response) === true) return;
    const answer = await fetch(url, { method: 'POST', body });
    const code = answer.headers.get('x-clickhouse-exception-code');
    response.writeHead(answer.status, code === null ? {} : { 'x-clickhouse-exception-code': code });
    response.end(front.change(asked, await answer.text()));
  };
  const server = createServer((request, response) => void handle(request, response).catch(() => response.destroy()));
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  fronts.push(server);
  return Object.assign(front, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}

/** Refuses as ClickHouse does. */
export function refuse(response: ServerResponse, code: number, text: string): true {
  response.writeHead(500, { 'x-clickhouse-exception-code': String(code) });
  response.end(`Code: ${code}. DB::Exception: ${text}. (SOME_NAME) (version 26.7.2.1 (official build))\n`);
  return true;
}
