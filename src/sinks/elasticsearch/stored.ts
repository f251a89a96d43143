import type { Clock } from '../../clock.ts';
import { SinkError, type StoredRange, type StoredRecord } from '../sink.ts';
import { jsonOf, object, wholeFailure } from './errors.ts';
import type { Answer, SearchHttp } from './http.ts';

/** Rows counted with one request: an answer is then about 800 KB, and well below `search.max_buckets` (65,535). */
const PAGE = 10_000;
const ANSWER_PATHS = ['timed_out', '_shards.failed', 'aggregations.rows.after_key', 'aggregations.rows.buckets'];

/**
 * How the records of a range are stored, by `_seq`, in all indices of the table: an id is unique within one index only, so a copy would be in another.
 *
 * One bucket for every row, since `cardinality` is an estimate; buckets of a `composite` are exact. Refreshes first: what was stored a moment ago is
 * found only then.
 */
export async function recordsOf(
  range: StoredRange,
  prefix: string,
  http: SearchHttp,
  clock: Clock,
  signal: AbortSignal,
): Promise<Map<number, StoredRecord>> {
  const indices = `${prefix}-${range.table}-*`;
  const found = new Map<number, { rows: number; distinct: number }>();
  const refresh = await http.request({ method: 'POST', path: `/${indices}/_refresh` }, signal);
  completeAnswer(refresh, `a refresh of ${indices}`, indices, clock);
  // Where a shard is missing or an index is closed, a search fails instead of counting less.
  const whole = 'allow_partial_search_results=false&expand_wildcards=all';
  const path = `/${indices}/_search?${whole}&filter_path=${ANSWER_PATHS.join(',')}`;
  for (let after: unknown; ;) {
    const body = Buffer.from(JSON.stringify(searchOf(range, after)));
    const answer = await http.request({ method: 'POST', path, body }, signal);
    const rows = object(object(completeAnswer(answer, 'a count of rows', indices, clock)['aggregations'])?.['rows']);
    const buckets = rows?.['buckets'];
    // Without any index there is nothing to aggregate either.
    if (!Array.isArray(buckets)) return found;
    for (const bucket of buckets) {
      const { key, doc_count } = bucket as { key: { seq: number }; doc_count: number };
      const record = found.get(key.seq) ?? { rows: 0, distinct: 0 };
      found.set(key.seq, record);
      record.rows += doc_count;
      record.distinct += 1;
    }
    after = rows?.['after_key'];
    if (after === undefined || buckets.length < PAGE) return found;
  }
}

function searchOf({ src, from, to }: StoredRange, after: unknown): object {
  const sources = [{ seq: { terms: { field: '_seq' } } }, { i: { terms: { field: '_i' } } }];
  const composite = { size: PAGE, sources, ...(after === undefined ? {} : { after }) };
  return {
    size: 0,
    track_total_hits: false,
    query: { bool: { filter: [{ term: { _src: src } }, { range: { _seq: { gte: from, lte: to } } }] } },
    aggs: { rows: { composite } },
  };
}

const ADVICE: ReadonlyMap<number, string> = new Map([
  [400, 'open those that are closed (_open), and see that _src, _seq and _i are mapped as in the template'],
  [403, 'allow it read and maintenance on them'],
]);

/** The JSON of an answer that tells of all shards; throws for any other. */
function completeAnswer(
  answer: Answer,
  what: string,
  indices: string,
  clock: Clock,
): Readonly<Record<string, unknown>> {
  const advice = ADVICE.get(answer.status);
  if (advice !== undefined) {
    const said = `${answer.from} does not count the rows in ${indices}`;
    throw new SinkError('hold', `HTTP ${answer.status}`, `${said}: ${advice}`);
  }
  if (answer.status !== 200) throw wholeFailure(answer, what, indices, clock);
  const json = jsonOf(answer);
  if (json !== undefined && json['timed_out'] !== true && object(json['_shards'])?.['failed'] === 0) return json;
  throw new SinkError('retry', 'BAD_ANSWER', `${answer.from} answered ${what} in part only: see _cat/shards`);
}
