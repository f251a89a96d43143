import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { EVENT_TABLES } from '../fields.ts';
import { UsageError } from '../errors.ts';
import type { Log } from '../log.ts';
import {
  CLICKHOUSE_DEFAULTS,
  createClickHouseSink,
  fromEnvironment,
  type ClickHouseOptions,
} from '../sinks/clickhouse/index.ts';
import { createElasticsearchSink, ELASTICSEARCH_DEFAULTS } from '../sinks/elasticsearch/index.ts';
import { createFilesSink } from '../sinks/files/index.ts';
import type { Sink } from '../sinks/sink.ts';
import { resolveEnvironment } from './options.ts';

/** A file is closed past this size. */
const FILE_BYTES = 64 << 20;

export interface StoreOptions {
  readonly clickhouse: readonly string[];
  readonly elasticsearch: readonly string[];
  readonly elasticsearchPrefix: string;
  readonly create: 'auto' | 'never';
  readonly state: string;
  /** False: with none named, rows are not kept at all, and steps only become metrics. */
  readonly store: boolean;
}

export interface Stores {
  readonly sinks: readonly Sink[];
  /** Directory of the embedded engine, when that is where the rows go. */
  readonly embedded: string | undefined;
}

/**
 * The sinks that keep rows: those named, with flytekit's environment as the default for ClickHouse; without any, the embedded store, or files where that is
 * not installed. `embedding` is called before the engine is loaded.
 */
export async function stores(options: StoreOptions, clock: Clock, log: Log, embedding: () => void): Promise<Stores> {
  const context = { clock, log };
  const sinks: Sink[] = [];
  const clickhouse = clickhouseOptions(options);
  try {
    if (clickhouse !== undefined) sinks.push(createClickHouseSink(clickhouse, context));
    if (options.elasticsearch.length > 0) {
      const prefix = resolveEnvironment('--elasticsearch-prefix', options.elasticsearchPrefix);
      sinks.push(
        createElasticsearchSink(
          {
            ...ELASTICSEARCH_DEFAULTS,
            ...credentials(),
            urls: options.elasticsearch.map((url) => resolveEnvironment('--elasticsearch', url)),
            prefix,
            create_template: options.create,
          },
          context,
        ),
      );
    }
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError((error as Error).message, { cause: error });
  }
  if (sinks.length > 0 || !options.store) return { sinks, embedded: undefined };
  const path = embeddedPath(options.state);
  embedding();
  if (await embeddedInstalled()) {
    return { sinks: [createClickHouseSink({ ...CLICKHOUSE_DEFAULTS, path }, context)], embedded: path };
  }
  const directory = join(options.state, 'ndjson');
  log(
    'warning',
    `the embedded store is not installed: rows go to NDJSON files in ${directory}; npm install chdb@3.4.0 gets it`,
  );
  return {
    sinks: [createFilesSink({ name: 'files', directory, tables: EVENT_TABLES, max_file_bytes: FILE_BYTES })],
    embedded: undefined,
  };
}

export function embeddedPath(state: string): string {
  return join(state, 'clickhouse');
}

/** True when the package `chdb` can be loaded. */
export async function embeddedInstalled(): Promise<boolean> {
  try {
    import.meta.resolve('chdb/connection');
    await import('chdb/connection');
    return true;
  } catch {
    return false;
  }
}

export function createDeadLetterSink(state: string): Sink {
  return createFilesSink({
    name: 'dead-letters',
    directory: join(state, 'dead-letters'),
    tables: ['rejections'],
    max_file_bytes: FILE_BYTES,
  });
}

/** `--clickhouse` wins over FLYTE_TELEMETRY_CLICKHOUSE_URL; user, password, database and table come from the environment either way. */
export function clickhouseOptions(options: Pick<StoreOptions, 'clickhouse' | 'create'>): ClickHouseOptions | undefined {
  const [first] = options.clickhouse;
  const named = options.clickhouse.map((url) => resolveEnvironment('--clickhouse', url));
  const env =
    first === undefined
      ? process.env
      : { ...process.env, FLYTE_TELEMETRY_ENABLED: '1', FLYTE_TELEMETRY_CLICKHOUSE_URL: first };
  const found = fromEnvironment(env);
  if (found === undefined) return undefined;
  return { ...found, urls: named.length > 0 ? named : found.urls, create: options.create };
}

/** Elasticsearch's own names for its credentials; those in the URL win. */
function credentials(): { user?: string; password?: string; api_key?: string } {
  const {
    ELASTICSEARCH_USERNAME: user,
    ELASTICSEARCH_PASSWORD: password,
    ELASTICSEARCH_API_KEY: api_key,
  } = process.env;
  return {
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
    ...(api_key === undefined ? {} : { api_key }),
  };
}
