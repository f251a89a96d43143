import { UsageError } from '../errors.ts';
import { startHttpServer, type HttpServer, type HttpServerOptions, type Readiness } from '../http-server.ts';
import type { Lane } from '../delivery/lane.ts';
import type { Log } from '../log.ts';
import type { Spool } from '../spool/spool.ts';
import { METRICS } from './run-options.ts';

/** Serves the metrics. The default address may be taken by another steptap: that is worth a warning, not a failure. */
export async function serveMetrics(
  options: HttpServerOptions,
  log: Log,
  optional = options.listen === METRICS,
): Promise<HttpServer | undefined> {
  try {
    return await startHttpServer(options);
  } catch (error) {
    if (!optional) throw new UsageError((error as Error).message, { cause: error });
    log('warning', `no metrics: ${(error as Error).message}`);
    return undefined;
  }
}

export function readiness(lanes: readonly Lane[], spool: Spool): Readiness {
  const sinks = Object.fromEntries(lanes.map(({ sink, state }) => [sink.name, state]));
  return { ready: lanes.every(({ state }) => state.state === 'running'), sinks, spool: spool.usage() };
}
