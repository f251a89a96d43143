import type { Table } from '../../batch.ts';
import type { CheckItem } from '../../check/item.ts';
import { EVENT_TABLES, KEYED_TABLES } from '../../fields.ts';
import { Body } from '../identity.ts';
import {
  tablesOf,
  type Outcome,
  type Part,
  type Sink,
  type SinkContext,
  type StoredRange,
  type StoredRecord,
} from '../sink.ts';
import { FAILURE_STORE, readBulk } from './answer.ts';
import { bulkPath, encodeBulk, encodeUnindexed, sentRows, type SentRow } from './bulk.ts';
import { checkElasticsearch } from './check.ts';
import { wholeFailure } from './errors.ts';
import { SearchHttp } from './http.ts';
import { byDay } from './keyed.ts';
import { openCluster } from './open.ts';
import { elasticsearchOptions, type ElasticsearchOptions } from './schema.ts';
import { recordsOf } from './stored.ts';
import { indexName } from './template.ts';

export { ELASTICSEARCH_DEFAULTS, elasticsearchOptions, type ElasticsearchOptions } from './schema.ts';

/**
 * Elasticsearch and OpenSearch: a row is a document, made with `create` under an id that says where in the spool the row stands; one of a keyed table is written under its key, see keyed.ts.
 *
 * A part goes as several bodies, one after the other. When one fails, the whole part fails and is sent again: the documents of the
 * bodies before it are answered with 409, which counts as stored, and what they refused is refused again. So what becomes of a part
 * depends on its last send alone, and nothing has to be remembered between sends but the ids, which are in the rows.
 *
 * Throws when the options make no sense; everything later is a SinkError.
 */
export function createElasticsearchSink(options: ElasticsearchOptions, context: SinkContext): Sink {
  const { urls, prefix } = elasticsearchOptions.properties;
  for (const url of options.urls) {
    if (new RegExp(urls.items.pattern).test(url) && URL.canParse(url)) continue;
    throw new Error('elasticsearch: one of `urls` is not an address: write https://host:9200');
  }
  if (!new RegExp(prefix.pattern).test(options.prefix) || options.prefix.length > prefix.maxLength) {
    throw new Error(
      'elasticsearch: `prefix` begins an index name: lower case letters, digits, and - _ . after the first',
    );
  }
  return new ElasticsearchSink(options, context);
}

const SMALLEST_BODY = 1_000;

class ElasticsearchSink implements Sink {
  readonly name: string;
  readonly tables: ReadonlySet<Table>;
  readonly replaces = KEYED_TABLES;
  readonly #options: ElasticsearchOptions;
  readonly #context: SinkContext;
  readonly #http: SearchHttp;
  readonly #body: Body;
  /** Shrinks when the cluster, or a proxy before it, finds a body too large. */
  #max_body_bytes: number;
  #cluster = 'Elasticsearch';

  constructor(options: ElasticsearchOptions, context: SinkContext) {
    this.name = context.name ?? 'elasticsearch';
    this.tables = tablesOf(EVENT_TABLES, context.tables);
    this.#options = options;
    this.#context = context;
    this.#http = new SearchHttp(options, context);
    this.#max_body_bytes = options.max_body_bytes;
    // As large from the start: pages nobody writes cost nothing, and outgrown ones lie about until V8 collects them.
    this.#body = new Body(options.max_body_bytes);
  }

  async open(signal: AbortSignal): Promise<void> {
    const { flavour, version } = await openCluster(this.#http, this.#options, this.#context, signal);
    this.#cluster = `${flavour === 'opensearch' ? 'OpenSearch' : 'Elasticsearch'} ${version}`;
  }

  check(signal: AbortSignal): Promise<CheckItem[]> {
    const { clock, environment, declared } = this.#context;
    return checkElasticsearch(this.#options, { clock, environment, declared, tables: [...this.tables] }, signal);
  }

  async send(part: Part, signal: AbortSignal): Promise<Outcome> {
    const days = KEYED_TABLES.has(part.table) ? byDay(part) : new Map([[part.day, part]]);
    const outcomes: Outcome[] = [];
    for (const [day, own] of days) outcomes.push(...(await this.#sendTo(day, own, signal)));
    return together(outcomes);
  }

  /** Sends the part to the index of that day, in as many bodies as it takes. */
  async #sendTo(day: string, part: Part, signal: AbortSignal): Promise<Outcome[]> {
    const index = indexName(this.#options.prefix, part.table, day);
    const outcomes: Outcome[] = [];
    for (let first = 0; first < part.count;) {
      const end = encodeBulk(part, this.#body, first, this.#max_body_bytes);
      if (this.#body.length > 0) {
        const from = first;
        const sent = (): SentRow[] => sentRows(part, from, end);
        const outcome = await this.#post(index, this.#body.view(), sent, signal);
        outcomes.push(await this.#rescue(index, sent, outcome, signal));
      }
      first = end;
    }
    return outcomes;
  }

  /** In all indices of the table, whatever the day. The indices have to have our mapping: `create_template: never` may mean others. */
  stored(range: StoredRange, signal: AbortSignal): Promise<Map<number, StoredRecord>> {
    return recordsOf(range, this.#options.prefix, this.#http, this.#context.clock, signal);
  }

  describe(): string {
    return `${this.#cluster} at ${this.#http.address}`;
  }

  async close(): Promise<void> {
    this.#http.close();
  }

  async #post(index: string, body: Buffer, sent: () => readonly SentRow[], signal: AbortSignal): Promise<Outcome> {
    const { clock } = this.#context;
    const call = { method: 'POST', path: bulkPath(index), type: 'application/x-ndjson', body } as const;
    const answer = await this.#http.request(call, signal);
    if (answer.status === 200) return readBulk(answer, sent, index, clock);
    // The lane halves this part; later parts must not run into the same limit again.
    if (answer.status === 413)
      this.#max_body_bytes = Math.max(SMALLEST_BODY, Math.min(this.#max_body_bytes, body.length >> 1));
    throw wholeFailure(answer, 'a bulk request', index, clock);
  }

  /** Sends rows that the mapping refused once more, with their objects not indexed. Gives what then became of all the rows. */
  async #rescue(index: string, sent: () => SentRow[], first: Outcome, signal: AbortSignal): Promise<Outcome> {
    const refused = new Set(first.rejected.filter(({ code }) => code !== FAILURE_STORE).map(({ row }) => row));
    if (refused.size === 0) return first;
    const rows = sent().flatMap((row) => {
      const bytes = refused.has(row.row) ? encodeUnindexed(row) : undefined;
      return bytes === undefined ? [] : { ...row, bytes };
    });
    if (rows.length === 0) return first;
    const second = await this.#post(index, Buffer.concat(rows.map(({ bytes }) => bytes)), () => rows, signal);
    const tried = new Set(rows.map(({ row }) => row));
    return together([{ ...first, rejected: first.rejected.filter(({ row }) => !tried.has(row)) }, second]);
  }
}

/** Outcomes of different rows as one, rejections in the order of the rows. */
function together(outcomes: readonly Outcome[]): Outcome {
  const rejected = outcomes.flatMap((outcome) => outcome.rejected).sort((a, b) => a.row - b.row);
  const again = outcomes.flatMap((outcome) => outcome.again).sort((a, b) => a - b);
  const retry_after_ms = Math.max(...outcomes.map((outcome) => outcome.retry_after_ms ?? -1));
  return retry_after_ms < 0 ? { rejected, again } : { rejected, again, retry_after_ms };
}
