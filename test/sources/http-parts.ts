import { request as https } from 'node:https';
import { request as http, type IncomingHttpHeaders } from 'node:http';
import type { Cli } from '../support/run-cli.ts';

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Posting {
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: string;
  readonly socketPath?: string;
}

/** Sends it in one go, and resolves with the answer. Certificates are not looked at. */
export function post(url: string, body: string | Buffer, { socketPath, ...options }: Posting = {}): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const via = socketPath === undefined ? {} : { socketPath };
    const how = { method: 'POST', rejectUnauthorized: false, agent: false, ...via, ...options };
    const outgoing = (url.startsWith('https') ? https : http)(url, how, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body: text }));
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** Where a source listens, when it does; of those that were said before, the last. */
export async function listening(cli: Cli, times = 1): Promise<string> {
  const entry = await cli.saidTimes(/: listening on /, times);
  return String(entry['url']);
}

/** A record as Fluent Bit makes it of a container's line. */
export function record(log: string, pod = 'pod-1', date = 1771497044.189512): string {
  const kubernetes = { pod_name: pod, namespace_name: 'ns', container_name: 'main', host: 'node-1' };
  return JSON.stringify({ date, stream: 'stderr', log, kubernetes });
}
