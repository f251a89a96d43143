import type { Clock } from '../../clock.ts';
import { SinkError } from '../sink.ts';
import type { Answer } from './http.ts';

/*
 * What an answer means for the data. Decided by status and error type only: the text of an error quotes values of the row.
 *
 *   whole answer   200 see the rows; 413 split; 408, 429, 5xx retry; everything else (401, 403, 404, a redirect) hold
 *   a row          200, 201 stored; 409 stored before; 429, 500, 502, 503, 504 again; 400 and its family rejected;
 *                  401, 403, 404 and what is not known here hold the whole part
 *
 * After a `hold` or a `retry` every row of the part is sent again: those that were stored are then answered with 409.
 */

/** Error types are names; anything else that stands in their place is not repeated. */
const TYPE = /^[a-z][a-z0-9_]{0,63}$/;
export const UNKNOWN = 'unknown';

export function typeOf(value: unknown): string {
  return typeof value === 'string' && TYPE.test(value) ? value : UNKNOWN;
}

export function object(value: unknown): Readonly<Record<string, unknown>> | undefined {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
}

/** The JSON of an answer; undefined when it is none. */
export function jsonOf(answer: Answer): Readonly<Record<string, unknown>> | undefined {
  try {
    return object(JSON.parse(answer.body.toString('utf8')));
  } catch {
    return undefined;
  }
}

/** `Retry-After` in milliseconds: seconds or a date. */
export function retryAfter(answer: Answer, clock: Clock): number | undefined {
  const value = answer.headers['retry-after'];
  if (value === undefined) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - clock.wall();
  return Number.isNaN(ms) ? undefined : Math.max(ms, 0);
}

/** What to do about a status that an operator must act upon. */
export function advice(status: number, index: string): string {
  switch (status) {
    case 401:
      return 'check user, password or api_key';
    case 403:
      return `allow it create_doc (of tasks index) and create_index on ${index}, or lift the block of the index`;
    case 407:
      return 'a proxy wants another user or password: give them in HTTP_PROXY, as http://user:password@host:port';
    case 404:
      return `make ${index}, or allow it to be made (action.auto_create_index)`;
    case 400:
      return `${index} takes no rows: is it closed, an alias without write index, over cluster.max_shards_per_node?`;
    default:
      return 'look at the log of the cluster';
  }
}

/** A whole answer that is not 200. `what` was asked, `index` is what it was about. */
export function wholeFailure(answer: Answer, what: string, index: string, clock: Clock): SinkError {
  const { status } = answer;
  const code = `HTTP ${status}`;
  const type = typeOf(object(jsonOf(answer)?.['error'])?.['type']);
  const said = `${answer.from} answered ${what} with ${code}${type === UNKNOWN ? '' : ` (${type})`}`;
  if (status === 413) return new SinkError('split', code, `${said}: the body is too large for it`);
  if (status === 408 || status === 429 || status >= 500) {
    const retry_after_ms = retryAfter(answer, clock);
    return new SinkError('retry', code, said, { in_doubt: status !== 429, retry_after_ms });
  }
  return new SinkError('hold', code, `${said}: ${advice(status, index)}`);
}
