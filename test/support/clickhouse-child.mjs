// The child process behind clickhouse-server.ts: the real ClickHouse engine (chdb) behind enough of ClickHouse's HTTP
// interface for @clickhouse/client. Started by clickhouse-server.ts only; options come as one JSON argument.
//
// - Every request gets a native connection of its own: `SET` sticks to a connection, so this is what keeps the settings
//   and the parameters of one request out of the next. Connections on one path share one engine and one set of data.
// - chdb ends the data of an INSERT at the first empty line and runs what follows as SQL. A body with an empty line in it,
//   or in a binary format, therefore goes through a file (`FROM INFILE`), which takes it byte for byte.
// - chdb runs several statements separated by `;`, a server refuses that over HTTP: refused here too.
// - chdb gives every query an id of its own. The client's id is kept as the query's `log_comment`, and where a statement asks
//   system.processes or kills, `query_id` is read from there. Which queries run, and what KILL QUERY does to them, is the engine's doing.

import { createHash, randomUUID, timingSafeEqual } from 'node:crypto';
import { rmSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { hostname, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, gzip, inflate } from 'node:zlib';

/** @type {{ path: string, port: number, owned: boolean, user: string, password?: string }} */
const options = JSON.parse(process.argv[2] ?? '{}');

const require = createRequire(import.meta.url);
const native = require(join(dirname(require.resolve('chdb')), 'dist/loader.js')).loadNative();

// Parameters of the HTTP interface itself: everything else in the URL is a setting.
const RESERVED = new Set([
  'query',
  'database',
  'default_format',
  'query_id',
  'user',
  'password',
  'quota_key',
  'wait_end_of_query',
  'buffer_size',
  'stacktrace',
  'role',
  'client_protocol_version',
  'compress',
  'decompress',
  'session_id',
  'session_timeout',
  'session_check',
  'close_session',
]);
// What the shim cannot do, refused instead of silently ignored.
const UNSUPPORTED = ['session_id', 'role', 'compress', 'decompress'];

// ClickHouse's exceptionCodeToHTTPStatus; anything else is 500.
const STATUS = new Map(
  Object.entries({
    400: [6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123, 167, 168, 223, 321, 376, 427, 441, 675, 676],
    401: [194],
    403: [192, 193, 497, 512, 516],
    404: [46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511],
    408: [159],
    411: [381],
    413: [229],
    415: [779],
    501: [48],
    503: [76, 209, 439],
  }).flatMap(([status, codes]) => codes.map((code) => [code, Number(status)])),
);

class EngineError extends Error {
  /** @param {number} code @param {string} name @param {string} text */
  constructor(code, name, text) {
    super(`Code: ${code}. DB::Exception: ${text} (${name})`);
    this.code = code;
  }
}

const base = native.CreateConnection(options.path);
const version = native.QueryWithConnection(base, 'SELECT version()', 'TSVRaw').trim();
const timezone = native.QueryWithConnection(base, 'SELECT timezone()', 'TSVRaw').trim();
const running = new Set();
let active = 0;
let closing = false;

/** Down to `Code: N. DB::Exception: text. (NAME)`: chdb puts words before it or says parts of it twice for some. */
function asEngineError(error) {
  if (error instanceof EngineError) return error;
  let message = (error instanceof Error ? error.message : String(error)).replace(/^Query failed: /, '');
  const twice = /^Code: \d+\. DB::Exception: (Code: \d+\. DB::Exception: .*) \(version [^()]*\)\. \([A-Z0-9_]+\)\s*$/s;
  message = (twice.exec(message)?.[1] ?? message).trimEnd();
  const code = Number(/^Code: (\d+)\./.exec(message)?.[1] ?? 1002);
  const made = new EngineError(code, 'UNKNOWN_EXCEPTION', message);
  if (/^Code: \d+\./.test(message)) made.message = message;
  return made;
}

const literal = (value) => `'${value.replace(/[\\']/g, '\\$&')}'`;
const identifier = (value) => `\`${value.replace(/[\\`]/g, '\\$&')}\``;

/**
 * Reads the statement up to where the data of an INSERT begins. `text` holds one character for each byte, so that the
 * offsets are offsets into the body.
 */
