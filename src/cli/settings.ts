import { loadPipeline, type LoadedPipeline } from '../config/load.ts';
import type { Path } from '../config/document.ts';
import { limitsOptions, type PipelineConfig, type SinkConfigOf } from '../config/schema.ts';
import type { DecodeOptions } from '../decode.ts';
import { REPEAT_DEFAULTS } from '../dialects/log/repeat-options.ts';
import { ownOrigin } from '../kubernetes/own.ts';
import { kubernetesRules } from '../kubernetes/rules.ts';
import { isLocal, readAddress } from '../listening/address.ts';
import { bodyProperties } from '../posts/schema.ts';
import { prometheusOptions, type PrometheusOptions } from '../sinks/prometheus/schema.ts';
import { mostSeries } from '../sinks/prometheus/series.ts';
import { CLICKHOUSE_HTTP_DEFAULTS, type ClickHouseHttpOptions } from '../sources/clickhouse-http/schema.ts';
import { HTTP_DEFAULTS, type HttpSourceOptions } from '../sources/http/schema.ts';
import { stateOptions } from '../spool/schema.ts';
import { zone } from '../zone.ts';
import { overlay } from './overlay.ts';
import { DEFAULT_STATE, sizeAdvice, sizeOf } from './options.ts';
import { privacyRules } from './privacy.ts';
import type { RunFlags } from './run-options.ts';
import type { ServingPlace } from './serving.ts';
import { LEAST_BYTES, NO_STATE, type StateOptions } from './state.ts';
import { namedStores } from './stores.ts';

/** What a command was told: by the files of its pipeline, and by its options, which win. */
export interface Settings {
  readonly pipeline: LoadedPipeline;
  /** Of both together; only what was given. */
  readonly config: PipelineConfig;
  /** Directory of the state, or `none`. */
  readonly state: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads the pipeline and checks the options. Throws a UsageError that says what is wrong, and where. */
export function settingsOf(flags: Partial<RunFlags>, environment: Environment = process.env): Settings {
  const pipeline = loadPipeline(flags.config ?? [], environment);
  const config = overlay(pipeline.config, flags);
  const state = config.state?.directory ?? (filters({ config, pipeline }) ? NO_STATE : DEFAULT_STATE);
  return { pipeline, config, state };
}

/** With standard output alone steptap is a filter: nothing is kept on disk unless a state is named. */
function filters(named: Pick<Settings, 'config' | 'pipeline'>): boolean {
  const stores = namedStores(named);
  return stores.length > 0 && stores.every(([, { type }]) => type === 'stdout');
}

export function decoding({ pipeline, config }: Settings, environment: Environment = process.env): DecodeOptions {
  const { enrichment = {}, dialects = {}, limits = {} } = config;
  const named = zone(enrichment.timezone ?? 'UTC');
  if (named === undefined) {
    const message = `${JSON.stringify(enrichment.timezone)}: no such zone; write UTC, +02:00 or Europe/Berlin`;
    throw pipeline.error([{ path: ['enrichment', 'timezone'], message }]);
  }
  const { events, types } = pipeline;
  return {
    constants: enrichment.constants ?? {},
    kubernetes: kubernetesRules(enrichment.kubernetes ?? {}),
    own: enrichment.kubernetes?.downward_api === true ? ownOrigin(environment) : undefined,
    privacy: privacyRules(config.privacy ?? {}, environment, events?.hashes === true || types?.hashes === true),
    events,
    types,
    zone: named,
    max_line_bytes: size(pipeline, ['limits', 'max_line_bytes'], limits.max_line_bytes ?? LINE.default, LINE.minimum),
    logs: dialects.log?.store ?? true,
    repeats: { ...REPEAT_DEFAULTS, ...dialects['flyte-services']?.repeats },
    disabled: new Set(Object.keys(dialects).filter((name) => dialects[name]?.enabled === false)),
    fast: true,
  };
}

const { max_body_bytes: BODY } = bodyProperties;
const LINE = limitsOptions.properties.max_line_bytes;
const { spool_memory: MEMORY } = stateOptions.properties;

export function stateSettings(settings: Settings): StateOptions {
  const { pipeline, config, state } = settings;
  // Whoever hands files over may hand over several at once: each waits for its turn.
  const handed = Object.values(config.sources ?? {}).some((source) => source.type === 'file' && source.once === true);
  const { sync = 'group', spool_bytes = 'auto', spool_memory = MEMORY.default } = config.state ?? {};
  return {
    state,
    sync,
    spool_bytes:
      spool_bytes === 'auto' ? undefined : size(pipeline, ['state', 'spool_bytes'], spool_bytes, LEAST_BYTES),
    wait_ms: handed ? graceMs(settings) : 0,
    memory_bytes: size(pipeline, ['state', 'spool_memory'], spool_memory, MEMORY.minimum),
  };
}

export interface MetricsSettings extends Omit<PrometheusOptions, 'registry'> {
  readonly place: ServingPlace;
}

/** Of the histogram: step, status, project, domain, task. */
const STEP_LABELS = 5;

/** Undefined when no metrics are wanted. */
export function metricsSettings({ config, pipeline }: Settings): MetricsSettings | undefined {
  const named = Object.entries(config.sinks ?? {}).filter(([, { type }]) => type === 'prometheus');
  const [first, second] = named;
  if (second !== undefined) {
    throw pipeline.error([{ path: ['sinks', second[0]], message: `there is one already, ${first![0]}`, name: true }]);
  }
  const said = (first?.[1] ?? {}) as Partial<SinkConfigOf<'prometheus'>>;
  const { listen = prometheusOptions.properties.listen.default } = said;
  if (listen === 'none') return undefined;
  const { tls, token, token_file, insecure } = said;
  const address = readAddress(listen);
  const closed = (token ?? token_file ?? tls?.client_ca_file) !== undefined;
  // On loopback every user of the machine would be told what logs say.
  const { events = address !== undefined && isLocal(address) && (closed || 'path' in address) } = said;
  const place = { listen, events, ...present({ tls, token, token_file, insecure }) };
  const { steps = [], workflow_label = false, max_series, buckets } = said;
  if (buckets?.some((bound, n) => n > 0 && bound <= buckets[n - 1]!) === true) {
    throw pipeline.error([
      { path: ['sinks', first![0], 'buckets'], message: 'must be ascending, each larger than the last' },
    ]);
  }
  const labels = pipeline.events?.labels ?? [];
  const most = mostSeries(STEP_LABELS + labels.length + (workflow_label ? 1 : 0));
  if ((max_series ?? 0) > most) {
    const message = `${max_series} is more than can be told apart with these labels: at most ${most}`;
    throw pipeline.error([{ path: ['sinks', first![0], 'max_series'], message }]);
  }
  return { place, steps, workflow_label, max_series, buckets, labels, events: pipeline.types?.metrics };
}

/** Those that are given. */
function present<T extends object>(options: T): { [Name in keyof T]?: NonNullable<T[Name]> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [Name in keyof T]?: NonNullable<T[Name]>;
  };
}

