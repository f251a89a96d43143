import type { Table } from './batch.ts';

/** A table that holds events. */
export type EventTable = Exclude<Table, 'rejections'>;

export const EVENT_TABLES: readonly EventTable[] = ['steps', 'logs', 'events', 'resources', 'tasks'];

/** Those of which one row a key counts, that of the highest version: a row that is sent twice, or late, changes nothing. */
export const KEYED_TABLES: ReadonlySet<Table> = new Set(['tasks']);

/** How Elasticsearch and OpenSearch index a field. `object` is `flattened` on the one and `flat_object` on the other, `phases` is an object of numbers by PHASES; what is `stored` is in `_source` alone. */
export type SearchType =
  | 'date_nanos'
  | 'keyword'
  | 'text'
  | 'double'
  | 'integer'
  | 'long'
  | 'boolean'
  | 'object'
  | 'phases'
  | 'stored';

/** One field of an event: the same name in YAML, TypeScript, ClickHouse, Elasticsearch and the documentation. */
export interface Field {
  readonly name: string;
  /** Column type, with its codec or default behind it. */
  readonly clickhouse: string;
  readonly search: SearchType;
  readonly tables: readonly EventTable[];
  readonly meaning: string;
}

/** What the seconds of a task are split into. The names are few, so that each can be a number that is searched and summed. */
export const PHASES = [
  'dependency_wait',
  'scheduler_gap',
  'queue',
  'start_latency',
  'load',
  'inputs',
  'execution',
  'outputs',
  'other',
] as const;

const ALL = EVENT_TABLES;
const STEPS: readonly EventTable[] = ['steps', 'events'];
const TIMED: readonly EventTable[] = ['steps', 'events', 'tasks'];
const TOLD: readonly EventTable[] = ['logs', 'events'];
const ENDED: readonly EventTable[] = ['events', 'tasks'];
const FAILED: readonly EventTable[] = ['steps', 'logs', 'events', 'tasks'];
const BLAMED: readonly EventTable[] = ['logs', 'events', 'tasks'];
const ENGINES: readonly EventTable[] = ['events', 'resources', 'tasks'];
const EVENTS: readonly EventTable[] = ['events'];
const TASKS: readonly EventTable[] = ['tasks'];
const RESOURCES: readonly EventTable[] = ['resources'];

const low = 'LowCardinality(String)';
const time = "DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1))";
const text = 'String CODEC(ZSTD(1))';
const map = 'Map(LowCardinality(String), String) CODEC(ZSTD(1))';
const seconds = 'Map(LowCardinality(String), Float64) CODEC(ZSTD(1))';
const moment = "Nullable(DateTime64(6, 'UTC')) CODEC(ZSTD(1))";
const figure = 'Nullable(Float64) CODEC(ZSTD(1))';

function field(
  name: string,
  clickhouse: string,
  search: SearchType,
  tables: readonly EventTable[],
  meaning: string,
): Field {
  return { name, clickhouse, search, tables, meaning };
}

