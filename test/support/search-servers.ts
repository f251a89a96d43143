import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestProject } from 'vitest/node';
import { searchServerUnavailable, startSearchServer, type SearchKind, type SearchServer } from './search-server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where a test file is lent a search server: `POST /<kind>` answers with it, and it is given back when the request for it is closed; or 404 with the reason when it cannot be run here. */
    readonly search_servers: string;
  }
}

/** What a server is made of before anybody has put something into it. */
interface Idle {
  readonly server: SearchServer;
  readonly empty: ReadonlySet<string>;
}

/**
 * Lends search servers to test files, one file at a time each. A server takes 7 to 9 seconds of CPU to start, so one that is given back is emptied and lent
 * again. None is started before somebody asks; all of them end with the run.
 */
export default async function searchServers(project: TestProject): Promise<() => Promise<void>> {
  const idle: Record<SearchKind, Idle[]> = { opensearch: [], elasticsearch: [] };
  const all = new Set<SearchServer>();

  async function take(kind: SearchKind): Promise<Idle> {
    const kept = idle[kind].pop();
    if (kept !== undefined) return kept;
    const server = await startSearchServer(kind, { quickStart: true });
    all.add(server);
    return { server, empty: new Set(await contents(server.url)) };
  }

  async function giveBack(kind: SearchKind, lent: Idle): Promise<void> {
    try {
      const left = (await contents(lent.server.url)).filter((path) => !lent.empty.has(path));
      for (const path of left) await call(lent.server.url, path, 'DELETE');
      idle[kind].push(lent);
    } catch {
      // Whatever the tests have made of it: nobody else gets it.
      all.delete(lent.server);
      await lent.server.stop();
    }
  }

  async function lend(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const kind = request.url!.slice(1) as SearchKind;
    const unavailable = await searchServerUnavailable(kind);
    if (unavailable !== undefined) {
      response.writeHead(404).end(unavailable);
      return;
    }
    try {
      const lent = await take(kind);
      response.once('close', () => void giveBack(kind, lent));
      const { url, version, pid } = lent.server;
      response.write(`${JSON.stringify({ url, version, pid })}\n`);
    } catch (error) {
      response.writeHead(500).end(error instanceof Error ? error.message : String(error));
    }
  }

  const desk = createServer((request, response) => void lend(request, response));
  await new Promise<void>((resolve) => {
    desk.listen(0, '127.0.0.1', resolve);
  });
  project.provide('search_servers', `http://127.0.0.1:${(desk.address() as AddressInfo).port}`);
  return async () => {
    desk.close();
    desk.closeAllConnections();
    await Promise.all([...all].map((server) => server.stop()));
  };
}

/** The paths of everything that somebody can have made: indices, also hidden ones, and templates. */
async function contents(url: string): Promise<string[]> {
  const indices = JSON.parse(await call(url, '/_cat/indices?format=json&h=index&expand_wildcards=all')) as {
    index: string;
  }[];
  const { index_templates } = JSON.parse(await call(url, '/_index_template')) as {
    index_templates: { name: string }[];
  };
  return [...indices.map(({ index }) => `/${index}`), ...index_templates.map(({ name }) => `/_index_template/${name}`)];
}

async function call(url: string, path: string, method = 'GET'): Promise<string> {
  const answer = await fetch(url + path, { method });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${text}`);
  return text;
}
