import type { Table } from './batch.ts';

/** A table that holds events. */
export type EventTable = Exclude<Table, 'rejections'>;

export const EVENT_TABLES: readonly EventTable[] = ['steps', 'logs', 'events'];

/** How Elasticsearch and OpenSearch index a field. `object` is `flattened` on the one and `flat_object` on the other. */
export type SearchType = 'date_nanos' | 'keyword' | 'text' | 'double' | 'integer' | 'long' | 'boolean' | 'object';

/** One field of an event: the same name in YAML, TypeScript, ClickHouse, Elasticsearch and the documentation. */
export interface Field {
  readonly name: string;
  /** Column type, with its codec or default behind it. */
  readonly clickhouse: string;
  readonly search: SearchType;
  readonly tables: readonly EventTable[];
  readonly meaning: string;
}

const ALL = EVENT_TABLES;
const TIMED: readonly EventTable[] = ['steps', 'events'];
const TOLD: readonly EventTable[] = ['logs', 'events'];
const FAILED: readonly EventTable[] = ['steps', 'logs', 'events'];

const low = 'LowCardinality(String)';
const time = "DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1))";
const text = 'String CODEC(ZSTD(1))';
const map = 'Map(LowCardinality(String), String) CODEC(ZSTD(1))';

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
  field('ts_start', time, 'date_nanos', TIMED, '`ts` less `wall_time_s`, where there is a duration'),
  field('dialect', low, 'keyword', ALL, 'whose way of writing the line was in: `flytekit`, `log`'),
  field('event', low, 'keyword', ALL, "the producer's own event name"),
  field('kind', low, 'keyword', ALL, '`step`, `task`, `run`, `resource`, `error`, `log`, `custom`'),
  field('step', low, 'keyword', TIMED, 'normalised name of the step, of low cardinality'),
  field('step_raw', text, 'keyword', TIMED, 'the name as it was written'),
  field('step_target', text, 'keyword', TIMED, 'the URI that was cut off the name'),
  field('status', low, 'keyword', TIMED, '`success`, `error`, `canceled`, `running`, `unknown`'),
  field('wall_time_s', 'Nullable(Float64)', 'double', TIMED, 'duration in seconds'),
  field('process_time_s', 'Nullable(Float64)', 'double', TIMED, 'CPU seconds of the whole process, threads included'),
  field('error_type', low, 'keyword', FAILED, 'exception class as it was written'),
  field('root_error_type', low, 'keyword', ['events'], 'the true exception class, from the captured trace'),
  field('error_kind', low, 'keyword', ['events'], '`user` or `system`'),
  field('execution_id', text, 'keyword', ALL, 'execution (Flyte), run (Flyte 2)'),
  field('workflow', low, 'keyword', ALL, 'name of the workflow'),
  field('task', low, 'keyword', ALL, 'name of the task, dotted'),
  field('task_version', low, 'keyword', ALL, 'version under which the task was registered'),
  field('node_id', text, 'keyword', ALL, 'node of the workflow'),
  field('attempt', 'Nullable(UInt16)', 'integer', ALL, 'attempt, from 0'),
  field('map_index', 'Nullable(UInt16)', 'integer', ALL, 'index inside a map task'),
  field('project', low, 'keyword', ALL, 'project of the execution'),
  field('domain', low, 'keyword', ALL, 'domain of the execution'),
  field('task_project', low, 'keyword', ALL, 'project under which the task is registered'),
  field('task_domain', low, 'keyword', ALL, 'domain under which the task is registered'),
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
  field('message', 'String CODEC(ZSTD(3))', 'text', TOLD, 'text of the log line; of an error, its trace'),
  field('logger', low, 'keyword', TOLD, 'name of the logger'),
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
];

/** The identity of a row and its partition; written by the sinks, not by dialects. */
export const IDENTITY: readonly Omit<Field, 'tables'>[] = [
  { name: '_day', clickhouse: 'Date', search: 'keyword', meaning: 'UTC day on which the record was cut' },
  { name: '_src', clickhouse: low, search: 'keyword', meaning: 'spool and epoch' },
  { name: '_seq', clickhouse: 'UInt64 CODEC(Delta(8), ZSTD(1))', search: 'long', meaning: 'record' },
  { name: '_i', clickhouse: 'UInt32 CODEC(Delta(4), ZSTD(1))', search: 'long', meaning: 'row' },
];

/** The fields that rows of a table may have. */
export function fieldsOf(table: EventTable): readonly Field[] {
  return FIELDS.filter((field) => field.tables.includes(table));
}
