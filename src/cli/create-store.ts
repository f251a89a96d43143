import type { StoreConfig } from '../config/schema.ts';
import { UsageError } from '../errors.ts';
import { EVENT_TABLES } from '../fields.ts';
import { CLICKHOUSE_DEFAULTS, createClickHouseSink } from '../sinks/clickhouse/index.ts';
import { createElasticsearchSink, ELASTICSEARCH_DEFAULTS } from '../sinks/elasticsearch/index.ts';
import { createFilesSink } from '../sinks/files/index.ts';
import { filesOptions } from '../sinks/files/schema.ts';
import { createForwardSink } from '../sinks/forward/index.ts';
import type { Sink, SinkContext } from '../sinks/sink.ts';
import { createStdoutSink, standardOutput } from '../sinks/stdout/index.ts';
import { outliveReader } from './reader.ts';
import { size, type Settings } from './settings.ts';

/** A sink that keeps rows, as it is named. `embedding` is called before the embedded engine is loaded. Throws a UsageError when its options make no sense together. */
export function createStore(
  name: string,
  config: StoreConfig,
  settings: Settings,
  context: Pick<SinkContext, 'clock' | 'log' | 'declared'>,
  embedding: () => void,
): Sink {
  const own: SinkContext = { ...context, name, tables: config.tables };
  try {
    return create(name, config, settings, own, embedding);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const { pipeline } = settings;
    const { message } = error as Error;
    if (pipeline.config.sinks?.[name] !== undefined) throw pipeline.error([{ path: ['sinks', name], message }]);
    throw new UsageError(`${namedBy(config)}${message}`, { cause: error });
  }
}

/** Whoever has set a variable long ago would look for the mistake in the command. */
function namedBy(config: StoreConfig): string {
  const variable = 'FLYTE_TELEMETRY_CLICKHOUSE_URL';
  return config.type === 'clickhouse' && config.urls?.[0] === process.env[variable] ? `${variable}: ` : '';
}

function create(
  name: string,
  config: StoreConfig,
  settings: Settings,
  context: SinkContext,
  embedding: () => void,
): Sink {
  if (config.type === 'files') return filesStore(name, config, settings, context);
  if (config.type === 'stdout') {
    outliveReader();
    return createStdoutSink(standardOutput(), context);
  }
  if (config.type === 'forward') return createForwardSink({ ...config, address: config.address! }, context);
  if (config.type === 'clickhouse') {
    const { type: _type, tables: _tables, drop_oldest: _drop, ...options } = config;
    if (options.path !== undefined) embedding();
    return createClickHouseSink({ ...CLICKHOUSE_DEFAULTS, ...options }, context);
  }
  const { type: _type, tables: _tables, drop_oldest: _drop, urls = [], ...options } = config;
  return createElasticsearchSink({ ...ELASTICSEARCH_DEFAULTS, ...options, urls }, context);
}

function filesStore(
  name: string,
  config: StoreConfig & { type: 'files' },
  { pipeline }: Settings,
  context: SinkContext,
): Sink {
  const { max_file_bytes: FILE } = filesOptions.properties;
  const path = ['sinks', name, 'max_file_bytes'];
  return createFilesSink({
    name,
    directory: config.directory!,
    tables: context.tables ?? EVENT_TABLES,
    max_file_bytes: size(pipeline, path, config.max_file_bytes ?? FILE.default, FILE.minimum),
  });
}
