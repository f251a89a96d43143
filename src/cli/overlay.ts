import type { PipelineConfig, SinkConfig, SinkConfigOf, SourceConfig } from '../config/schema.ts';
import { UsageError } from '../errors.ts';
import { bytes, constants, list, resolveEnvironment, seconds, timeZone } from './options.ts';
import type { RunFlags } from './run-options.ts';
import { LEAST_BYTES } from './state.ts';
import { clickhouseFlags, elasticsearchFlags } from './store-flags.ts';

/** The pipeline with what the command line says in its place. Throws a UsageError that names the option that makes no sense. */
export function overlay(config: PipelineConfig, flags: Partial<RunFlags>): PipelineConfig {
  const sources = overSources(config.sources, flags);
  const sinks = overSinks(config.sinks, flags);
  return {
    ...config,
    ...(sources === undefined ? {} : { sources }),
    ...(sinks === undefined ? {} : { sinks }),
    dialects: { ...config.dialects, ...(flags.logs === undefined ? {} : { log: { store: flags.logs === 'all' } }) },
    enrichment: {
      ...config.enrichment,
      constants: {
        ...config.enrichment?.constants,
        ...constants((flags.set ?? []).map((each) => resolveEnvironment('--set', each))),
      },
      ...given('timezone', flags.timezone, (name) => {
        timeZone(name);
        return name;
      }),
    },
    privacy: {
      ...config.privacy,
      ...given('params', flags.params, allowed),
      ...given('attributes', flags.attributes, allowed),
      ...given('drop', flags.drop, list),
      ...given('mask', flags.mask, list),
      ...given('hash', flags.hash, list),
      ...given('dead_letters_keep_raw', flags.deadLettersKeepRaw, same),
    },
    state: {
      ...config.state,
      ...given('directory', flags.state, same),
      ...given('sync', flags.sync, same),
      ...given('spool_bytes', flags.spoolBytes, (text) =>
        text === 'auto' ? text : bytes('--spool-bytes', text, LEAST_BYTES),
      ),
      ...given('spool_memory', flags.spoolMemory, (text) => bytes('--spool-memory', text, 1 << 20)),
    },
    limits: {
      ...config.limits,
      ...given('max_line_bytes', flags.maxLineBytes, (text) => bytes('--max-line-bytes', text, 1024)),
      ...given('grace_s', flags.grace, (text) => seconds('--grace', text) / 1000),
    },
  };
}

function given<Name extends string, From, To>(
  name: Name,
  value: From | undefined,
  read: (value: From) => To,
): { [Key in Name]?: To } {
  return value === undefined ? {} : ({ [name]: read(value) } as { [Key in Name]: To });
}

const same = <T>(value: T): T => value;

function allowed(text: string): 'all' | string[] {
  return text === 'all' ? 'all' : list(text);
}

type Sources = PipelineConfig['sources'];
type Sinks = PipelineConfig['sinks'];

/** Files that are named here are read instead of the pipeline's sources. */
function overSources(said: Sources, { input, follow, fromStart, once, confirm, insecure }: Partial<RunFlags>): Sources {
  if (once !== undefined) {
    if (input !== undefined || follow === true || fromStart === true || confirm !== undefined)
      throw new UsageError('--once: goes without --input, --follow, --from-start and --confirm');
    return { once: { type: 'file', path: once, once: true } };
  }
  if (confirm !== undefined) {
    if (input !== undefined || follow === true || fromStart === true)
      throw new UsageError(
        '--confirm: goes without --input, --follow and --from-start: it is standard input that is confirmed',
      );
    return { stdin: { type: 'stdin', confirm } };
  }
  const how = { ...given('follow', follow, same), ...given('from_start', fromStart, same) };
  if (input !== undefined) {
    // Named twice it would be one source with two positions.
    const named = [...new Set(input)].map((path, n): [string, SourceConfig] => [
      `input-${n + 1}`,
      path === '-' ? { type: 'stdin' } : { type: 'file', path, ...how },
    ]);
    return Object.fromEntries(named);
  }
  const files = Object.values(said ?? {}).some(({ type }) => type === 'file');
  if (follow === true && !files) {
    throw new UsageError('--follow: name the files that are followed with --input FILE');
  }
  if (said === undefined) return undefined;
  const told = (source: SourceConfig): SourceConfig => {
    if (source.type === 'file') return { ...source, ...how };
    const listens = source.type === 'http' || source.type === 'forward' || source.type === 'clickhouse-http';
    return listens && insecure === true ? { ...source, insecure } : source;
  };
  return Object.fromEntries(Object.entries(said).map(([name, source]) => [name, told(source)]));
}

function isPrometheus(entry: [string, SinkConfig]): entry is [string, SinkConfigOf<'prometheus'>] {
  return entry[1].type === 'prometheus';
}

/** Servers that are named here take the place of the pipeline's sinks `clickhouse` and `elasticsearch`. */
function overSinks(said: Sinks, flags: Partial<RunFlags>): Sinks {
  const sinks: Record<string, SinkConfig> = { ...said };
  const clickhouse = clickhouseFlags(flags, sinks['clickhouse']);
  if (clickhouse !== undefined) sinks['clickhouse'] = clickhouse;
  const elasticsearch = elasticsearchFlags(flags, sinks['elasticsearch']);
  if (elasticsearch !== undefined) sinks['elasticsearch'] = elasticsearch;
  if (flags.stdout === true) sinks['stdout'] ??= { type: 'stdout' };
  const { metrics, metricSteps, metricWorkflow, create } = flags;
  if (metrics !== undefined || metricSteps !== undefined || metricWorkflow !== undefined) {
    const [name, before] = Object.entries(sinks).find(isPrometheus) ?? ['prometheus'];
    sinks[name] = {
      ...before,
      type: 'prometheus',
      ...given('listen', metrics, same),
      ...given('steps', metricSteps, list),
      ...given('workflow_label', metricWorkflow, same),
    };
  }
  if (flags.insecure === true) {
    for (const [name, sink] of Object.entries(sinks)) {
      if (sink.type === 'prometheus') sinks[name] = { ...sink, insecure: true };
    }
  }
  if (create !== undefined) {
    for (const [name, sink] of Object.entries(sinks)) {
      if (sink.type === 'clickhouse') sinks[name] = { ...sink, create };
      if (sink.type === 'elasticsearch') sinks[name] = { ...sink, create_template: create };
    }
  }
  return Object.keys(sinks).length === 0 && said === undefined ? undefined : sinks;
}
