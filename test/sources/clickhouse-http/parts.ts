import { CLICKHOUSE_HTTP_DEFAULTS, type ClickHouseHttpOptions } from '../../../src/sources/clickhouse-http/schema.ts';
import { clickhouseHttpSource } from '../../../src/sources/clickhouse-http/index.ts';
import { systemClock, type Clock } from '../../../src/clock.ts';
import type { DecodeOptions } from '../../../src/decode.ts';
import type { PipelineResult } from '../../../src/pipeline.ts';
import { KeptSpool } from '../../support/kept-spool.ts';
import { runs } from '../forward/parts.ts';
import { post, type Answered, type Posting } from '../http-parts.ts';

export const INSERT = 'INSERT INTO default.flytekit_telemetry FORMAT JSONEachRow';

export interface Started {
  readonly url: string;
  readonly spool: KeptSpool;
  readonly warnings: string[];
  readonly stop: () => Promise<PipelineResult>;
  /** Posts a body with these parameters of the URL. */
  readonly send: (body: string | Buffer, params?: Readonly<Record<string, string>>, how?: Posting) => Promise<Answered>;
}

/** A source on a free port, with a spool behind it. */
export async function start(
  options: Partial<ClickHouseHttpOptions> = {},
  decode: Partial<DecodeOptions> = {},
  { spool = new KeptSpool(), clock = systemClock }: { spool?: KeptSpool; clock?: Clock } = {},
): Promise<Started> {
  const warnings: string[] = [];
  let listening: (url: string) => void = () => {};
  const at = new Promise<string>((resolve) => {
    listening = resolve;
  });
  const log = (severity: string, message: string, fields: { url?: unknown } = {}): void => {
    if (typeof fields.url === 'string') listening(fields.url);
    if (severity !== 'info') warnings.push(message);
  };
  const all = { ...CLICKHOUSE_HTTP_DEFAULTS, max_body_bytes: 1 << 20, listen: '127.0.0.1:0', ...options };
  const source = clickhouseHttpSource('clickhouse-http:test', all, { log, clock });
  const stop = runs(source, { spool, clock, decode });
  const url = await at;
  const send: Started['send'] = (body, params = { query: INSERT }, how = {}) =>
    post(`${url}?${new URLSearchParams(params).toString()}`, body, how);
  return { url, spool, warnings, stop, send };
}

/** A row as flytekit's sink writes it. */
export function row(step: string, more: Readonly<Record<string, unknown>> = {}): string {
  const known = { event: 'flytekit_step', step, wall_time_s: 0.5, process_time_s: 0.25, status: 'success' };
  const identity = { execution_id: 'x', task_name: 't.f', project: 'p', domain: 'd' };
  return JSON.stringify({ ...known, ...identity, ...more, timestamp: '2026-02-19 10:31:12.640' });
}
