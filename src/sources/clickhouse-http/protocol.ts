import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Intake } from '../../intake.ts';
import type { Secret } from '../../listening/secret.ts';
import type { Answer, Protocol, Read } from '../../posts/protocol.ts';
import { blank, toLines } from '../../posts/records.ts';
import { letIn } from './credentials.ts';
import { exception, inWords, PLAIN } from './exceptions.ts';
import type { ClickHouseHttpOptions } from './schema.ts';
import { senderOf } from './sender.ts';
import { readStatement, type Insert, type Statement } from './statement.ts';

/** One format under all its names. */
const FORMATS: ReadonlySet<string> = new Set(['JSONEACHROW', 'JSONLINES', 'NDJSON']);
const TAKEN = 'steptap takes INSERT INTO [database.]table FORMAT JSONEachRow';
/** Of a body that begins with its statement, no more than that is looked at for it. */
const MOST_STATEMENT = 64 << 10;
const NAME_LENGTH = 128;
const OK: Answer = { status: 200, headers: PLAIN, body: 'Ok.\n' };

/** What a request says beside its body. */
interface Asked {
  readonly request: IncomingMessage;
  readonly params: URLSearchParams;
  /** The statement, or its beginning: the rest stands in the body. A text of bytes. */
  readonly query: string;
  readonly id: string;
  readonly password: Buffer | '';
}

/** As much of ClickHouse's HTTP interface as an insert needs (https://clickhouse.com/docs/interfaces/http). */
export class ClickHouseProtocol implements Protocol {
  readonly #options: ClickHouseHttpOptions;
  readonly #secret: Secret | undefined;
  readonly #intake: Intake;

  constructor(options: ClickHouseHttpOptions, secret: Secret | undefined, intake: Intake) {
    this.#options = options;
    this.#secret = secret;
    this.#intake = intake;
  }

  begin(request: IncomingMessage): ReturnType<Protocol['begin']> {
    const { method = '', url = '' } = request;
    const [path = '', ...search] = url.split('?');
    const params = new URLSearchParams(search.join('?'));
    const asks = method === 'GET' || method === 'HEAD';
    if (asks && (path === '/ping' || (path === '/' && !params.has('query')))) return OK;
    // A URL that ends with a slash, and another one behind it.
    if (!/^\/+$/.test(path)) return { status: 404, headers: PLAIN, body: 'inserts go to /\n', told: 'inserts go to /' };
    const password = letIn(request, params, this.#options.username, this.#secret);
    if (typeof password === 'object' && 'status' in password) return password;
    const query = Buffer.from(params.get('query') ?? '').latin1Slice();
    const asked: Asked = { request, params, query, id: idOf(params), password };
    return identified(asked.id, method === 'POST' ? this.#post(asked) : notPosted(asks, query));
  }

  words(answer: Answer, doubt: boolean): Answer {
    return inWords(answer, doubt);
  }

  #post(asked: Asked): ReturnType<Protocol['begin']> {
    const { request, params, query, password } = asked;
    if (params.get('decompress') === '1') {
      return exception(
        48,
        'blocks that ClickHouse compresses itself are not read: send gzip, and say so in Content-Encoding',
      );
    }
    const statement = readStatement(query);
    // What can only be refused needs no body.
    const whole = statement.kind === 'other' ? statement.word !== '' : formatOf(statement) !== undefined;
    const refused = whole ? this.#refusal(statement, asked) : undefined;
    if (refused !== undefined) return refused;
    const key = params.get('insert_deduplication_token') || undefined;
    const from = senderOf(request, this.#intake.decode.kubernetes?.pods);
    return {
      identity: { key, beside: [password, query], compared: this.#options.deduplicate },
      read: (body) => {
        const read = this.#read(body, asked);
        return 'status' in read ? identified(asked.id, read) : { ...read, from };
      },
    };
  }

  #read(body: Buffer, asked: Asked): Omit<Read, 'from'> | Answer {
    const before = asked.query === '' ? '' : `${asked.query}\n`;
    const statement = readStatement(before + body.subarray(0, MOST_STATEMENT).latin1Slice());
    if (statement.kind === 'literal') return literal(statement.value);
    const refused = this.#refusal(statement, asked);
    if (refused !== undefined || statement.kind !== 'insert') return refused ?? exception(62, TAKEN);
    const { insert } = statement;
    // Rows may begin in the URL, and go on in the body.
    const first = before.slice(insert.end).trim();
    const rest = body.subarray(blank(body, Math.max(0, insert.end - before.length)));
    const lines = toLines(first === '' ? rest : Buffer.concat([Buffer.from(`${first}\n`, 'latin1'), rest]));
    const rows = countRows(lines);
    const { beside, ...identity } = this.#identity(insert, rows, asked);
    return {
      lines,
      stored: stored(asked.id, rows, lines.length),
      identity: { ...identity, beside: [...beside, first] },
    };
  }

  /** Why nothing of it is taken; undefined for an insert. */
  #refusal(statement: Statement, { params, request }: Asked): Answer | undefined {
    if (statement.kind === 'wrong') {
      return exception(62, `Syntax error at ${statement.at + 1}: expected ${statement.expected}; ${TAKEN}`);
    }
    if (statement.kind !== 'insert') {
      const word = statement.kind === 'literal' || statement.word === '' ? 'that' : statement.word;
      return exception(48, `${TAKEN}, and not ${word}: ask the ClickHouse that it stores in`);
    }
    const { database = databaseOf(request, params), table, format = formatSaid(request, params) } = statement.insert;
    const { tables } = this.#options;
    if (tables !== undefined && !tables.includes(table) && !tables.includes(`${database}.${table}`)) {
      const name = `${database}.${table}`.slice(0, NAME_LENGTH);
      return exception(60, `Table ${name} does not exist: it is not among the tables of this source`);
    }
    if (FORMATS.has(format.toUpperCase())) return undefined;
    const named = format === '' ? 'No format is said' : `Unknown format ${format.slice(0, NAME_LENGTH)}`;
    return exception(73, `${named}: ${TAKEN}`);
  }

  #identity(
    { database, table, settings }: Insert,
    rows: number,
    { request, params, password }: Asked,
  ): Read['identity'] {
    const said = (name: string): string => settings.get(name) ?? params.get(name) ?? '';
    const beside = [password, database ?? databaseOf(request, params), table];
    const alone = rows === 1 && /^python-urllib\//i.test(request.headers['user-agent'] ?? '');
    const compared = this.#options.deduplicate && !alone && said('insert_deduplicate') !== '0';
    return { key: said('insert_deduplication_token') || undefined, beside, compared };
  }
}

