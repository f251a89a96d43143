import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createStatements } from '../../src/sinks/clickhouse/index.ts';
import { startClickHouse, type ClickHouseServer } from '../support/clickhouse-server.ts';
import { clickhouseFaults, kindOfQuery, withoutTokens, type ClickHouseFault } from './clickhouse-faults.ts';
import { KNOWN_ERRORS } from './events.ts';
import { LogFile, Writer } from './log-file.ts';
import { startOpenSearch } from './opensearch.ts';
import { Oracle } from './oracle.ts';
import { Proxy } from './proxy.ts';
import { Random } from './random.ts';
import { kindOfSearch, searchFaults, withoutIds } from './search-faults.ts';
import { startSearchModel, type SearchBackend } from './search-model.ts';
import { freePort, Steptap } from './steptap.ts';

export interface BenchOptions {
  readonly seed: number;
  readonly search: 'model' | 'opensearch';
  /** The file is rotated now and then. */
  readonly rotates: boolean;
  /** Protection is taken away at the proxies. */
  readonly control?: boolean;
}

/** Everything that a run needs: a writer, steptap, two sinks, and what goes wrong between them. */
export class Bench {
  readonly directory = mkdtempSync(join(tmpdir(), 'steptap-promises-'));
  readonly state = join(this.directory, 'state');
  readonly file = new LogFile(join(this.directory, 'pod.log'));
  /** Tasks have a test of their own: of one row a key there may be several in a table that has not merged them yet. */
  readonly #pipeline = join(this.directory, 'pipeline.yaml');
  readonly options: BenchOptions;
  readonly oracle: Oracle;
  readonly random: Random;
  readonly clickhouse: ClickHouseServer;
  readonly search: SearchBackend;
  readonly proxies: { readonly clickhouse: Proxy; readonly elasticsearch: Proxy };
  readonly steptap: Steptap;
  readonly writer: Writer;
  /** How many of a hundred requests meet a fault. */
  rate = 0;
  /** Milliseconds between two portions that are written. */
  pause: readonly [number, number] = [5, 35];
  /** What the next INSERT meets. */
  forced: ClickHouseFault | undefined;
  /** Bytes that are in the spool, as they were last seen. */
  committed = 0;
  #over = false;

  static async start(options: BenchOptions): Promise<Bench> {
    const [clickhouse, search, port] = await Promise.all([
      startClickHouse(),
      options.search === 'model' ? startSearchModel() : startOpenSearch(),
      freePort(),
    ]);
    // Tables as an operator may have them: a class that the column does not know is refused by the engine itself.
    for (const statement of createStatements({ database: 'default', cluster: undefined }))
      await clickhouse.query(statement);
    const known = KNOWN_ERRORS.map((name, value) => `'${name}' = ${value}`).join(', ');
    await clickhouse.query(`ALTER TABLE steps MODIFY COLUMN error_type Enum8(${known})`);
    const bench = new Bench(options, clickhouse, search, port);
    await Promise.all(Object.values(bench.proxies).map((proxy) => proxy.listen()));
    return bench;
  }

  private constructor(options: BenchOptions, clickhouse: ClickHouseServer, search: SearchBackend, port: number) {
    const { seed, control = false } = options;
    this.options = options;
    this.clickhouse = clickhouse;
    this.search = search;
    this.oracle = new Oracle(seed);
    this.random = new Random(seed, 'plan');
    const rate = (): number => this.rate;
    const tables = clickhouseFaults({
      random: new Random(seed, 'clickhouse'),
      rate,
      count: (fault) => this.proxies.clickhouse.count(fault),
      forced: () => {
        const { forced } = this;
        this.forced = undefined;
        return forced;
      },
    });
    const documents = searchFaults({
      random: new Random(seed, 'elasticsearch'),
      rate,
      count: (fault) => this.proxies.elasticsearch.count(fault),
    });
    this.proxies = {
      clickhouse: new Proxy({
        name: 'clickhouse',
        upstream: clickhouse.url,
        kind: kindOfQuery,
        treat: control ? withoutTokens(tables) : tables,
      }),
      elasticsearch: new Proxy({
        name: 'elasticsearch',
        upstream: search.url,
        kind: kindOfSearch,
        treat: control ? withoutIds(documents) : documents,
      }),
    };
    writeFileSync(this.#pipeline, 'tasks: { enabled: false }\n');
    this.steptap = new Steptap(() => this.args(), port);
    this.writer = new Writer({
      file: this.file,
      oracle: this.oracle,
      random: new Random(seed, 'writer'),
      rotates: options.rotates,
      committed: () => this.committed,
      pause: () => this.pause,
    });
    void this.#watch();
  }

  /** The stores as steptap sees them. */
  stores(): string[] {
    return ['--clickhouse', this.proxies.clickhouse.url, '--elasticsearch', this.proxies.elasticsearch.url];
  }

  args(): string[] {
    const input = ['--input', this.file.path, '--follow', '--state', this.state, '--logs', 'all'];
    // The smallest spool: it rolls, unlinks and fills up all the time.
    return [
      ...input,
      '--config',
      this.#pipeline,
      ...this.stores(),
      '--spool-bytes',
      '8m',
      '--grace',
      '2',
      '--summary',
      'never',
    ];
  }

  /** Requests that steptap waits for. */
  open(): string[] {
    return Object.values(this.proxies).flatMap((proxy) =>
      [...proxy.open].filter(({ present }) => present()).map(({ sink, what }) => `${sink} ${what}`),
    );
  }

  async look(): Promise<number> {
    this.committed = Math.max(this.committed, await this.file.committed(this.state));
    return this.committed;
  }

  async stop(): Promise<void> {
    this.#over = true;
    await this.writer.stop();
    this.steptap.kill();
    await this.steptap.life?.ended;
    await Promise.allSettled(Object.values(this.proxies).map((proxy) => proxy.close()));
    await Promise.allSettled([this.clickhouse.stop(), this.search.stop()]);
    // For whoever looks for what went wrong.
    if (process.env['STEPTAP_KEEP'] === undefined) rmSync(this.directory, { recursive: true, force: true });
    else process.stdout.write(`kept: ${this.directory}\n`);
  }

  async #watch(): Promise<void> {
    while (!this.#over) {
      await this.look();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
