import { openProblem } from '../listening/closed.ts';
import { TOKEN_OPTIONS } from '../listening/schema.ts';
import { CLICKHOUSE_HTTP_DEFAULTS, PASSWORD_OPTIONS } from '../sources/clickhouse-http/schema.ts';
import { FORWARD_DEFAULTS, KEY_OPTIONS } from '../sources/forward/schema.ts';
import { HTTP_DEFAULTS, SIGNATURE_OPTIONS } from '../sources/http/schema.ts';
import type { Settings } from './settings.ts';

/** Where each listens when nothing is said, and what it may be closed by. */
const LISTENERS = {
  'clickhouse-http': [CLICKHOUSE_HTTP_DEFAULTS, [PASSWORD_OPTIONS]],
  http: [HTTP_DEFAULTS, [TOKEN_OPTIONS, SIGNATURE_OPTIONS]],
  forward: [FORWARD_DEFAULTS, [KEY_OPTIONS]],
} as const;

/** Throws a UsageError for every listener of a pipeline that is open to those who should not reach it. */
export function refuseOpen({ pipeline, config }: Settings): void {
  const sources = Object.entries(config.sources ?? {}).flatMap(([name, source]) => {
    if (source.type !== 'http' && source.type !== 'forward' && source.type !== 'clickhouse-http') return [];
    const [defaults, secrets] = LISTENERS[source.type];
    const { listen = defaults.listen } = source;
    return [{ path: ['sources', name], problem: openProblem({ ...source, listen, secrets }) }];
  });
  const sinks = Object.entries(config.sinks ?? {}).flatMap(([name, sink]) => {
    if (sink.type !== 'prometheus' || sink.listen === undefined || sink.listen === 'none') return [];
    const { listen } = sink;
    return [{ path: ['sinks', name], problem: openProblem({ ...sink, listen, secrets: [TOKEN_OPTIONS] }) }];
  });
  const problems = [...sources, ...sinks].flatMap(({ path, problem }) =>
    problem === undefined ? [] : [{ ...problem, path: [...path, ...problem.path] }],
  );
  if (problems.length > 0) throw pipeline.error(problems);
}