/** Of a request that is no post: it may ask whether somebody is there. */
function notPosted(asks: boolean, query: string): Answer {
  const statement = readStatement(query);
  if (asks && statement.kind === 'literal') return literal(statement.value);
  const headers = { allow: 'GET, HEAD, POST' };
  return exception(164, 'what is asked by another method than POST is read-only: insert by POST', headers);
}

function literal(value: string): Answer {
  return { status: 200, headers: { ...PLAIN, 'x-clickhouse-format': 'TabSeparated' }, body: `${value}\n` };
}

function stored(id: string, rows: number, bytes: number): Answer {
  const none = { read_rows: '0', read_bytes: '0' };
  const written = { written_rows: String(rows), written_bytes: String(bytes) };
  const summary = { ...none, ...written, result_rows: String(rows), result_bytes: String(bytes) };
  const answer = { status: 200, headers: { ...PLAIN, 'x-clickhouse-summary': JSON.stringify(summary) } };
  return identified(id, answer);
}

/** With what clients look at in every answer to a statement. */
function identified<What extends object>(id: string, what: What | Answer): What | Answer {
  return 'status' in what ? { ...what, headers: { ...what.headers, 'x-clickhouse-query-id': id } } : what;
}

/** What a client calls its query, if it can stand in a header. */
function idOf(params: URLSearchParams): string {
  const said = params.get('query_id') ?? '';
  return /^[!-~]{1,128}$/.test(said) ? said : randomUUID();
}

function databaseOf({ headers }: IncomingMessage, params: URLSearchParams): string {
  return params.get('database') || String(headers['x-clickhouse-database'] ?? '') || 'default';
}

function formatOf(statement: Statement): string | undefined {
  return statement.kind === 'insert' ? statement.insert.format : undefined;
}

/** Where a statement says none. */
function formatSaid({ headers }: IncomingMessage, params: URLSearchParams): string {
  return params.get('default_format') ?? String(headers['x-clickhouse-format'] ?? '');
}

function countRows(lines: Buffer): number {
  let rows = 0;
  for (let start = 0; start < lines.length;) {
    const newline = lines.indexOf(10, start);
    const end = newline === -1 ? lines.length : newline;
    if (end > start) rows++;
    start = end + 1;
  }
  return rows;
}
