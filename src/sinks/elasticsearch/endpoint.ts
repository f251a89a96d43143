import { unescape } from 'node:querystring';
import { SinkError } from '../sink.ts';

export interface Credentials {
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly api_key?: string | undefined;
}

export interface Endpoint {
  /** Address without credentials, for messages. */
  readonly name: string;
  readonly url: URL;
  readonly authorization: string | undefined;
}

/** An address with the credentials to use there: those of the options, else those in the address, which are taken off it. */
export function endpointOf(text: string, options: Credentials): Endpoint {
  const url = new URL(text);
  const user = options.user ?? unescape(url.username);
  const password = options.user === undefined ? unescape(url.password) : (options.password ?? '');
  url.username = '';
  url.password = '';
  url.search = '';
  url.hash = '';
  const basic = user === '' ? undefined : `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  const authorization = options.api_key === undefined ? basic : `ApiKey ${options.api_key}`;
  return { name: url.href.replace(/\/$/, ''), url, authorization };
}

/** Why there is no answer. */
export interface Failure {
  /** `ECONNRESET`, `TIMEOUT`, ... */
  readonly code: string;
  /** There was no connection, so nothing was sent. */
  readonly unreachable: boolean;
  /** A kept connection that the other end had closed meanwhile. */
  readonly stale: boolean;
}

/** What it means for the data that an address gave no answer. */
export function sinkErrorOf({ code, unreachable }: Failure, name: string, timeout_ms: number): SinkError {
  const error = (failure: 'retry' | 'hold', what: string, in_doubt: boolean): SinkError =>
    new SinkError(failure, code, `${name} ${what}`, { in_doubt });
  if (/CERT|SIGNATURE/.test(code)) {
    const advice = 'name its authority in NODE_EXTRA_CA_CERTS';
    return error('hold', `has no certificate that can be trusted (${code}): ${advice}`, false);
  }
  if (unreachable) return error('retry', `cannot be reached (${code})`, false);
  switch (code) {
    case 'ABORTED':
      return error('retry', 'was not waited for: steptap is stopping', true);
    case 'TIMEOUT':
      return error('retry', `did not answer within ${timeout_ms} ms`, true);
    case 'ANSWER_TOO_LARGE':
      return error('hold', 'gave an answer of more than 64 MiB: is it Elasticsearch or OpenSearch?', true);
    default:
      return error('retry', `broke the connection (${code})`, true);
  }
}
