import { numberOf, rowsOf, textOf, type Store } from './store.ts';

/** An execution of Flyte, or whatever else another engine calls what its tasks belong to. */
export interface Execution {
  readonly dialect: string;
  readonly execution_id: string;
  readonly workflow: string;
  readonly tasks: number;
  readonly failed: number;
  /** From the start of its first task to the end of its last. */
  readonly duration_seconds: number | undefined;
  /** Of all tasks together. */
  readonly task_seconds: number;
  /** Of all tasks together: 1 - user code / total. */
  readonly overhead_ratio: number | undefined;
}

const MOST = 20;

/** Those that were heard of last first. */
export async function executionsOf(store: Store): Promise<Execution[]> {
  const sql = `SELECT dialect, execution_id, any(workflow) AS of_workflow, count() AS tasks, countIf(status = 'error') AS failed,
  dateDiff('microsecond', minIf(ts_start, wall_time_s IS NOT NULL), max(ts)) / 1e6 AS seconds, countIf(wall_time_s IS NOT NULL) AS timed,
  sum(wall_time_s) AS task_seconds,
  sum(wall_time_s * overhead_ratio) / sumIf(wall_time_s, overhead_ratio IS NOT NULL) AS overhead
FROM ${store.table('tasks')} FINAL WHERE dialect != 'rhapsody' AND execution_id != ''
GROUP BY dialect, execution_id ORDER BY max(ts) DESC LIMIT ${MOST}`;
  return (await rowsOf(store, sql)).map((row) => ({
    dialect: textOf(row, 'dialect'),
    execution_id: textOf(row, 'execution_id'),
    workflow: textOf(row, 'of_workflow'),
    tasks: numberOf(row, 'tasks')!,
    failed: numberOf(row, 'failed')!,
    duration_seconds: numberOf(row, 'timed') === 0 ? undefined : numberOf(row, 'seconds'),
    task_seconds: numberOf(row, 'task_seconds') ?? 0,
    overhead_ratio: numberOf(row, 'overhead'),
  }));
}
