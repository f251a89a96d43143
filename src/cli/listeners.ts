import type { Problem } from '../config/document.ts';
import type { SinkConfigOf } from '../config/schema.ts';
import { isLocal, readAddress } from '../listening/address.ts';
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
    const problem = openProblem({ ...sink, listen, secrets: [TOKEN_OPTIONS] }) ?? eventsProblem({ ...sink, listen });
    return [{ path: ['sinks', name], problem }];
  });
  const problems = [...sources, ...sinks].flatMap(({ path, problem }) =>
    problem === undefined ? [] : [{ ...problem, path: [...path, ...problem.path] }],
  );
  if (problems.length > 0) throw pipeline.error(problems);
}

/** Metrics may be anybody's to see in a closed network; what log lines say is not. */
function eventsProblem(sink: SinkConfigOf<'prometheus'> & { readonly listen: string }): Problem | undefined {
  const { listen, events = false, token, token_file, tls } = sink;
  const address = readAddress(listen);
  const known = token !== undefined || token_file !== undefined || tls?.client_ca_file !== undefined;
  if (!events || known || address === undefined || isLocal(address)) return undefined;
  const message = `${listen} can be reached by other machines, and events show what log lines say: add token_file, or leave events out`;
  return { path: ['events'], message };
}
