import { Option } from 'commander';
import type { SinkConfig } from '../config/schema.ts';
import { fromEnvironment } from '../sinks/clickhouse/index.ts';
import { resolveEnvironment, several } from './options.ts';

/** Of every command that talks to stores. */
export interface StoreFlags {
  readonly clickhouse?: readonly string[];
  readonly elasticsearch?: readonly string[];
  readonly elasticsearchPrefix?: string;
}

/** The options of StoreFlags. */
export function storeOptions(): Option[] {
  return [
    new Option(
      '--clickhouse <url>',
      'this ClickHouse server; several replicas fail over (default: FLYTE_TELEMETRY_CLICKHOUSE_URL)',
    ).argParser(several),
    new Option('--elasticsearch <url>', 'this Elasticsearch or OpenSearch; several nodes fail over').argParser(several),
    new Option(
      '--elasticsearch-prefix <prefix>',
      'indices are <prefix>-<table>-<YYYY.MM.DD>; ${env:NAME} is replaced (default: steptap)',
    ),
  ];
}

/** The sink that `--clickhouse` names. Where the pipeline has none of that name, flytekit's variables stand for what the URL does not say. */
export function clickhouseFlags(flags: StoreFlags, said: SinkConfig | undefined): SinkConfig | undefined {
  const [first] = flags.clickhouse ?? [];
  if (first === undefined) return undefined;
  const urls = flags.clickhouse!.map((url) => resolveEnvironment('--clickhouse', url));
  if (said?.type === 'clickhouse') {
    const { path: _path, ...rest } = said;
    return { ...rest, urls };
  }
  const env = { ...process.env, FLYTE_TELEMETRY_ENABLED: '1', FLYTE_TELEMETRY_CLICKHOUSE_URL: first };
  return { type: 'clickhouse', ...fromEnvironment(env), urls };
}

/** The sink that `--elasticsearch` names; Elasticsearch's own names for its credentials, those in the URL win. */
export function elasticsearchFlags(flags: StoreFlags, said: SinkConfig | undefined): SinkConfig | undefined {
  const { elasticsearch: named = [], elasticsearchPrefix: given } = flags;
  const prefix = given === undefined ? {} : { prefix: resolveEnvironment('--elasticsearch-prefix', given) };
  const urls = named.map((url) => resolveEnvironment('--elasticsearch', url));
  if (said?.type === 'elasticsearch') return { ...said, ...prefix, ...(urls.length > 0 ? { urls } : {}) };
  const own = urls.some((url) => /:\/\/[^/]*@/.test(url)) ? {} : credentials();
  return urls.length === 0 ? undefined : { type: 'elasticsearch', ...own, ...prefix, urls };
}

/** Elasticsearch's own names for its credentials. A key is used instead of a user. */
function credentials(): { user?: string; password?: string; api_key?: string } {
  const {
    ELASTICSEARCH_USERNAME: user = '',
    ELASTICSEARCH_PASSWORD: password,
    ELASTICSEARCH_API_KEY: api_key = '',
  } = process.env;
  if (api_key !== '') return { api_key };
  if (user === '') return {};
  return { user, ...(password === undefined ? {} : { password }) };
}
