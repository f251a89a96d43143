import { once } from 'node:events';
import type { Server } from 'node:http';
import type { Clock } from '../clock.ts';
import type { Framing } from '../framing/prefix.ts';
import type { Intake } from '../intake.ts';
import { listenAgain, readyToListen } from '../listening/again.ts';
import { Certificate } from '../listening/certificate.ts';
import { closeNow, httpServer } from '../listening/http.ts';
import type { ListenerOptions } from '../listening/schema.ts';
import type { Log } from '../log.ts';
import { Requests } from '../requests.ts';
import type { OwnSource } from '../sources/source.ts';
import { Admission } from './admission.ts';
import { Answering } from './answering.ts';
import { HAS_ZSTD } from './body.ts';
import type { Speaks } from './protocol.ts';

const MOST_CONNECTIONS = 512;
/** Longer than Fluent Bit keeps an idle connection (30 s): else it would write into one that has just been closed. */
const KEEP_ALIVE_MS = 35_000;
/** What clients get to send the rest of their requests when it stops. */
const REST_MS = 5_000;

export interface PostSourceOptions extends ListenerOptions {
  readonly name: string;
  /** Where posts go, for who reads the log. */
  readonly path: string;
  readonly framing: Framing;
  readonly max_body_bytes: number;
  readonly speaks: Speaks;
  readonly clock: Clock;
  readonly log: Log;
}

/** Takes requests until it is stopped: no more of them then, and those under way are finished. Throws a UsageError for a certificate that is none. */
export function postSource(options: PostSourceOptions): OwnSource {
  const { name, path, framing, max_body_bytes, speaks, listen, tls, clock, log } = options;
  const certificate = tls === undefined ? undefined : new Certificate(tls, log);
  return {
    name,
    resumes: true,
    follows: true,
    ready: () => readyToListen(name, listen),
    async run(intake: Intake, stop: AbortSignal) {
      const requests = new Requests({ name, framing }, intake);
      const server = httpServer(certificate);
      server.keepAliveTimeout = KEEP_ALIVE_MS;
      const admission = new Admission(server, MOST_CONNECTIONS);
      const protocol = speaks(intake);
      const answering = new Answering({
        name,
        max_body_bytes,
        protocol,
        requests,
        intake,
        admission,
        clock,
        log,
        stop,
      });
      server.on('request', (request, response) => void answering.answer(request, response));
      const at = await listenAgain(server, listen, { clock, log, stop });
      if (at !== undefined) {
        const scheme = certificate === undefined ? 'http' : 'https';
        const url = at.startsWith('unix:') ? `${scheme}://${at}:${path}` : `${scheme}://${at}${path}`;
        log('info', `${name}: listening on ${url}${HAS_ZSTD ? '' : `; ${NO_ZSTD}`}`, { source: name, url });
        if (!stop.aborted) await once(stop, 'abort');
        await finish(server, answering, clock);
      }
      await requests.settled();
    },
  };
}

/** Fluent Bit throws away what is answered with 415. */
export const NO_ZSTD = `senders may compress with gzip, not with zstd: Node ${process.versions.node} cannot read it, 22.15 and later can`;

/** Resolves when every request has its answer, or its client has taken too long, and the port is free. */
async function finish(server: Server, answering: Answering, clock: Clock): Promise<void> {
  const over = new AbortController();
  const closed = once(server, 'close');
  server.close();
  server.closeIdleConnections();
  await Promise.race([closed, clock.sleep(REST_MS, over.signal)]);
  over.abort('over');
  answering.giveUp();
  // Who has sent everything waits for its commit: that comes, or is refused.
  await answering.settled();
  await closeNow(server);
}
