import { expect } from 'vitest';
import { CLICKHOUSE_DEFAULTS, createClickHouseSink, type ClickHouseOptions } from '../../src/sinks/clickhouse/index.ts';
import type { Sink } from '../../src/sinks/sink.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { startFaultyServer, type Asked, type Backend, type Reply } from '../support/faulty-server.ts';
import type { HttpBench } from './http-contract.ts';
import { PASSWORD } from './sink-contract.ts';

/** A ClickHouse as far as an INSERT goes: whole or not at all, and once under one token (for each table). */
export class FakeClickHouse implements Backend {
  readonly rows: { readonly table: string; readonly step: string; readonly raw: string | undefined }[] = [];
  readonly #tokens = new Set<string>();
  /** INSERTs with a row of this step are refused. */
  poison = '';
  /** False: it is one that knows no tokens. */
  deduplicates = true;

  brings({ url }: Pick<Asked, 'url'>): boolean {
    return url.searchParams.get('query')?.startsWith('INSERT') ?? false;
  }

  answer(asked: Asked): Reply {
    if (!this.brings(asked)) return { status: 200 };
    const table = /`(\w+)` FORMAT/.exec(asked.url.searchParams.get('query') ?? '')?.[1] ?? '';
    const rows = asked.body
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { step: string; step_raw?: string });
    if (rows.some(({ step }) => step === this.poison)) return refusal(27, `'${asked.body}' (at row 1)`);
    const token = `${table} ${asked.url.searchParams.get('insert_deduplication_token')}`;
    if (this.deduplicates && this.#tokens.has(token)) return { status: 200 };
    this.#tokens.add(token);
    for (const { step, step_raw: raw } of rows) this.rows.push({ table, step, raw });
    return { status: 200 };
  }
}

export function refusal(code: number, text: string): Reply {
  const body = `Code: ${code}. DB::Exception: ${text}. (SOME_NAME) (version 26.7.2.1 (official build))\n`;
  return { status: 400, headers: { 'x-clickhouse-exception-code': String(code) }, body };
}

export interface ClickHouseBench extends HttpBench {
  readonly backend: FakeClickHouse;
}

export async function startClickHouseBench(
  options: Partial<ClickHouseOptions> = {},
  wrap = (sink: Sink): Sink => sink,
): Promise<ClickHouseBench> {
  const backend = new FakeClickHouse();
  const server = await startFaultyServer(backend);
  const clock = new FakeClock();
  const urls = [server.url.replace('//', `//someone:${PASSWORD}@`)];
  const sink = createClickHouseSink({ ...CLICKHOUSE_DEFAULTS, ...options, urls }, { clock, log: () => undefined });
  return {
    backend,
    server,
    sink: wrap(sink),
    waited: () => void clock.advance(CLICKHOUSE_DEFAULTS.timeout_ms),
    async stored() {
      const times = new Map<string, number>();
      for (const { step } of backend.rows) times.set(step, (times.get(step) ?? 0) + 1);
      return times;
    },
    lawful: () => sameBytes(server.brought),
    stop: () => server.leave(),
  };
}

/** One token of one table is the same statement and the same bytes, however often it is sent; the query has an id of its own. */
function sameBytes(brought: readonly Asked[]): void {
  const first = new Map<string, Asked>();
  const ids = new Set<string>();
  for (const asked of brought) {
    const { searchParams } = asked.url;
    const key = `${searchParams.get('query')} ${searchParams.get('insert_deduplication_token')}`;
    ids.add(searchParams.get('query_id') ?? '');
    const before = first.get(key);
    if (before === undefined) first.set(key, asked);
    else expect({ key, same: asked.body === before.body }).toEqual({ key, same: true });
  }
  expect(ids.size).toBe(brought.length);
}
