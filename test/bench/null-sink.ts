import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/*
 * A ClickHouse and an Elasticsearch that keep nothing and count everything: a child process, so that its CPU is not steptap's. Started by sinks.ts, which
 * it tells its ports, and which asks it for the counts; it ends with its parent.
 */

/** What one of them was given. */
export interface Counts {
  readonly requests: number;
  /** Rows of INSERTs, or documents of bulk requests. */
  readonly rows: number;
  /** Sum of their `wall_time_s`, in milliseconds. */
  readonly wall_ms: number;
  readonly bytes: number;
}

export interface SinkCounts {
  readonly clickhouse: Counts;
  readonly elasticsearch: Counts;
}

export type Told = { readonly ports: readonly [number, number] } | SinkCounts;
export type Asked = 'counts' | 'reset';

const WALL = Buffer.from('"wall_time_s":');
const NEWLINE = 10;
const ZERO = 48;
const DOT = 46;

class Counter implements Counts {
  requests = 0;
  rows = 0;
  wall_ms = 0;
  bytes = 0;
  /** A bulk request has two lines for each document. */
  readonly #lines_a_row: number;

  constructor(lines_a_row: number) {
    this.#lines_a_row = lines_a_row;
  }

  add(body: Buffer): void {
    let lines = 0;
    for (let at = body.indexOf(NEWLINE); at !== -1; at = body.indexOf(NEWLINE, at + 1)) lines += 1;
    this.requests += 1;
    this.rows += lines / this.#lines_a_row;
    this.bytes += body.length;
    // In a string of a row its quotes would be behind backslashes.
    for (let at = body.indexOf(WALL); at !== -1; at = body.indexOf(WALL, at)) {
      at += WALL.length;
      this.wall_ms += milliseconds(body, at);
    }
  }

  reset(): void {
    this.requests = this.rows = this.wall_ms = this.bytes = 0;
  }
}

/** A number of seconds with at most three decimals, exactly. */
function milliseconds(body: Buffer, start: number): number {
  let value = 0;
  let decimals = -1;
  for (let at = start; ; at++) {
    const byte = body[at]!;
    if (byte === DOT) decimals = 0;
    else if (byte >= ZERO && byte <= ZERO + 9) {
      value = value * 10 + byte - ZERO;
      if (decimals >= 0) decimals += 1;
    } else return value * 10 ** (3 - Math.max(decimals, 0));
  }
}

const counters = { clickhouse: new Counter(1), elasticsearch: new Counter(2) };
/** A body is answered as if it had come over a line of so many bytes a second; 0 is at once. */
const bytes_per_second = Number(process.argv[2] ?? 0);

async function read(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function take(counter: Counter, body: Buffer): Promise<void> {
  counter.add(body);
  if (bytes_per_second > 0) await sleep((body.length / bytes_per_second) * 1000);
}

async function clickhouse(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { searchParams } = new URL(request.url ?? '/', 'http://localhost');
  const body = await read(request);
  if (searchParams.get('query')?.startsWith('INSERT') === true) await take(counters.clickhouse, body);
  response.end();
}

const BANNER = { name: 'null', version: { number: '8.15.0' }, tagline: 'You Know, for Search' };
const STORED = '{"took":1,"errors":false,"items":[]}';

async function elasticsearch(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://localhost');
  const body = await read(request);
  const bulk = pathname.endsWith('/_bulk');
  if (bulk) await take(counters.elasticsearch, body);
  response.setHeader('content-type', 'application/json');
  response.setHeader('x-elastic-product', 'Elasticsearch');
  response.end(bulk ? STORED : pathname === '/' ? JSON.stringify(BANNER) : '{"acknowledged":true}');
}

async function listen(answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>): Promise<number> {
  const server: Server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return (server.address() as AddressInfo).port;
}

const tell = (message: Told): void => void process.send?.(message);
process.on('message', (asked: Asked) => {
  if (asked === 'reset') for (const counter of Object.values(counters)) counter.reset();
  tell(counters);
});
process.on('disconnect', () => process.exit());
tell({ ports: [await listen(clickhouse), await listen(elasticsearch)] });
