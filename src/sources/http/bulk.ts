import { parseObject } from '../../json.ts';

/*
 * As much of Elasticsearch's HTTP interface as a sender needs that has no other output, such as Filebeat: who are you, and `_bulk`
 * (https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk). Documents are records like those of any request; the index that they were meant for is not looked at.
 */

/** The version that is told: the newest that senders of all 8.x and 9.x accept, with `allow_older_versions`. */
const VERSION = '8.14.3';
const PRODUCT = { 'content-type': 'application/json', 'x-elastic-product': 'Elasticsearch' } as const;
/** An action is short; a longer line is a document. */
const LONGEST_ACTION = 4096;
const ACTIONS: ReadonlySet<string> = new Set(['create', 'index']);
const NEWLINE = 10;

export interface Reply {
  readonly status: 200;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The answer to a question of a sender that looks whom it talks to; undefined for any other. */
export function greeting(method: string, path: string): Reply | undefined {
  if (method !== 'GET' && method !== 'HEAD') return undefined;
  if (path === '/') {
    const version = { number: VERSION, build_flavor: 'default', lucene_version: '9.10.0' };
    return reply({ name: 'steptap', cluster_name: 'steptap', cluster_uuid: 'steptap', version, tagline: 'steptap' });
  }
  if (path === '/_license')
    return reply({ license: { status: 'active', uid: 'steptap', type: 'basic', mode: 'basic' } });
  return undefined;
}

export function isBulk(path: string): boolean {
  return /^(?:\/[^/]+)?\/_bulk$/.test(path);
}

/** The documents of a bulk request, one a line, and the answer for when they are stored: one item for each action. */
export function fromBulk(body: Buffer): { lines: Buffer; stored: Reply } {
  const items: string[] = [];
  const documents: Buffer[] = [];
  for (let start = 0; start < body.length;) {
    const newline = body.indexOf(NEWLINE, start);
    const end = newline === -1 ? body.length : newline + 1;
    const line = body.subarray(start, end);
    const action = actionOf(line);
    if (action === undefined) documents.push(line);
    else items.push(`{"${action}":{"status":201}}`);
    start = end;
  }
  const body_of_answer = `{"took":1,"errors":false,"items":[${items.join(',')}]}`;
  return { lines: Buffer.concat(documents), stored: { status: 200, headers: PRODUCT, body: body_of_answer } };
}

/** `create` or `index`, of a line that says what is to be done with the next one. */
function actionOf(line: Buffer): string | undefined {
  if (line.length > LONGEST_ACTION || line[0] !== 0x7b) return undefined;
  const entries = Object.entries(parseObject(line.toString('utf8').trimEnd()) ?? {});
  const [name, value] = entries[0] ?? ['', undefined];
  return entries.length === 1 && ACTIONS.has(name) && typeof value === 'object' && value !== null ? name : undefined;
}

function reply(value: object): Reply {
  return { status: 200, headers: PRODUCT, body: JSON.stringify(value) };
}
