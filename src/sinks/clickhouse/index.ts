import { randomBytes } from 'node:crypto';
import type { Table } from '../../batch.ts';
import type { CheckItem } from '../../check/item.ts';
import { EVENT_TABLES, KEYED_TABLES } from '../../fields.ts';
import { outgoing } from '../../outgoing/index.ts';
import { Body, columnIdentity, writeRows } from '../identity.ts';
import {
  SinkError,
  STORED,
  tablesOf,
  type Auditable,
  type Found,
  type Outcome,
  type Part,
  type Sink,
  type SinkContext,
} from '../sink.ts';
import { checkClickHouse } from './check.ts';
import { connect, type Connection } from './connect.ts';
import { identifier, onCluster, qualified } from './ddl.ts';
import { elsewhere } from './errors.ts';
import type { Ask } from './exchange.ts';
import { copiesOf, lagsBehind, recordsOf, type Place } from './found.ts';
import { writeLegacyRows } from './legacy.ts';
import { ways } from './login.ts';
import { prepare, type Prepared } from './prepare.ts';
import { endEverywhere } from './running.ts';
import type { ClickHouseOptions } from './schema.ts';
import { askingSettings, insertSettings, pinned } from './settings.ts';

export { EMBEDDED_UNAVAILABLE } from './errors.ts';
export { createStatements } from './ddl.ts';
export { CLICKHOUSE_DEFAULTS, clickhouseOptions, fromEnvironment, type ClickHouseOptions } from './schema.ts';

/**
 * Stores rows in ClickHouse, over HTTP or in the embedded engine: the same statements and the same bytes.
 *
 * A part is one INSERT into one partition, under the part's token. ClickHouse stores it whole or not at all, and a second time under the same
 * token not at all: so a part may be sent again whenever there is doubt, with the same bytes. That holds as long as all `urls` are
 * replicas of the same tables (tokens are then in Keeper), and fewer than 10,000 other inserts came between.
 *
 * Throws when the options make no sense; everything later is a SinkError.
 */
export function createClickHouseSink(options: ClickHouseOptions, context: SinkContext): Sink {
  if ((options.path === undefined) === (options.urls.length === 0)) {
    throw new Error('clickhouse: give either `urls` of a server or the `path` of the embedded engine');
  }
  for (const url of options.urls) {
    // Not quoted: there may be a password in it.
    if (!isAddress(url)) throw new Error('clickhouse: one of `urls` is not an address: write https://host:8443');
  }
  // Throws when they make no sense together.
  outgoing(ways(options), context);
  identifier(options.database);
  identifier(options.table ?? 'steps');
  onCluster(options.cluster);
  return new ClickHouseSink(options, context);
}

/** A part with its leads: as large from the start, since pages nobody writes cost nothing, and outgrown ones lie about until V8 collects them. */
const LARGEST_BODY = 9 << 20;
/** A part is 8 MiB; one row may be larger, and must not pin its size for good. */
const LARGEST_BODY_KEPT = 32 << 20;

/** A server takes 256 KiB of a statement, and of what a table is by now, unless it is told otherwise: a thousand columns with their comments are more. */
const MANY_COLUMNS = 200;
const LARGEST_STATEMENT = 64 << 20;

class ClickHouseSink implements Sink {
  readonly name: string;
  readonly lane: string;
  readonly tables: ReadonlySet<Table>;
  readonly replaces = KEYED_TABLES;
  readonly #options: ClickHouseOptions;
  readonly #context: SinkContext;
  #connections: readonly Connection[] = [];
  /** The connection that last worked. */
  #current = 0;
  #server: Prepared = { version: '', settings: pinned([]), asking: askingSettings([]) };
  #body = new Body(LARGEST_BODY);
  /** Absent for flytekit's own table, whose rows have no identity. */
  readonly find?: NonNullable<Sink['find']>;
  readonly stored?: Auditable['stored'];