function scan(text) {
  let depth = 0;
  let first;
  let dataAt; // where the data begins
  let clauseAt; // where FROM INFILE would have to stand
  let format;
  let select = false;
  let end; // the first `;` of the top level
  let inputFunction = false; // INSERT ... SELECT ... FROM input(...) FORMAT ...
  const token =
    /--[^\n]*|#[! ][^\n]*|\/\*[\s\S]*?\*\/|'(?:[^'\\]|\\[\s\S]|'')*'|"(?:[^"\\]|\\[\s\S])*"|`(?:[^`\\]|\\[\s\S])*`|[A-Za-z_][A-Za-z0-9_]*|[()[\]{};]|\S/y;
  for (let at = 0; at < text.length;) {
    if (/\s/.test(text[at])) {
      at += 1;
      continue;
    }
    token.lastIndex = at;
    const found = token.exec(text)?.[0] ?? text[at];
    const start = at;
    at += found.length;
    if (/^(?:--|#[! ]|\/\*.)/s.test(found)) continue;
    if (end !== undefined) return { first, multi: true };
    if ('([{'.includes(found)) depth += 1;
    else if (')]}'.includes(found)) depth -= 1;
    else if (found === ';' && depth === 0) end = start;
    if (!/^[A-Za-z_]/.test(found)) {
      first ??= '';
      continue;
    }
    const word = found.toUpperCase();
    const previous = first;
    first ??= word;
    if (first !== 'INSERT') continue;
    if (word === 'INPUT' && select) inputFunction = true;
    if (depth !== 0 || previous === undefined) continue;
    if (word === 'SELECT' || word === 'WITH') select = true;
    if (select) continue;
    if (word === 'SETTINGS') clauseAt ??= start;
    if (word === 'VALUES' || word === 'FORMAT') {
      clauseAt ??= start;
      const rest = /^\s*([A-Za-z_][A-Za-z0-9_]*)?/.exec(text.slice(at, at + 1000));
      if (word === 'FORMAT') {
        if (rest?.[1] === undefined) continue; // a column or a table of that name
        format = rest[1];
        at += rest[0].length;
      } else {
        format = 'Values';
      }
      dataAt = at;
      break;
    }
  }
  return { first, dataAt, clauseAt, format, values: format === 'Values', inputFunction, multi: false, end };
}

const TEXT_FORMATS = /^(?:Values|(?:JSON|CSV|TSV|TabSeparated|CustomSeparated|LineAsString|Regexp|TSKV|Template)\w*)$/i;

/** @returns {Promise<{ bytes?: Uint8Array, rowsRead?: number, bytesRead?: number, rowsWritten?: number, bytesWritten?: number, elapsed: number }>} */
async function run(connection, query, body, format) {
  // With ?query= the statement is there and the body is its data; without, both are in the body.
  const head = query === null ? body : Buffer.from(body.length > 0 ? `${query}\n` : query);
  const found = scan(head.toString('latin1'));
  if (found.first === undefined) {
    throw new EngineError(62, 'SYNTAX_ERROR', 'Syntax error: failed at position 1 (end of query): . Empty query.');
  }
  if (found.multi) {
    throw new EngineError(
      62,
      'SYNTAX_ERROR',
      'Syntax error (Multi-statements are not allowed): ; is followed by more.',
    );
  }
  if (found.dataAt === undefined) {
    if (found.inputFunction) throw new EngineError(48, 'NOT_IMPLEMENTED', 'chdb shim: input() cannot be used here.');
    const text = (query === null ? head : Buffer.concat([head, body])).toString('utf8');
    // INSERT ... SELECT: this way the number of the rows written is told.
    if (found.first === 'INSERT') return native.InsertRawAsyncConnection(connection, text, Buffer.alloc(0), false);
    return native.QueryAsyncConnection(connection, withQueryIds(text), format);
  }

  const statement = head.subarray(0, found.dataAt).toString('utf8');
  const rest = head.subarray(found.dataAt);
  const skip = /^[ \t\r]*\n?/.exec(rest.subarray(0, 1000).toString('latin1'))?.[0].length ?? 0;
  const inline = rest.subarray(skip);
  const data = query === null ? inline : inline.length === 0 ? body : Buffer.concat([inline, body]);
  const text = TEXT_FORMATS.test(found.format ?? '');

  if (data.length === 0 || (text && /^\s*$/.test(data.subarray(0, 4096).toString('latin1')) && data.length <= 4096)) {
    // A server takes an INSERT without data over HTTP: checked, nothing written.
    native.QueryWithConnection(connection, 'SET throw_if_no_data_to_insert = 0', 'TSV');
    const checked = found.values ? statement.replace(/values$/i, 'FORMAT JSONEachRow') : statement;
    return native.InsertRawAsyncConnection(connection, `${checked}\n`, Buffer.alloc(0), false);
  }
  if (text && (found.values || !(data.includes('\n\n') || data[0] === 0x0a))) {
    // The native side puts the newline between the statement and the data, and keeps `data` until the promise settles.
    return native.InsertRawAsyncConnection(connection, statement, data, false);
  }
  const file = join(tmpdir(), `steptap-clickhouse-body-${randomUUID()}`);
  await writeFile(file, data);
  try {
    const at = Buffer.from(head.subarray(0, found.clauseAt)).toString('utf8');
    const sql = `${at} FROM INFILE ${literal(file)} COMPRESSION 'none' ${statement.slice(at.length)}`;
    const result = await native.QueryAsyncConnection(connection, sql, format);
    return { elapsed: result.elapsed, rowsWritten: result.rowsRead, bytesWritten: result.bytesRead };
  } catch (error) {
    const clean = asEngineError(error);
    clean.message = clean.message
      .replaceAll(`(in file/uri ${file}): `, '')
      .replaceAll(': While executing File: data for INSERT was parsed from file', '');
    throw clean;
  } finally {
    await rm(file, { force: true });
  }
}

/** The statement, with the clients' query ids where the engine's own would stand. */
function withQueryIds(statement) {
  const id = "Settings['log_comment']";
  if (/^\s*KILL\s+QUERY\b/i.test(statement)) return statement.replace(/\bquery_id\b/g, id);
  const processes = `(SELECT * REPLACE (${id} AS query_id) FROM system.processes)`;
  return /^\s*SELECT\b/i.test(statement) ? statement.replace(/\bsystem\.processes\b/g, processes) : statement;
}

const digest = (value) => createHash('sha256').update(value).digest();

function authenticate(request, url) {
  if (options.password === undefined) return;
  let user = url.searchParams.get('user') ?? request.headers['x-clickhouse-user'];
  let password = url.searchParams.get('password') ?? request.headers['x-clickhouse-key'];
  const basic = /^Basic (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (basic !== undefined) {
    const pair = Buffer.from(basic, 'base64').toString('utf8');
    const colon = pair.indexOf(':');
    user = colon < 0 ? pair : pair.slice(0, colon);
    password = colon < 0 ? '' : pair.slice(colon + 1);
  }
  user ||= 'default';
  if (user === options.user && timingSafeEqual(digest(password ?? ''), digest(options.password))) return;
  throw new EngineError(
    516,
    'AUTHENTICATION_FAILED',
    `${user}: Authentication failed: password is incorrect, or there is no user with such name.`,
  );
}

async function readBody(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const raw = Buffer.concat(chunks);
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding === 'identity' || encoding === '') return raw;
  const decoder = { gzip: gunzip, deflate: inflate, br: brotliDecompress }[encoding];
  if (decoder === undefined) throw new EngineError(48, 'NOT_IMPLEMENTED', `Unknown compression method ${encoding}.`);
  return promisify(decoder)(raw);
}

function summary(result, elapsed) {
  const written = String(result.rowsWritten ?? 0);
  const writtenBytes = String(result.bytesWritten ?? 0);
  const insert = result.rowsWritten !== undefined;
  return JSON.stringify({
    read_rows: insert ? written : String(result.rowsRead ?? 0),
    read_bytes: insert ? writtenBytes : String(result.bytesRead ?? 0),
    written_rows: written,
    written_bytes: writtenBytes,
    total_rows_to_read: '0',
    result_rows: insert ? written : String(result.rowsRead ?? 0),
    result_bytes: insert ? writtenBytes : String(result.bytesRead ?? 0),
    elapsed_ns: String(elapsed),
  });
}

async function answer(request, url, body, queryId) {
  const parameters = url.searchParams;
  for (const name of UNSUPPORTED) {
    if (parameters.has(name) && parameters.get(name) !== '0') {
      throw new EngineError(48, 'NOT_IMPLEMENTED', `chdb shim: the parameter ${name} is not supported.`);
    }
  }
  if (running.has(queryId)) {
    throw new EngineError(
      216,
      'QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING',
      `Query with id = ${queryId} is already running.`,
    );
  }
  const settings = [`log_comment = ${literal(queryId)}`];
  for (const [name, value] of parameters) {
    if (RESERVED.has(name)) continue;
    // An identifier nothing but a setting can be: the value is quoted, the name must not have to be.
    if (!/^[A-Za-z_][A-Za-z0-9_.]*$/.test(name)) {
      throw new EngineError(115, 'UNKNOWN_SETTING', `Unknown setting '${name}'.`);
    }
    settings.push(`${name} = ${literal(value)}`);
  }
  const database = parameters.get('database') || request.headers['x-clickhouse-database'] || undefined;
  const format = parameters.get('default_format') || request.headers['x-clickhouse-format'] || 'TabSeparated';

  running.add(queryId);
  const connection = native.CreateConnection(options.path);
  try {
    if (database !== undefined) native.QueryWithConnection(connection, `USE ${identifier(database)}`, 'TSV');
    if (settings.length > 0) native.QueryWithConnection(connection, `SET ${settings.join(', ')}`, 'TSV');
    // A GET must not change anything.
    if (request.method === 'GET') native.QueryWithConnection(connection, 'SET readonly = 2', 'TSV');
    return await run(connection, parameters.get('query'), body, format);
  } finally {
    native.CloseConnection(connection);
    running.delete(queryId);
  }
}

async function handle(request, response) {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const parameters = url.searchParams;
  const plain = { 'Content-Type': 'text/html; charset=UTF-8' };
  if (request.method === 'GET' || request.method === 'HEAD') {
    if (url.pathname === '/ping' || (url.pathname === '/' && !parameters.has('query'))) {
      response.writeHead(200, plain).end('Ok.\n');
      return;
    }
  }
  if (url.pathname !== '/') {
    response.writeHead(404, plain).end(`There is no handle ${url.pathname}\n`);
    return;
  }
  const queryId = parameters.get('query_id') || request.headers['x-clickhouse-query-id'] || randomUUID();
  const headers = {
    'X-ClickHouse-Query-Id': queryId,
    'X-ClickHouse-Server-Display-Name': hostname(),
    'X-ClickHouse-Timezone': timezone,
  };
  const start = process.hrtime.bigint();
  try {
    const body = await readBody(request);
    authenticate(request, url);
    const result = await answer(request, url, body, queryId);
    let bytes = Buffer.from(result.bytes ?? []);
    if (
      parameters.get('enable_http_compression') === '1' &&
      /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''))
    ) {
      bytes = await promisify(gzip)(bytes);
      headers['Content-Encoding'] = 'gzip';
    }
    headers['Content-Type'] = 'text/plain; charset=UTF-8';
    headers['X-ClickHouse-Summary'] = summary(result, process.hrtime.bigint() - start);
    response.writeHead(200, headers).end(bytes);
  } catch (thrown) {
    if (request.errored) return; // the client left in the middle of its body: nothing was run
    const error = asEngineError(thrown);
    headers['Content-Type'] = 'text/plain; charset=UTF-8';
    headers['X-ClickHouse-Exception-Code'] = String(error.code);
    headers['X-ClickHouse-Summary'] = summary({}, process.hrtime.bigint() - start);
    response
      .writeHead(STATUS.get(error.code) ?? 500, headers)
      .end(`${error.message} (version ${version} (official build))\n`);
  }
}

const server = createServer((request, response) => {
  active += 1;
  void handle(request, response)
    .catch((error) => {
      process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
      response.destroy();
    })
    .finally(() => {
      active -= 1;
      if (closing && active === 0) leave();
    });
});
server.keepAliveTimeout = 10_000;
server.requestTimeout = 0;

function leave() {
  native.CloseConnection(base);
  process.exit(0);
}

process.on('SIGTERM', () => {
  closing = true;
  server.close();
  server.closeIdleConnections();
  if (active === 0) leave();
});

// The parent holds the other end: it closes when the parent is gone, however it went.
process.stdin.resume();
process.stdin.on('close', () => {
  if (options.owned) rmSync(options.path, { recursive: true, force: true });
  process.kill(process.pid, 'SIGKILL');
});

server.on('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
server.listen(options.port, '127.0.0.1', () => {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : options.port;
  process.stdout.write(`clickhouse-child ready ${port}\n`);
});
