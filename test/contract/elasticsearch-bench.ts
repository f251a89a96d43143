import { expect } from 'vitest';
import {
  createElasticsearchSink,
  ELASTICSEARCH_DEFAULTS,
  type ElasticsearchOptions,
} from '../../src/sinks/elasticsearch/index.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { startFaultyServer, type Asked, type Backend, type Reply } from '../support/faulty-server.ts';
import type { HttpBench } from './http-contract.ts';
import { CANARY, PASSWORD } from './sink-contract.ts';

export interface Refused {
  readonly status: number;
  readonly type: string;
}

interface Action {
  readonly _id: string;
  readonly version?: number;
}

/** An Elasticsearch as far as `_bulk` goes: each document on its own, with `create` once under one id, with `index` the one of the highest version. */
export class FakeElasticsearch implements Backend {
  /** Steps of stored documents, by id. */
  readonly documents = new Map<string, string>();
  readonly #versions = new Map<string, number>();
  /** Ids of every bulk request, with the status each was answered with. */
  readonly answered: Map<string, number>[] = [];
  readonly headers: Record<string, string> = {};
  /** What a row that is not stored yet is refused with; undefined: it is stored. */
  verdict: (step: string) => Refused | undefined = () => undefined;

  brings({ method, url }: Pick<Asked, 'method' | 'url'>): boolean {
    return method === 'POST' && url.pathname.endsWith('/_bulk');
  }

  answer(asked: Asked): Reply {
    if (this.brings(asked)) return this.#bulk(asked.body);
    const json = (body: unknown, status = 200): Reply => ({ status, body: JSON.stringify(body) });
    if (asked.url.pathname === '/') return json({ version: { number: '8.14.3' } });
    return asked.method === 'GET' ? json({}, 404) : json({ acknowledged: true });
  }

  #bulk(body: string): Reply {
    const lines = body.trimEnd().split('\n');
    const statuses = new Map<string, number>();
    const items: unknown[] = [];
    for (let at = 0; at < lines.length; at += 2) {
      const [[kind, { _id, version }]] = Object.entries(JSON.parse(lines[at]!) as object) as [[string, Action]];
      const { step } = JSON.parse(lines[at + 1]!) as { step: string };
      const { status, type } = kind === 'index' ? this.#index(_id, step, version!) : this.#create(_id, step);
      statuses.set(_id, status);
      const error = { type, reason: `failed on [${CANARY}]`, caused_by: { type: 'number_format_exception' } };
      items.push({ [kind]: { _id, status, ...(status < 300 ? {} : { error }) } });
    }
    this.answered.push(statuses);
    const errors = [...statuses.values()].some((status) => status >= 300);
    return { status: 200, headers: this.headers, body: JSON.stringify({ took: 1, errors, items }) };
  }

  #index(id: string, step: string, version: number): Refused {
    if ((this.#versions.get(id) ?? -1) >= version) return { status: 409, type: 'version_conflict_engine_exception' };
    this.documents.delete(id);
    const answer = this.#create(id, step);
    if (answer.status < 300) this.#versions.set(id, version);
    return answer;
  }

  #create(id: string, step: string): Refused {
    if (this.documents.has(id)) return { status: 409, type: 'version_conflict_engine_exception' };
    const refused = this.verdict(step);
    if (refused !== undefined) return refused;
    this.documents.set(id, step);
    return { status: 201, type: '' };
  }
}

export interface ElasticsearchBench extends HttpBench {
  readonly backend: FakeElasticsearch;
}

export async function startElasticsearchBench(
  options: Partial<ElasticsearchOptions> = {},
): Promise<ElasticsearchBench> {
  const backend = new FakeElasticsearch();
  const server = await startFaultyServer(backend);
  const clock = new FakeClock();
  const urls = [server.url.replace('//', `//someone:${PASSWORD}@`)];
  const sink = createElasticsearchSink(
    { ...ELASTICSEARCH_DEFAULTS, ...options, urls },
    { clock, log: () => undefined },
  );
  return {
    backend,
    server,
    sink,
    waited: () => void clock.advance(ELASTICSEARCH_DEFAULTS.timeout_ms),
    async stored() {
      const times = new Map<string, number>();
      for (const step of backend.documents.values()) times.set(step, (times.get(step) ?? 0) + 1);
      return times;
    },
    lawful: () => expect(allBytes(server.brought)).toBe(true),
    stop: () => server.leave(),
  };
}

/** A document is the same bytes under the same id, however often it is sent. */
function allBytes(brought: readonly Asked[]): boolean {
  const first = new Map<string, string>();
  for (const { body } of brought) {
    const lines = body.trimEnd().split('\n');
    for (let at = 0; at < lines.length; at += 2) {
      const id = lines[at]!;
      const before = first.get(id);
      if (before !== undefined && before !== lines[at + 1]) return false;
      first.set(id, lines[at + 1]!);
    }
  }
  return true;
}
