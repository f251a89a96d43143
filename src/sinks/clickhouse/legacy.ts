import type { Log } from '../../log.ts';
import type { Part } from '../sink.ts';
import { SinkError } from '../sink.ts';
import type { Body } from '../identity.ts';
import { apply, describeTables, type Run } from './catalog.ts';
import type { Difference } from './compare.ts';
import { qualified, VIEW, type Target } from './ddl.ts';
import type { ClickHouseOptions } from './schema.ts';

/*
 * The one table that flytekit itself writes to when it has a ClickHouse URL, in exactly its columns: for whoever has such a table and
 * dashboards on it. It has no identity columns and, mostly, no deduplication window: rows are stored at least once.
 */

/** As flytekit's users make it: none ships with flytekit. */
export function createLegacyTable(target: Target, table: string): string {
  return [
    `CREATE TABLE IF NOT EXISTS ${qualified(target, table)} (`,
    '  event LowCardinality(String), step String, wall_time_s Float64, process_time_s Float64,',
    '  status LowCardinality(String), error_type LowCardinality(String), execution_id String, task_name String,',
    "  project LowCardinality(String), domain LowCardinality(String), timestamp DateTime64(3, 'UTC'), params String",
    ') ENGINE = MergeTree ORDER BY (project, domain, task_name, timestamp)',
    'SETTINGS non_replicated_deduplication_window = 10000',
  ].join('\n');
}

/** Makes sure that the table is there. Whatever columns it has are its owner's business. */
export async function prepareLegacy(run: Run, options: ClickHouseOptions, table: string, log: Log): Promise<void> {
  const { statements, unfit } = await surveyLegacy(run, options, table);
  await apply(run, options, statements, log);
  if (unfit.length > 0) throw new SinkError('hold', 'schema', unfit.join('; '));
}

/** Whether the table is there, and can be written to. Changes nothing. */
export async function surveyLegacy(
  run: Run,
  options: ClickHouseOptions,
  table: string,
): Promise<Difference & { kind: 'table'; name: string; exists: boolean }> {
  const target: Target = { database: options.database };
  const existing = (await describeTables(run, options.database, [table])).get(table);
  const advice = `leave \`table\` out, and the view ${VIEW} shows what steptap stores`;
  return {
    kind: 'table',
    name: table,
    exists: existing !== undefined,
    statements: existing === undefined ? [createLegacyTable(target, table)] : [],
    unfit:
      existing?.engine === 'View'
        ? [`${qualified(target, table)} is a view, which cannot be written to: ${advice}`]
        : [],
  };
}

/** The fields of a row that the table has a column for. */
interface StepRow {
  readonly ts: string;
  readonly step?: string;
  readonly step_raw?: string;
  readonly task?: string;
  readonly project?: string;
  readonly domain?: string;
  readonly task_project?: string;
  readonly task_domain?: string;
  readonly params?: unknown;
  readonly [same: string]: unknown;
}

/** Writes the rows of a part that are not settled yet, in flytekit's own columns and order. Absent fields are left out. */
export function writeLegacyRows(part: Part, body: Body): void {
  let number = 0;
  for (const { rows, from, to } of part.slices) {
    for (let row = from; row < to; row++, number++) {
      if (part.settled?.[number] === 1) continue;
      const start = row === 0 ? 0 : rows.ends[row - 1]!;
      const text = legacyRow(JSON.parse(rows.bytes.toString('utf8', start, rows.ends[row])) as StepRow);
      body.reserve(Buffer.byteLength(text) + 1);
      body.length += body.bytes.write(`${text}\n`, body.length, 'utf8');
    }
  }
}

function legacyRow(row: StepRow): string {
  const { event, wall_time_s, process_time_s, status, error_type, execution_id, params } = row;
  return JSON.stringify({
    event,
    step: row.step_raw ?? row.step,
    wall_time_s,
    process_time_s,
    status,
    error_type,
    execution_id,
    task_name: row.task,
    project: row.task_project ?? row.project,
    domain: row.task_domain ?? row.domain,
    // 2026-02-19T10:31:12.640123Z: milliseconds, as flytekit writes them.
    timestamp: `${row.ts.slice(0, 10)} ${row.ts.slice(11, 23)}`,
    // Text, as flytekit writes it: a String column takes it as it is.
    params: params === undefined || typeof params === 'string' ? params : JSON.stringify(params),
  });
}
