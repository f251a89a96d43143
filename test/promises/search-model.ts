import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A document as it is stored: its index, and its bytes. */
export interface StoredDocument {
  readonly index: string;
  readonly source: string;
}

/** Where documents go: the model, or a real cluster. */
export interface SearchBackend {
  readonly name: string;
  readonly url: string;
  documents(): AsyncIterable<StoredDocument> | Iterable<StoredDocument>;
  stop(): Promise<void>;
}

/**
 * An Elasticsearch as far as steptap goes: `create` stores a document once under one id of one index, and answers 409 the second time; templates, `_refresh`, and
 * the one aggregation that `steptap audit` asks for.
 */
export async function startSearchModel(): Promise<SearchBackend> {
  const indices = new Map<string, Map<string, string>>();
  const templates = new Map<string, string>();
  let made = 0;

  function bulk(index: string, body: string): object {
    let documents = indices.get(index);
    if (documents === undefined) indices.set(index, (documents = new Map()));
    const lines = body.split('\n');
    const items: object[] = [];
    let errors = false;
    for (let at = 0; at + 1 < lines.length; at += 2) {
      const _id = /^\{"create":\{"_id":"([^"]+)"\}\}$/.exec(lines[at]!)?.[1] ?? `made-${made++}`;
      if (documents.has(_id)) {
        errors = true;
        items.push({ create: { _id, status: 409, error: { type: 'version_conflict_engine_exception' } } });
      } else {
        documents.set(_id, lines[at + 1]!);
        items.push({ create: { _id, status: 201 } });
      }
    }
    return { took: 1, errors, items };
  }

  /** Buckets by `_seq` and `_i` of one `_src`, as `composite` gives them, a page at a time. */
  function search(prefix: string, asked: Search): object {
    const [{ term }, { range }] = asked.query.bool.filter;
    const { size, after } = asked.aggs.rows.composite;
    const counts = new Map<string, number>();
    for (const [index, documents] of indices) {
      if (!index.startsWith(prefix)) continue;
      for (const source of documents.values()) {
        const [, src, seq, i] = IDENTITY.exec(source) ?? [];
        if (src !== term._src || Number(seq) < range._seq.gte || Number(seq) > range._seq.lte) continue;
        counts.set(`${seq} ${i}`, (counts.get(`${seq} ${i}`) ?? 0) + 1);
      }
    }
    const all = [...counts].map(([key, doc_count]) => {
      const [seq = 0, i = 0] = key.split(' ').map(Number);
      return { key: { seq, i }, doc_count };
    });
    all.sort((a, b) => a.key.seq - b.key.seq || a.key.i - b.key.i);
    const behind = ({ key }: (typeof all)[number]): boolean =>
      after === undefined || key.seq > after.seq || (key.seq === after.seq && key.i > after.i);
    const buckets = all.filter(behind).slice(0, size);
    const rows = { buckets, ...(buckets.length === 0 ? {} : { after_key: buckets.at(-1)!.key }) };
    return { timed_out: false, _shards: { failed: 0 }, aggregations: { rows } };
  }

  function answer(method: string, path: string, body: Buffer): [number, object] {
    const parts = decodeURIComponent(path).split('/').slice(1);
    if (path === '/') return [200, { version: { number: '8.14.3' } }];
    if (parts[0] === '_index_template') {
      const name = parts[1]!;
      if (method === 'PUT') templates.set(name, body.toString('utf8'));
      const known = templates.get(name);
      if (known === undefined) return [404, {}];
      const index_template: unknown = JSON.parse(known);
      return [200, method === 'PUT' ? { acknowledged: true } : { index_templates: [{ name, index_template }] }];
    }
    if (parts[1] === '_bulk') return [200, bulk(parts[0]!, body.toString('latin1'))];
    if (parts[1] === '_refresh') return [200, { _shards: { failed: 0 } }];
    if (parts[1] === '_search')
      return [200, search(parts[0]!.replace(/\*$/, ''), JSON.parse(body.toString('utf8')) as Search)];
    return [400, { error: { type: 'illegal_argument_exception' } }];
  }

  const server = createServer((incoming, response) => void take(incoming, response).catch(() => response.destroy()));
  async function take(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const path = new URL(incoming.url ?? '/', 'http://localhost').pathname;
    const [status, said] = answer(incoming.method ?? 'GET', path, Buffer.concat(chunks));
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(said));
  }
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });

  return {
    name: 'a model of Elasticsearch',
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    *documents() {
      for (const [index, documents] of indices) for (const source of documents.values()) yield { index, source };
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

const IDENTITY = /"_src":"([^"]*)","_seq":(\d+),"_i":(\d+)/;

interface Search {
  readonly query: {
    readonly bool: {
      readonly filter: readonly [
        { readonly term: { readonly _src: string } },
        { readonly range: { readonly _seq: { readonly gte: number; readonly lte: number } } },
      ];
    };
  };
  readonly aggs: {
    readonly rows: { readonly composite: { readonly size: number; readonly after?: { seq: number; i: number } } };
  };
}
