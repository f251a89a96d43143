import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Clock } from '../clock.ts';
import type { StoreConfig } from '../config/schema.ts';
import { lettersDirectory } from '../dead-letters/letters.ts';
import { EVENT_TABLES } from '../fields.ts';
import { UsageError } from '../errors.ts';
import type { Log } from '../log.ts';
import { CLICKHOUSE_DEFAULTS, createClickHouseSink, fromEnvironment } from '../sinks/clickhouse/index.ts';
import { embeddedInstalled } from '../sinks/clickhouse/embedded.ts';
import { createFilesSink } from '../sinks/files/index.ts';
import type { Sink } from '../sinks/sink.ts';
import { STDOUT_DEFAULTS } from '../sinks/stdout/index.ts';
import { createLogSink } from '../sinks/log.ts';
import { detachStdin } from '../sources/stdin/detach.ts';
import { lockState } from '../state/lock.ts';
import { createStore } from './create-store.ts';
import type { Settings } from './settings.ts';
import { NO_STATE } from './state.ts';

/** Of the sink that writes NDJSON files. */
export const FILES = 'files';

/** A file is closed past this size. */
const FILE_BYTES = 64 << 20;

/** Where rows go. */
export interface StoreOptions {
  readonly settings: Settings;
  /** False: with none named, rows are not kept at all, and steps only become metrics. */
  readonly store: boolean;
  /** `never` asks the stores to make nothing, whatever the pipeline says. */
  readonly create?: 'never';
}

/** A store that a pipeline wants. */
export interface PlannedStore {
  readonly name: string;
  /** What makes it another one when it changes. */
  readonly key: string;
  /** Directory of the embedded engine of the state, when it is that. */
  readonly embedded?: string;
  readonly drop_oldest: boolean;
  /** How long a row may wait for others. */
  readonly linger_ms?: number | undefined;
  /** Throws a UsageError when its options make no sense. Loads an embedded engine no sooner than it is opened. */
  create(): Sink;
}

/**
 * The stores: those that are named, with flytekit's environment as the default for ClickHouse; without any, the embedded store, or files where that is
 * not installed. `embedding` is called before the engine is loaded.
 */
export async function plannedStores(
  options: StoreOptions,
  clock: Clock,
  log: Log,
  embedding: () => void,
): Promise<PlannedStore[]> {
  const { settings, store } = options;
  const declared = settings.pipeline.types?.columns;
  const context = { clock, log, declared };
  const named = namedStores(settings, options.create).map(([name, config]): PlannedStore => ({
    name,
    key: JSON.stringify([config, declared]),
    ...(isOwn(config, settings.state) ? { embedded: embeddedPath(settings.state) } : {}),
    drop_oldest: config.drop_oldest === true,
    linger_ms: config.type === 'stdout' ? (config.linger_ms ?? STDOUT_DEFAULTS.linger_ms) : undefined,
    create: () => createStore(name, config, settings, context, embedding),
  }));
  if (named.length > 0 || !store || settings.pipeline.config.sinks !== undefined) return named;
  if (settings.state === NO_STATE) {
    throw new UsageError(
      '--state none: then rows need a server; name one with --clickhouse or --elasticsearch, or add --no-store',
    );
  }
  const embedded = embeddedPath(settings.state);
  embedding();
  if (await embeddedInstalled()) {
    const create = (): Sink => createClickHouseSink({ ...CLICKHOUSE_DEFAULTS, path: embedded }, context);
    return [{ name: 'clickhouse', key: JSON.stringify(['embedded', declared]), embedded, drop_oldest: false, create }];
  }
  const directory = filesPath(settings.state);
  log(
    'warning',
    `the embedded store is not installed: rows go to NDJSON files in ${directory}; npm install chdb@3.4.0 gets it`,
  );
  const create = (): Sink =>
    createFilesSink({ name: FILES, directory, tables: EVENT_TABLES, max_file_bytes: FILE_BYTES });
  return [{ name: FILES, key: 'files', drop_oldest: false, create }];
}

/** Throws a UsageError unless rows go to each of the sinks that may give up their oldest. */
export function droppable(named: readonly string[] | undefined, stores: readonly Pick<PlannedStore, 'name'>[]): void {
  const wrong = named?.find((name) => !stores.some((store) => store.name === name));
  if (wrong === undefined) return;
  const known = stores.map(({ name }) => name).join(', ') || 'none';
  throw new UsageError(`--drop-oldest ${wrong}: rows go to no such sink; there are ${known}`);
}

/** The sinks that keep rows, as they are named; flytekit's environment names one where nothing else does. */
export function namedStores(
  { config, pipeline }: Pick<Settings, 'config' | 'pipeline'>,
  create?: 'never',
): [string, StoreConfig][] {
  const named: [string, StoreConfig][] = [];
  for (const [name, sink] of Object.entries(config.sinks ?? {}))
    if (sink.type !== 'prometheus') named.push([name, sink]);
  const servers = named.filter(([, { type }]) => type !== 'stdout');
  if (servers.length === 0 && pipeline.config.sinks === undefined) {
    const environment = fromEnvironment(process.env);
    if (environment !== undefined) named.unshift(['clickhouse', { type: 'clickhouse', ...environment }]);
  }
  if (create === undefined) return named;
  return named.map(([name, sink]) => {
    if (sink.type === 'clickhouse') return [name, { ...sink, create }];
    return [name, sink.type === 'elasticsearch' ? { ...sink, create_template: create } : sink];
  });
}

/** True for the embedded engine of the state, which answers `steptap query` while a run goes on. */
function isOwn(config: StoreConfig, state: string): boolean {
  if (config.type !== 'clickhouse' || config.path === undefined || state === NO_STATE) return false;
  return resolve(config.path) === resolve(embeddedPath(state));
}

export interface OpenedStores {
  readonly sinks: readonly Sink[];
  close(): Promise<void>;
}

/**
 * The stores of a run, for a command that is none. Without a server named they are in the state, which one process at a time can have: the embedded engine, or
 * files that are written to. Reading files with `look` needs neither that nor their `open`, which cuts off what a run may be writing.
 */
export async function openStores(settings: Settings, clock: Clock, log: Log, look = false): Promise<OpenedStores> {
  const { state } = settings;
  // Nothing can be asked of standard output.
  const named = namedStores(settings).some(([, { type }]) => type !== 'stdout');
  if (!named && !existsSync(embeddedPath(state)) && !existsSync(filesPath(state))) {
    const advice = 'name the stores of the run, with --clickhouse or --elasticsearch';
    throw new UsageError(`--state ${state}: there is no embedded store in it; ${advice}`);
  }
  const planned = await plannedStores({ settings, create: 'never', store: true }, clock, log, () => {
    detachStdin(false);
  });
  const sinks = planned.filter(({ linger_ms }) => linger_ms === undefined).map((store) => store.create());
  const embedded = planned.find((store) => store.embedded !== undefined);
  const files = sinks.some(({ name }) => name === FILES);
  const lock = embedded === undefined && (look || !files) ? undefined : lockState(state);
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