/** As a pipeline says it: with a size in words. */
type Said<Options> = Partial<Omit<Options, 'max_body_bytes'>> & { readonly max_body_bytes?: number | string };

/** What a source of type `http` is told, with its defaults. */
export function httpSettings(pipeline: LoadedPipeline, name: string, said: Said<HttpSourceOptions>): HttpSourceOptions {
  return { ...HTTP_DEFAULTS, ...said, max_body_bytes: bodyBytes(pipeline, name, said) };
}

/** The same for one of type `clickhouse-http`. */
export function clickhouseHttpSettings(
  pipeline: LoadedPipeline,
  name: string,
  said: Said<ClickHouseHttpOptions>,
): ClickHouseHttpOptions {
  return { ...CLICKHOUSE_HTTP_DEFAULTS, ...said, max_body_bytes: bodyBytes(pipeline, name, said) };
}

function bodyBytes(
  pipeline: LoadedPipeline,
  name: string,
  { max_body_bytes = BODY.default }: { readonly max_body_bytes?: number | string },
): number {
  return size(pipeline, ['sources', name, 'max_body_bytes'], max_body_bytes, BODY.minimum);
}

export function graceMs({ config }: Settings): number {
  return (config.limits?.grace_s ?? limitsOptions.properties.grace_s.default) * 1000;
}

/** A size as a pipeline says it, in bytes. */
export function size(pipeline: LoadedPipeline, path: Path, said: string | number, least: number): number {
  const found = typeof said === 'number' ? said : sizeOf(said);
  if (found >= least) return found;
  throw pipeline.error([{ path, message: `${JSON.stringify(said)}: ${sizeAdvice(least)}` }]);
}
