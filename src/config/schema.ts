import type { FromSchema } from 'json-schema-to-ts';
import type { EventOptions } from '../dialects/custom/schema.ts';
import type { EventTypeOptions, Unknown } from '../event-types/schema.ts';
import { EVENT_TABLES } from '../fields.ts';
import { kubernetesOptions, type KubernetesOptions } from '../kubernetes/schema.ts';
import { CONSTANT_FIELDS } from '../origin.ts';
import { repeatOptions, type RepeatOptions } from '../dialects/log/repeat-options.ts';
import { privacyOptions } from '../privacy/schema.ts';
import { SINKS, SOURCES, type SinkType, type SourceType } from '../registry.ts';
import type { clickhouseHttpOptions } from '../sources/clickhouse-http/schema.ts';
import type { FileSourceOptions } from '../sources/file/schema.ts';
import type { FilesOptions } from '../sources/files/schema.ts';
import type { forwardSourceOptions } from '../sources/forward/schema.ts';
import type { httpOptions } from '../sources/http/schema.ts';
import { stateOptions } from '../spool/schema.ts';
import { taskOptions, type TaskOptions } from '../tasks/schema.ts';

const CONSTANT = {
  type: 'string',
  description: 'On every row; wins over what the line or its transport says.',
  minLength: 1,
} as const;

export const enrichmentOptions = {
  type: 'object',
  description: 'What is known beside the lines.',
  additionalProperties: false,
  properties: {
    constants: {
      type: 'object',
      description: 'Fields that are the same on every row.',
      additionalProperties: false,
      properties: Object.fromEntries(CONSTANT_FIELDS.map((name) => [name, CONSTANT])),
    },
    timezone: {
      type: 'string',
      description: 'Zone of timestamps that name none.',
      default: 'UTC',
      minLength: 1,
      examples: ['UTC', '+02:00', 'Europe/Berlin'],
    },
    kubernetes: kubernetesOptions,
  },
} as const;

export const dialectOptions = {
  flytekit: dialect('Steps, errors and telemetry of flytekit.'),
  flyte2: dialect('Timers and log lines of the Flyte 2 SDK.'),
  'flyte-services': {
    type: 'object',
    description: "Log lines of Flyte's own services.",
    additionalProperties: false,
    properties: {
      ...dialect('').properties,
      repeats: repeatOptions,
    },
  },
  orchest: dialect("Deliveries of Orchest's webhooks, and its telemetry."),
  rhapsody: dialect('Events, snapshots and spans of RHAPSODY and AsyncFlow.'),
  log: {
    type: 'object',
    description: 'Ordinary log lines, tracebacks and progress bars.',
    additionalProperties: false,
    properties: {
      store: {
        type: 'boolean',
        description: 'False: they are counted and not stored.',
        default: true,
      },
    },
  },
} as const;

/** Of a dialect that can be told nothing else. */
function dialect<const D extends string>(description: D) {
  return {
    type: 'object',
    description,
    additionalProperties: false,
    properties: {
      enabled: {
        type: 'boolean',
        description: 'False: its lines are read like any others, by `events` and as logs.',
        default: true,
      },
    },
  } as const;
}

export const limitsOptions = {
  type: 'object',
  description: 'Bounds of a run.',
  additionalProperties: false,
  properties: {
    max_line_bytes: {
      type: ['integer', 'string'],
      description: 'A longer line is a dead letter.',
      default: '1m',
      minimum: 1024,
      pattern: '^\\d+(\\.\\d+)?[kmgKMG]?(i?[bB])?$',
      examples: ['1m', '256k'],
    },
    grace_s: {
      type: 'number',
      description:
        'Seconds to deliver the rest after SIGTERM; after the end of the input, how long sinks may stand still.',
      default: 30,
      minimum: 0,
    },
  },
} as const;

/** What every sink can be told beside its own options. */
export const sinkCommon = {
  tables: {
    type: 'array',
    description:
      'Which rows go there: `steps` (kind step), `logs` (kind log), `resources` (of nodes and devices), `tasks` (derived), `events` (every other kind). All that the sink takes, when nothing is said; `forward` and `stdout` then leave out `tasks`.',
    items: { enum: EVENT_TABLES },
    minItems: 1,
    uniqueItems: true,
  },
  drop_oldest: {
    type: 'boolean',
    description:
      'When the spool is full, the oldest rows of this sink are given up, counted, so that others need not wait.',
    default: false,
  },
} as const;

/** The sections of a pipeline that are no lists of components. */
export const SECTIONS = {
  enrichment: enrichmentOptions,
  privacy: privacyOptions,
  state: stateOptions,
  limits: limitsOptions,
  tasks: taskOptions,
} as const;

/** Of a component, or of a sink with what all sinks have. */
export interface ObjectSchema {
  readonly type: 'object';
  readonly description: string;
  readonly required?: readonly string[];
  readonly properties: Readonly<Record<string, object>>;
}

export function sourceSchema(type: SourceType): ObjectSchema {
  return SOURCES[type];
}

/** Prometheus takes what it observes, and gives up nothing. */
export function sinkSchema(type: SinkType): ObjectSchema {
  const schema: ObjectSchema = SINKS[type];
  return type === 'prometheus' ? schema : { ...schema, properties: { ...schema.properties, ...sinkCommon } };
}

interface SinkCommon {
  readonly tables?: readonly (typeof EVENT_TABLES)[number][];
  readonly drop_oldest?: boolean;
}

type Named<Components, Types extends keyof Components> = {
  readonly [Type in Types]: { readonly type: Type } & Partial<FromSchema<Extract<Components[Type], object>>>;
}[Types];

export type SourceConfig =
  | ({ readonly type: 'clickhouse-http' } & Partial<FromSchema<typeof clickhouseHttpOptions>>)
  | ({ readonly type: 'file'; readonly path: string } & Partial<FileSourceOptions>)
  | ({ readonly type: 'files' } & FilesOptions)
  | ({ readonly type: 'forward' } & Partial<FromSchema<typeof forwardSourceOptions>>)
  | ({ readonly type: 'http' } & Partial<FromSchema<typeof httpOptions>>)
  | { readonly type: 'stdin'; readonly confirm?: 'rsyslog'; readonly rows?: boolean };
export type SinkConfig = Named<typeof SINKS, SinkType> & SinkCommon;
/** Of a sink that keeps rows. */
export type StoreConfig = Exclude<SinkConfig, { readonly type: 'prometheus' }>;
export type SinkConfigOf<Type extends SinkType> = Extract<SinkConfig, { readonly type: Type }>;

/** What a pipeline says: only what was given, no default. Every source and sink has its type. */
export interface PipelineConfig {
  readonly sources?: Readonly<Record<string, SourceConfig>>;
  readonly dialects?: Readonly<
    Record<
      string,
      { readonly enabled?: boolean; readonly store?: boolean; readonly repeats?: Partial<RepeatOptions> } | undefined
    >
  >;
  readonly events?: Readonly<Record<string, EventOptions>>;
  readonly event_types?: Readonly<Record<string, EventTypeOptions>>;
  readonly unknown_events?: Unknown;
  readonly enrichment?: {
    readonly constants?: Readonly<Record<string, string>>;
    readonly timezone?: string;
    readonly kubernetes?: KubernetesOptions;
  };
  readonly privacy?: Partial<FromSchema<typeof privacyOptions>>;
  readonly sinks?: Readonly<Record<string, SinkConfig>>;
  readonly state?: Partial<FromSchema<typeof stateOptions>>;
  readonly limits?: Partial<FromSchema<typeof limitsOptions>>;
  readonly tasks?: TaskOptions;
}
