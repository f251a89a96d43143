import { setTimeout as sleep } from 'node:timers/promises';
import { SEARCH_POISON } from './events.ts';
import { answerOf, type Ending, type Treatment } from './exchange.ts';
import type { Random } from './random.ts';

/*
 * What goes wrong between steptap and Elasticsearch. A bulk answer tells of every document on its own, and what it tells is consistent with what is stored
 * behind the proxy, but for the one lie that clusters do tell: a document that is stored and answered with 503.
 */

export type SearchFault =
  | 'pass'
  | 'slow'
  | 'items'
  | 'forbidden item'
  | `${'500' | '503' | '429' | 'reset' | 'hang' | 'page'} ${'before' | 'after'} commit`
  | 'cut answer';

const OF_BULKS: Readonly<Partial<Record<SearchFault, number>>> = {
  slow: 3,
  items: 14,
  'forbidden item': 0.4,
  '500 before commit': 2,
  '500 after commit': 3,
  '503 before commit': 2,
  '503 after commit': 3,
  '429 before commit': 3,
  'reset before commit': 3,
  'reset after commit': 4,
  'hang before commit': 1,
  'hang after commit': 1,
  'page after commit': 2,
  'cut answer': 3,
};

const OF_QUESTIONS: Readonly<Partial<Record<SearchFault, number>>> = {
  slow: 1,
  '503 before commit': 1,
  'cut answer': 1,
};

/** What becomes of one document of a request with the fault `items`. */
type Fate = 'good' | 'refused for now' | 'too many' | 'stored and denied';
const FATES: Readonly<Record<Fate, number>> = { good: 90, 'refused for now': 4, 'too many': 3, 'stored and denied': 3 };
const STATUS: Readonly<Partial<Record<Fate, [number, string]>>> = {
  'refused for now': [503, 'unavailable_shards_exception'],
  'too many': [429, 'es_rejected_execution_exception'],
  'stored and denied': [503, 'unavailable_shards_exception'],
};

export function kindOfSearch(_method: string, url: URL): string {
  return url.pathname.endsWith('/_bulk') ? 'bulk' : 'other';
}

export interface SearchPlan {
  readonly random: Random;
  rate: () => number;
  readonly count: (fault: string) => void;
}

interface Document {
  readonly action: string;
  readonly source: string;
  readonly id: string;
  readonly status: readonly [number, string] | undefined;
  readonly passed: boolean;
}

export function searchFaults({ random, rate, count }: SearchPlan): Treatment {
  return async (exchange, ask) => {
    const bulk = exchange.what === 'bulk';
    const faulty = random.chance((bulk ? rate() : rate() / 4) / 100);
    const fault = faulty ? random.weighted<SearchFault>(bulk ? OF_BULKS : OF_QUESTIONS) : 'pass';
    const delay = random.between(20, 400);
    if (rate() > 0) count(fault);
    if (fault === 'slow') await sleep(delay);
    if (fault.endsWith('before commit')) return endingOf(fault);
    if (!bulk) {
      await ask();
      return endingOf(fault);
    }
    const forbidden = fault === 'forbidden item' ? random.next() : undefined;
    const documents = documentsOf(exchange.body.toString('latin1'), (source) => {
      if (SEARCH_POISON.test(source)) return { status: [400, 'mapper_parsing_exception'], passed: false };
      const fate = fault === 'items' ? random.weighted<Fate>(FATES) : 'good';
      return { status: STATUS[fate], passed: fate === 'good' || fate === 'stored and denied' };
    });
    if (forbidden !== undefined) forbid(documents, forbidden);
    if (documents.every(({ status }) => status === undefined)) {
      const answer = await ask();
      return answer.status === 200 ? endingOf(fault) : answer;
    }
    const passed = documents.filter((document) => document.passed);
    const body = Buffer.from(passed.map(({ action, source }) => `${action}\n${source}\n`).join(''), 'latin1');
    let items: unknown[] = [];
    if (passed.length > 0) {
      const answer = await ask({ body });
      if (answer.status !== 200) return answer;
      items = (JSON.parse(answer.body.toString('utf8')) as { items: unknown[] }).items;
    } else if (!exchange.present()) return 'reset';
    const ending = endingOf(fault);
    return ending === 'good' ? answerOf(200, together(documents, items), JSON_TYPE) : ending;
  };
}

const JSON_TYPE = { 'content-type': 'application/json' };

/** One document, somewhere in the request: 403 holds the whole of it until somebody acts. */
function forbid(documents: Document[], where: number): void {
  const at = Math.floor(where * documents.length);
  documents[at] = { ...documents[at]!, status: [403, 'security_exception'], passed: false };
}

function documentsOf(body: string, fate: (source: string) => Pick<Document, 'status' | 'passed'>): Document[] {
  const lines = body.split('\n');
  const documents: Document[] = [];
  for (let at = 0; at + 1 < lines.length; at += 2) {
    const [action, source] = [lines[at]!, lines[at + 1]!];
    const id = /"_id":"([^"]*)"/.exec(action)?.[1] ?? '';
    documents.push({ action, source, id, ...fate(source) });
  }
  return documents;
}

/** The answer to all of them: what the cluster said of those that it saw, and what is said in its place. */
function together(documents: readonly Document[], items: unknown[]): string {
  let next = 0;
  const all = documents.map(({ id, status, passed }) => {
    const said = passed ? items[next++] : undefined;
    if (status === undefined) return said;
    return { create: { _id: id, status: status[0], error: { type: status[1], reason: 'in the way' } } };
  });
  return JSON.stringify({ took: 1, errors: true, items: all });
}

function endingOf(fault: SearchFault): Ending {
  const kind = fault.replace(/ (?:before|after) commit$/, '');
  const endings: Readonly<Record<string, Ending>> = {
    reset: 'reset',
    hang: 'hang',
    'cut answer': 'half',
    '500': answerOf(500, '{"error":{"type":"exception"},"status":500}', JSON_TYPE),
    '503': answerOf(503, '<html>upstream is not there</html>'),
    '429': answerOf(429, '{"error":{"type":"circuit_breaking_exception"},"status":429}', JSON_TYPE),
    page: answerOf(200, '<html>a page of something in between</html>'),
  };
  return endings[kind] ?? 'good';
}

/** The control: ids are taken out of the actions, and put back into the answers. */
export function withoutIds(treat: Treatment): Treatment {
  return async (exchange, ask) => {
    if (exchange.what !== 'bulk') return treat(exchange, ask);
    return treat(exchange, async (change = {}) => {
      const body = (change.body ?? exchange.body).toString('latin1');
      const ids = [...body.matchAll(/^\{"create":\{"_id":"([^"]*)"\}\}$/gm)].map(([, id]) => id);
      const without = body.replace(/^\{"create":\{"_id":"[^"]*"\}\}$/gm, '{"create":{}}');
      const answer = await ask({ ...change, body: Buffer.from(without, 'latin1') });
      if (answer.status !== 200) return answer;
      const said = JSON.parse(answer.body.toString('utf8')) as { items: { create: { _id: string } }[] };
      said.items.forEach((item, at) => (item.create._id = ids[at]!));
      return { ...answer, body: Buffer.from(JSON.stringify(said)) };
    });
  };
}