  constructor(options: ClickHouseOptions, context: SinkContext) {
    this.#options = options;
    this.#context = context;
    this.name = context.name ?? 'clickhouse';
    this.tables = tablesOf(options.table === undefined ? EVENT_TABLES : ['steps'], context.tables);
    const kind = options.path !== undefined ? '-embedded' : options.table === undefined ? '' : '-table';
    this.lane = `${this.name}${kind}`;
    if (options.table !== undefined) return;
    this.find = (part, signal) => this.#find(part, signal);
    this.stored = (range, signal) => recordsOf(range, this.#place(signal));
  }

  async open(signal: AbortSignal): Promise<void> {
    if (this.#connections.length === 0) this.#connections = await connect(this.#options, this.#context);
    const { declared = [], log } = this.#context;
    const run = async (query: string): Promise<string> => {
      const long = declared.length > MANY_COLUMNS && /^(?:CREATE|ALTER) TABLE /.test(query);
      const ask = long ? { query, settings: { max_query_size: LARGEST_STATEMENT } } : { query };
      return (await this.#ask(ask, signal)).text;
    };
    this.#server = await prepare(run, { ...this.#options, declared }, log);
  }

  check(signal: AbortSignal): Promise<CheckItem[]> {
    return checkClickHouse(this.#options, this.#context, signal);
  }

  async send(part: Part, signal: AbortSignal): Promise<Outcome> {
    const { table, database } = this.#options;
    const body = this.#body;
    body.length = 0;
    if (table === undefined) writeRows(part, body, columnIdentity);
    else writeLegacyRows(part, body);
    if (body.length === 0) return STORED;
    const query = `INSERT INTO ${qualified({ database }, table ?? part.table)} FORMAT JSONEachRow`;
    const settings = insertSettings(this.#server.settings, tokenOf(part));
    try {
      await this.#ask({ query, settings, values: body.view(), query_id: queryId(part) }, signal);
    } catch (error) {
      // What failed may still be reading these bytes: they are not written over.
      this.#body = new Body(LARGEST_BODY);
      throw error;
    }
    if (body.bytes.length > LARGEST_BODY_KEPT) this.#body = new Body(LARGEST_BODY);
    return STORED;
  }

  describe(): string {
    const { database, path, table, urls } = this.#options;
    const version = this.#server.version === '' ? '' : ` ${this.#server.version}`;
    const where = path === undefined ? (this.#connections[this.#current]?.where ?? '') : `embedded in ${path}`;
    const others = urls.length > 1 ? ` and ${urls.length - 1} more` : '';
    const what = table === undefined ? `database ${database}` : `steps at least once into ${database}.${table}`;
    return `ClickHouse${version} ${path === undefined ? `at ${where}` : where}${others}, ${what}`;
  }

  async close(): Promise<void> {
    const connections = this.#connections;
    this.#connections = [];
    this.#current = 0;
    await Promise.allSettled(connections.map((connection) => connection.close()));
  }

  async #find(part: Part, signal: AbortSignal): Promise<Found> {
    // A server that answers everything with nothing cannot be asked: the part can be sent again, under its token.
    if (this.#server.version === '') return { copies: new Uint8Array(part.count), lags: true };
    const place = this.#place(signal);
    const lags = await lagsBehind(part.table, place);
    const { database, timeout_ms } = this.#options;
    const ending = { database, timeout_ms, lags, asking: this.#server.asking, ...this.#context };
    await endEverywhere(this.#connections, part, ending, signal);
    return { copies: await copiesOf(part, place), lags };
  }

  #place(signal: AbortSignal): Place {
    const { database } = this.#options;
    return { database, asking: this.#server.asking, ask: (ask) => this.#ask(ask, signal) };
  }

  /** Asks the connection that last worked. Where that cannot be reached it asks the next at once; where it is in doubt, the next time. */
  async #ask(ask: Ask, signal: AbortSignal): Promise<{ where: string; text: string }> {
    for (let tried = 1; ; tried++) {
      const connection = this.#connections[this.#current]!;
      try {
        return { where: connection.where, text: await connection.ask(ask, signal) };
      } catch (error) {
        if (!(error instanceof SinkError) || !elsewhere(error) || this.#connections.length === 1) throw error;
        this.#current = (this.#current + 1) % this.#connections.length;
        if (error.in_doubt || tried === this.#connections.length) throw error;
        this.#context.log('warning', `${error.message}; going on with ${this.#connections[this.#current]!.where}`);
      }
    }
  }
}

function isAddress(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

/**
 * What replaces itself may be there twice, and is not asked for: in doubt it goes under a token of its own, since a server may know the first one and have lost the rows.
 */
function tokenOf({ table, token, in_doubt }: Part): string {
  return in_doubt && KEYED_TABLES.has(table) ? `${token}-${randomBytes(6).toString('hex')}` : token;
}

/** Of each attempt its own, so that `system.query_log` tells them apart: ClickHouse refuses one that is running still. */
function queryId(part: Part): string {
  return `steptap:${part.table}:${part.token}:${randomBytes(6).toString('hex')}`;
}
