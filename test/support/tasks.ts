import type { RowObject } from './rows.ts';

/** The key of a task, of its number. */
export function keyOf(number: number): string {
  return number.toString(16).padStart(32, '0');
}

/** A task as the stage that derives it writes it: its keys in the order of FIELDS. What is given replaces them, `undefined` leaves one out. */
export function taskRow(key: number, version: number, fields: Readonly<Record<string, unknown>> = {}): RowObject {
  const row = {
    ts: '2026-11-21T10:31:12.640123Z',
    task_key: keyOf(key),
    version: 1_795_000_000_000_000 + version,
    revision: version,
    task_day: '2026-11-21',
    ts_start: '2026-11-21T10:31:00.640123Z',
    dialect: 'flytekit',
    event: 'task',
    kind: 'task',
    status: 'success',
    wall_time_s: 12,
    execution_id: 'f12abc',
    task: 'workflows.train.fit',
    depends_on: ['task.000001', 'task.000002'],
    project: 'ml',
    domain: 'production',
    end_reason: 'completed',
    exit_code: 0,
    ts_started: '2026-11-21T10:31:01.000000Z',
    phases: { load: 1.5, inputs: 0.5, execution: 9, outputs: 0.75, other: 0.25 },
    self_time_s: { load_task: 1.5, execute_user_code: 9 },
    overhead_ratio: 0.25,
    steps: 2,
    waterfall: { steps: [{ step: 'load_task', depth: 1, start_s: 0, wall_s: 1.5, self_s: 1.5, status: 'success' }] },
    ...fields,
  };
  return JSON.parse(JSON.stringify(row)) as RowObject;
}