/** Every field, in the order in which rows are written and columns are created. Missing is absent, never `""`. */
export const FIELDS: readonly Field[] = [
  field('ts', time, 'date_nanos', ALL, 'when the thing ended or happened, UTC, microseconds'),
  field('task_key', text, 'keyword', TASKS, 'what the task is: one row a key, that of the highest version'),
  field(
    'version',
    'UInt64',
    'long',
    TASKS,
    'when this was said of it, microseconds since 1970: grows with every correction',
  ),
  field(
    'revision',
    'UInt16',
    'integer',
    TASKS,
    '0 while the end is not known, 1 when it is, more when that was corrected',
  ),
  field('task_day', 'Date', 'keyword', TASKS, 'UTC day of its first version: of all its versions the same'),
  field('ts_start', time, 'date_nanos', TIMED, '`ts` less `wall_time_s`, where there is a duration'),
  field('dialect', low, 'keyword', ALL, 'whose way of writing the line was in: `flytekit`, `log`'),
  field('event', low, 'keyword', ALL, "the producer's own event name"),
  field('kind', low, 'keyword', ALL, '`step`, `task`, `run`, `resource`, `error`, `log`, `custom`'),
  field('step', low, 'keyword', STEPS, 'normalised name of the step, of low cardinality'),
  field('step_raw', text, 'keyword', STEPS, 'the name as it was written'),
  field('step_target', text, 'keyword', STEPS, 'the URI that was cut off the name'),
  field('status', low, 'keyword', TIMED, '`success`, `error`, `canceled`, `running`, `unknown`'),
  field('wall_time_s', 'Nullable(Float64)', 'double', TIMED, 'duration in seconds'),
  field('process_time_s', 'Nullable(Float64)', 'double', TIMED, 'CPU seconds of the whole process, threads included'),
  field('error_type', low, 'keyword', FAILED, 'exception class as it was written'),
  field('root_error_type', low, 'keyword', ENDED, 'the true exception class, from the captured trace'),
  field('error_kind', low, 'keyword', BLAMED, '`user` or `system`'),
  field('execution_id', text, 'keyword', ALL, 'execution (Flyte), run (Flyte 2)'),
  field('workflow', low, 'keyword', ALL, 'name of the workflow'),
  field('task', low, 'keyword', ALL, 'name of the task, dotted'),
  field('task_version', low, 'keyword', ALL, 'version under which the task was registered'),
  field('node_id', text, 'keyword', ALL, 'node of the workflow'),
  field('attempt', 'Nullable(UInt16)', 'integer', ALL, 'attempt, from 0'),
  field('map_index', 'Nullable(UInt16)', 'integer', ALL, 'index inside a map task'),
  field('task_id', text, 'keyword', ALL, "the engine's own name of this one task: `task.000001`, the uuid of a run"),
  field('session_id', text, 'keyword', ALL, 'session (RHAPSODY, AsyncFlow)'),
  field(
    'workflow_id',
    text,
    'keyword',
    ALL,
    'workflow_scope or block of AsyncFlow: given, `wf-<8 hex>`, `block.000001`',
  ),
  field('project', low, 'keyword', ALL, 'project of the execution'),
  field('domain', low, 'keyword', ALL, 'domain of the execution'),
  field('task_project', low, 'keyword', ALL, 'project under which the task is registered'),
  field('task_domain', low, 'keyword', ALL, 'domain under which the task is registered'),
  field('backend', low, 'keyword', ENGINES, 'what the engine runs its tasks on: `concurrent`, `dask`, `dragon`'),
  field('depends_on', 'Array(String) CODEC(ZSTD(1))', 'keyword', ENDED, 'tasks that had to end before, by `task_id`'),
  field('namespace', low, 'keyword', ALL, 'Kubernetes namespace'),
  field('pod', text, 'keyword', ALL, 'Kubernetes pod'),
  field('pod_uid', text, 'keyword', ALL, 'UID of the pod'),
  field('container', low, 'keyword', ALL, 'container in the pod'),
  field('node', low, 'keyword', ALL, 'Kubernetes node'),
  field('app', low, 'keyword', ALL, 'application'),
  field('component', low, 'keyword', ALL, 'part of the application'),
  field('labels', map, 'object', ALL, 'labels of the pod'),
  field('k8s_enriched', 'Bool', 'boolean', ALL, 'true when the metadata is of the pod itself'),
  field('stream', low, 'keyword', ALL, '`stdout` or `stderr`, where the transport says it'),
  field(
    'level',
    low,
    'keyword',
    TOLD,
    '`TRACE`, `DEBUG`, `INFO`, `WARN`, `ERROR`, `FATAL`: from the line, never from the stream',
  ),
  field('message', 'String CODEC(ZSTD(3))', 'text', [...TOLD, 'tasks'], 'text of the log line; of an error, its trace'),
  field('logger', low, 'keyword', TOLD, 'name of the logger'),
  field('trace_id', text, 'keyword', ALL, 'trace, 32 hex digits'),
  field('span_id', text, 'keyword', ALL, 'span, 16 hex digits'),
  field('parent_span_id', text, 'keyword', ALL, 'span around it, 16 hex digits'),
  field('resource_scope', low, 'keyword', RESOURCES, '`per_node` or `per_gpu`'),
  field('gpu_id', 'Nullable(UInt16)', 'integer', RESOURCES, 'device, of scope `per_gpu`'),
  field('cpu_percent', figure, 'double', RESOURCES, 'at that moment; more than 100 where a backend counts cores'),
  field('memory_percent', figure, 'double', RESOURCES, 'at that moment'),
  field('gpu_percent', figure, 'double', RESOURCES, 'at that moment: of the device, or the highest of the node'),
  field('disk_read_bytes', figure, 'double', RESOURCES, 'since the poll before'),
  field('disk_write_bytes', figure, 'double', RESOURCES, 'since the poll before'),
  field('net_sent_bytes', figure, 'double', RESOURCES, 'since the poll before'),
  field('net_recv_bytes', figure, 'double', RESOURCES, 'since the poll before'),
  field(
    'end_reason',
    low,
    'keyword',
    TASKS,
    'how its end is known: `completed` (it said so), `pod_gone`, `idle`, `session_ended`, `upstream_failed`, `input_ended`, `evicted` (no room to remember it any longer); absent while it runs',
  ),
  field(
    'incomplete_lifecycle',
    'Bool',
    'boolean',
    TASKS,
    'true when the engine itself had not seen it start: its duration says nothing, and is in no histogram',
  ),
  field('termination_reason', low, 'keyword', TASKS, 'why its container ended, where Kubernetes says it: `OOMKilled`'),
  field('exit_code', 'Nullable(Int32)', 'integer', TASKS, 'of its container'),
  field('ts_created', moment, 'date_nanos', TASKS, 'when the engine registered it'),
  field('ts_resolved', moment, 'date_nanos', TASKS, 'when all that it depends on had ended'),
  field('ts_queued', moment, 'date_nanos', TASKS, 'when it was put into the queue'),
  field('ts_submitted', moment, 'date_nanos', TASKS, 'when it was handed to the backend'),
  field('ts_started', moment, 'date_nanos', TASKS, 'when it began to run'),
  field(
    'phases',
    seconds,
    'phases',
    TASKS,
    'seconds by phase: `dependency_wait`, `scheduler_gap`, `queue`, `start_latency`, `execution`; of Flyte `load`, `inputs`, `execution`, `outputs`, `other`',
  ),
  field('self_time_s', seconds, 'object', TASKS, 'seconds by step, less those of the steps in it'),
  field('overhead_ratio', figure, 'double', TASKS, '1 - user code / total, from 0 to 1'),
  field('steps', 'UInt32', 'integer', TASKS, 'how many steps it was put together from'),
  field(
    'waterfall',
    'String CODEC(ZSTD(3))',
    'stored',
    TASKS,
    'JSON: `steps` in the order of their starts, each with `step`, `depth`, `start_s`, `wall_s`, `self_s`, `status`',
  ),
  field('params', text, 'object', TIMED, 'inputs of the task; values redacted unless allowed'),
  field('attributes', map, 'object', ALL, 'every other key of the line, its value as text'),
  field('lines', 'UInt32 DEFAULT 1', 'integer', ALL, 'physical lines that the event took; absent means 1'),
  field(
    'provenance',
    low,
    'keyword',
    ALL,
    'which fields came from elsewhere than the line: `execution_id:uri,attempt:pod`',
  ),
  field(
    'conditions',
    'Array(LowCardinality(String)) CODEC(ZSTD(1))',
    'keyword',
    EVENTS,
    'which conditions of its event type hold; behind it stand the columns of declared fields',
  ),
];

/** The identity of a row and its partition; written by the sinks, not by dialects. */
export const IDENTITY: readonly Omit<Field, 'tables'>[] = [
  { name: '_day', clickhouse: 'Date', search: 'keyword', meaning: 'UTC day on which the record was cut' },
  { name: '_src', clickhouse: low, search: 'keyword', meaning: 'spool and epoch' },
  { name: '_seq', clickhouse: 'UInt64 CODEC(Delta(8), ZSTD(1))', search: 'long', meaning: 'record' },
  { name: '_i', clickhouse: 'UInt32 CODEC(Delta(4), ZSTD(1))', search: 'long', meaning: 'row' },
];

/** The fields that rows of a table may have; behind them those that a pipeline declares. */
export function fieldsOf(table: EventTable, declared: readonly Field[] = []): readonly Field[] {
  return [...FIELDS, ...declared].filter((field) => field.tables.includes(table));
}
