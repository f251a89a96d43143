import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { lettersDirectory } from '../dead-letters/letters.ts';
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
import { createLogSink } from '../sinks/log.ts';
import { Option } from 'commander';
import { detachStdin } from '../sources/stdin/detach.ts';
import { lockState } from '../state/lock.ts';
import { resolveEnvironment, several } from './options.ts';
import { NO_STATE } from './state.ts';

/** Of the sink that writes NDJSON files. */
export const FILES = 'files';

/** A file is closed past this size. */
const FILE_BYTES = 64 << 20;

/** Of every command that talks to stores. */
export interface StoreFlags {
  readonly clickhouse: readonly string[];
  readonly elasticsearch: readonly string[];
  readonly elasticsearchPrefix: string;
}

/** The options of StoreFlags. */
export function storeOptions(): Option[] {
  return [
    new Option('--clickhouse <url>', 'this ClickHouse server; several replicas fail over')
      .argParser(several)
      .default([], 'FLYTE_TELEMETRY_CLICKHOUSE_URL'),
    new Option('--elasticsearch <url>', 'this Elasticsearch or OpenSearch; several nodes fail over')
      .argParser(several)
      .default([], 'none'),
    new Option(
      '--elasticsearch-prefix <prefix>',
      'indices are <prefix>-<table>-<YYYY.MM.DD>; ${env:NAME} is replaced',
    ).default('steptap'),
  ];
}

export interface StoreOptions extends StoreFlags {
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
  if (options.state === NO_STATE) {
    throw new UsageError(
      '--state none: then rows need a server; name one with --clickhouse or --elasticsearch, or add --no-store',
    );
  }
  const path = embeddedPath(options.state);
  embedding();
  if (await embeddedInstalled()) {
    return { sinks: [createClickHouseSink({ ...CLICKHOUSE_DEFAULTS, path }, context)], embedded: path };
  }
  const directory = filesPath(options.state);
  log(
    'warning',
    `the embedded store is not installed: rows go to NDJSON files in ${directory}; npm install chdb@3.4.0 gets it`,
  );
  return {
    sinks: [createFilesSink({ name: FILES, directory, tables: EVENT_TABLES, max_file_bytes: FILE_BYTES })],
    embedded: undefined,
  };
}

export interface OpenedStores {
  readonly sinks: readonly Sink[];
  close(): Promise<void>;
}

/**
 * The stores of a run, for a command that is none. Without a server named they are in the state, which one process at a time can have: the embedded engine, or
 * files that are written to. Reading files with `look` needs neither that nor their `open`, which cuts off what a run may be writing.
 */
export async function openStores(
  flags: StoreFlags & { state: string },
  clock: Clock,
  log: Log,
  look = false,
): Promise<OpenedStores> {
  const named = flags.elasticsearch.length > 0 || clickhouseOptions({ ...flags, create: 'never' }) !== undefined;
  if (!named && !existsSync(embeddedPath(flags.state)) && !existsSync(filesPath(flags.state))) {
    const advice = 'name the stores of the run, with --clickhouse or --elasticsearch';
    throw new UsageError(`--state ${flags.state}: there is no embedded store in it; ${advice}`);
  }
  const { sinks, embedded } = await stores({ ...flags, create: 'never', store: true }, clock, log, () => {
    detachStdin(false);
  });
  const files = sinks.some(({ name }) => name === FILES);
  const lock = embedded === undefined && (look || !files) ? undefined : lockState(flags.state);
  return {
    sinks,
    async close() {
      await Promise.allSettled(sinks.map((sink) => sink.close()));
      lock?.release();
    },
  };
}

export function embeddedPath(state: string): string {
  return join(state, 'clickhouse');
}

/** Where the rows go without the embedded engine. */
function filesPath(state: string): string {
  return join(state, 'ndjson');
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

/** Dead letters are files of the state directory; without one, lines of steptap's own log. */
export function createDeadLetterSink(state: string, log: Log): Sink {
  if (state === NO_STATE) return createLogSink(log);
  return createFilesSink({
    name: 'dead-letters',
    directory: lettersDirectory(state),
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
