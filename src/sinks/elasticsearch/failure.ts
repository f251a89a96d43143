import { tlsTrouble, type OutgoingError } from '../../outgoing/index.ts';
import { SinkError } from '../sink.ts';

/** Why there is no answer. */
export interface Failure {
  /** `ECONNRESET`, `TIMEOUT`, ... */
  readonly code: string;
  /** There was no connection, so nothing was sent. */
  readonly unreachable: boolean;
  /** A kept connection that the other end had closed meanwhile. */
  readonly stale: boolean;
  /** What it was that left no way there. */
  readonly why?: OutgoingError;
}

/** What it means for the data that an address gave no answer. */
export function sinkErrorOf({ code, unreachable, why }: Failure, name: string, timeout_ms: number): SinkError {
  const error = (failure: 'retry' | 'hold', what: string, in_doubt: boolean): SinkError =>
    new SinkError(failure, code, `${name} ${what}`, { in_doubt });
  if (why !== undefined) return error(why.failure, `has no way to it: ${code}: ${why.message}`, false);
  const trouble = tlsTrouble(code);
  if (trouble !== undefined) {
    return error('hold', `cannot be talked to in TLS (${code}): ${trouble.advice}`, trouble.in_doubt);
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
