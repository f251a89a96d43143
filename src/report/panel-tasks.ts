import { literal } from '../sinks/clickhouse/questions.ts';
import type { PanelTask } from './panels.ts';
import { numberOf, rowsOf, textOf, type Store, type Wanted } from './store.ts';

/** A picture of more shows nothing. */
export const MOST_TASKS = 100_000;

/** The tasks of one session, for its panels: the first MOST_TASKS. */
export async function panelTasks(store: Store, session: string, { workflow }: Wanted): Promise<PanelTask[]> {
  const only = workflow === undefined ? '' : ` AND workflow_id = ${literal(workflow)}`;
  const us = (name: string): string => `toUnixTimestamp64Micro(${name}) AS ${name}_us`;
  const sql = `SELECT session_id, task_id, task, workflow_id, status, ${['ts', 'ts_created', 'ts_started'].map(us).join(', ')}
FROM ${store.table('tasks')} FINAL
WHERE dialect = 'rhapsody' AND event = 'task' AND session_id = ${literal(session)}${only}
ORDER BY ts_created, task_id LIMIT ${MOST_TASKS}`;
  return (await rowsOf(store, sql)).map((row) => ({
    session_id: textOf(row, 'session_id'),
    task_id: textOf(row, 'task_id'),
    task: textOf(row, 'task'),
    workflow_id: textOf(row, 'workflow_id'),
    status: textOf(row, 'status'),
    created: numberOf(row, 'ts_created_us'),
    started: numberOf(row, 'ts_started_us'),
    ts: numberOf(row, 'ts_us')!,
  }));
}
