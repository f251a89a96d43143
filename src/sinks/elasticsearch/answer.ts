import type { Clock } from '../../clock.ts';
import { STORED, SinkError, type Outcome, type RowRejection } from '../sink.ts';
import type { SentRow } from './bulk.ts';
import { UNKNOWN, advice, jsonOf, object, retryAfter, typeOf } from './errors.ts';
import type { Answer } from './http.ts';

const STORED_STATUS = new Set([200, 201, 409]);
const AGAIN = new Set([429, 500, 502, 503, 504]);
const HOLD = new Set([401, 403, 404]);

/** They come with status 400 and are no fault of the row: the limit of shards, a closed index, a name that is taken. */
const NOT_THE_ROW = new Set([
  'validation_exception',
  'index_closed_exception',
  'invalid_index_name_exception',
  'invalid_index_template_exception',
  'resource_already_exists_exception',
]);

/** Of one row (an immense term) or, without a cause and for every row, of the index. */
const BAD_ARGUMENT = 'illegal_argument_exception';

/** Code of a row that the cluster took and put where searches do not find it. */
export const FAILURE_STORE = 'failure_store';

const ALL_STORED = /^\s*\{(?:"took":\d+,)?"errors":false[,}]/;
const USED = '"failure_store":"used"';

/**
 * What became of the rows of a bulk request that was answered with 200. `sent` is asked for only when rows differ. Throws when rows
 * cannot be told apart, or when one of them needs an operator.
 */
export function readBulk(answer: Answer, sent: () => readonly SentRow[], index: string, clock: Clock): Outcome {
  const { body } = answer;
  const whole = body
    .toString('latin1', Math.max(body.length - 8, 0))
    .trimEnd()
    .endsWith('}');
  if (whole && ALL_STORED.test(body.toString('latin1', 0, 64)) && !body.includes(USED)) return STORED;

  const items = itemsOf(answer, sent());
  const rejected: RowRejection[] = [];
  const again: number[] = [];
  // No index takes any row: an alias without a write index, a pipeline that is not there. Alone, a row may be at fault.
  const nobody = items.length > 1 && items.every(({ type, cause }) => type === BAD_ARGUMENT && cause === UNKNOWN);
  for (const { row, status, type, cause, used } of items) {
    const fault = status >= 400 && status < 500 && !HOLD.has(status) && !NOT_THE_ROW.has(type) && !nobody;
    if (used) {
      const detail = 'the index took the row into its failure store, where searches do not find it';
      rejected.push({ row, code: FAILURE_STORE, detail });
    } else if (STORED_STATUS.has(status)) {
      continue;
    } else if (AGAIN.has(status)) {
      again.push(row);
    } else if (fault) {
      rejected.push({ row, code: type, detail: `status ${status}${cause === UNKNOWN ? '' : `, caused by ${cause}`}` });
    } else {
      const said = `${answer.from} refused a row with status ${status} (${type})`;
      throw new SinkError('hold', `HTTP ${status}`, `${said}: ${advice(status, index)}`, { in_doubt: true });
    }
  }
  const retry_after_ms = again.length === 0 ? undefined : retryAfter(answer, clock);
  return retry_after_ms === undefined ? { rejected, again } : { rejected, again, retry_after_ms };
}

interface Item {
  readonly row: number;
  readonly status: number;
  readonly type: string;
  readonly cause: string;
  readonly used: boolean;
}

/** What the answer says of each row, in the order in which they were sent; each has to carry the row's id. */
function itemsOf(answer: Answer, sent: readonly SentRow[]): Item[] {
  const torn = (what: string): SinkError =>
    new SinkError('retry', 'BAD_ANSWER', `${answer.from} gave a bulk answer ${what}`, { in_doubt: true });
  const items = jsonOf(answer)?.['items'];
  if (!Array.isArray(items)) throw torn('that is cut short or no JSON');
  if (items.length !== sent.length) throw torn(`of ${items.length} rows to ${sent.length}`);
  return sent.map(({ row, id }, place) => {
    const said = object(items[place]);
    const item = object(said?.['create'] ?? said?.['index']);
    const status = item?.['status'];
    if (item === undefined || typeof status !== 'number' || item['_id'] !== id) throw torn('about other rows');
    const error = object(item['error']);
    const cause = typeOf(object(error?.['caused_by'])?.['type']);
    return { row, status, type: typeOf(error?.['type']), cause, used: item['failure_store'] === 'used' };
  });
}
