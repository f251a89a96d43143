import { EVENT_TABLES, fieldsOf, IDENTITY, KEYED_TABLES, type EventTable, type Field } from '../../fields.ts';

/** Where tables are, or are to be made. */
export interface Target {
  readonly database: string;
  /** Statements run ON CLUSTER, and tables are replicated. */
  readonly cluster?: string | undefined;
  /** Tables are ReplicatedMergeTree; of itself true with a cluster. */
  readonly replicated?: boolean | undefined;
  /** Columns that a pipeline declares. */
  readonly declared?: readonly Field[] | undefined;
}

export const VIEW = 'flytekit_telemetry';

/**
 * How many inserted blocks a table remembers the tokens of. ClickHouse's own default for a table that is not replicated is 0: every
 * retry duplicates. A larger window costs nothing that can be measured.
 */
export const WINDOW = 10_000;
const WINDOW_SECONDS = 604_800;

/** No column of these may be Nullable. Low cardinality first: what is asked for together then lies together. */
export const ORDER: Readonly<Record<EventTable, string>> = {
  steps: 'project, domain, task, step, ts',
  logs: 'namespace, pod, ts',
  events: 'kind, project, ts',
  resources: 'node_id, ts',
  tasks: 'task_key',
};

/**
 * The engine of a table. Of a keyed one, merges leave the row of the highest version, and `FINAL` reads as if they were done, in whichever partitions the versions are: that of the day on
 * which each was taken.
 */
export function engineOf(table: EventTable): string {
  return KEYED_TABLES.has(table) ? 'ReplacingMergeTree(version)' : 'MergeTree';
}

/** A name as an identifier. What would need escaping is refused: nobody names a database like that by intention. */
export function identifier(name: string): string {
  if (/^[A-Za-z_][A-Za-z0-9_-]{0,127}$/.test(name)) return `\`${name}\``;
  throw new Error(`${JSON.stringify(name)} cannot name a database or table: use letters, digits, _ and -`);
}

export function onCluster(cluster: string | undefined): string {
  if (cluster === undefined) return '';
  if (/^(?:\{[A-Za-z_]+\}|[A-Za-z0-9_.-]{1,128})$/.test(cluster)) return ` ON CLUSTER '${cluster}'`;
  throw new Error(`${JSON.stringify(cluster)} cannot name a cluster: use letters, digits, _, - and ., or {macro}`);
}

export function qualified(target: Target, table: string): string {
  return `${identifier(target.database)}.${identifier(table)}`;
}

/** The columns of a table as `name type`, in the order in which they are made. */
export function columnsOf(
  table: EventTable,
  declared?: readonly Field[],
): readonly { name: string; clickhouse: string }[] {
  return [...fieldsOf(table, declared), ...IDENTITY];
}

export function createDatabase(target: Target): string {
  return `CREATE DATABASE IF NOT EXISTS ${identifier(target.database)}${onCluster(target.cluster)}`;
}

/**
 * A table is partitioned by the day on which steptap took the row, never by the row's own time: a block is then one partition, which ClickHouse
 * stores whole or not at all. `ts_minmax` is what keeps questions about a time from reading every partition.
 */
export function createTable(target: Target, table: EventTable): string {
  const replicated = target.replicated ?? target.cluster !== undefined;
  const window = replicated
    ? `replicated_deduplication_window = ${WINDOW}, replicated_deduplication_window_seconds = ${WINDOW_SECONDS}`
    : `non_replicated_deduplication_window = ${WINDOW}`;
  const columns = columnsOf(table, target.declared).map(
    ({ name, clickhouse }) => `  ${identifier(name)} ${clickhouse}`,
  );
  columns.push(
    '  INDEX ts_minmax ts TYPE minmax GRANULARITY 1',
    '  INDEX execution_id_bloom execution_id TYPE bloom_filter GRANULARITY 1',
  );
  return [
    `CREATE TABLE IF NOT EXISTS ${qualified(target, table)}${onCluster(target.cluster)} (`,
    columns.join(',\n'),
    `) ENGINE = ${replicated ? 'Replicated' : ''}${engineOf(table)}`,
    'PARTITION BY _day',
    `ORDER BY (${ORDER[table]})`,
    `SETTINGS ${window}`,
  ].join('\n');
}

/** What flytekit's own ClickHouse table has, in its names, out of `steps`. */
export function createView(target: Target): string {
  return [
    `CREATE VIEW IF NOT EXISTS ${qualified(target, VIEW)}${onCluster(target.cluster)} AS SELECT`,
    '  s.event AS event, s.step_raw AS step, s.wall_time_s AS wall_time_s, s.process_time_s AS process_time_s,',
    '  s.status AS status, s.error_type AS error_type, s.execution_id AS execution_id, s.task AS task_name,',
    "  if(s.task_project != '', s.task_project, s.project) AS project,",
    "  if(s.task_domain != '', s.task_domain, s.domain) AS domain,",
    '  s.ts AS timestamp, s.params AS params',
    `FROM ${qualified(target, 'steps')} AS s`,
  ].join('\n');
}

/** Every statement that a new server needs, in order. Running them again changes nothing. */
export function createStatements(target: Target): string[] {
  return [createDatabase(target), ...EVENT_TABLES.map((table) => createTable(target, table)), createView(target)];
}
