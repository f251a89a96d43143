import type { EventRow, TaskRecord } from './assembler.ts';
import { taskKey } from './row.ts';

/** Ids of tasks repeat from session to session. */
export interface TaskName {
  readonly session: string;
  readonly id: string;
}

/** What is known of one task of RHAPSODY or AsyncFlow. Kept as JSON, tens of thousands of them. Times are microseconds since 1970. */
export interface RhapsodyTask {
  task?: string;
  workflow?: string;
  backend?: string;
  span?: string;
  depends_on?: readonly string[];
  created?: number;
  resolved?: number;
  queued?: number;
  submitted?: number;
  started?: number;
  ended?: number;
  /** The latest end of the tasks that it depends on, when those of all of them are known. */
  upstream?: number;
  /** Of its end, as the engine told it. */
  status?: string;
  error_type?: string;
  incomplete?: boolean;
  /** Why nothing more is waited for, where no end was told. */
  end_reason?: string;
  /** Absent while no end was told. */
  revision?: number;
  /** `task_day` of its rows. */
  day?: string;
  /** When it was put aside, milliseconds since 1970. */
  closed_ms?: number;
}

const MOMENTS = {
  TaskCreated: 'created',
  'asyncflow.TaskResolved': 'resolved',
  TaskQueued: 'queued',
  TaskSubmitted: 'submitted',
  TaskStarted: 'started',
} as const;
const ENDS = { TaskCompleted: 'success', TaskFailed: 'error', TaskCanceled: 'canceled' } as const;

/** More than that are not kept; the end of all is then not known. */
const MOST_DEPENDENCIES = 1_000;

/** Whether an event of that name says something of the life of a task. */
export function isLifecycle(event: string): boolean {
  return Object.hasOwn(MOMENTS, event) || Object.hasOwn(ENDS, event);
}

/** Adds what an event says; false when all of it was known already. They may come in any order: each is a time of its own, and the last of a name counts. */
export function learn(task: RhapsodyTask, event: string, { fields, ts_us }: EventRow): boolean {
  let changed = false;
  const set = <Name extends keyof RhapsodyTask>(name: Name, value: RhapsodyTask[Name] | undefined): void => {
    if (value === undefined || task[name] === value) return;
    task[name] = value;
    changed = true;
  };
  if (Object.hasOwn(MOMENTS, event)) set(MOMENTS[event as keyof typeof MOMENTS], ts_us);
  else {
    set('ended', ts_us);
    set('status', ENDS[event as keyof typeof ENDS]);
    set('error_type', text(fields['error_type']));
    const incomplete = (fields['attributes'] as Readonly<Record<string, unknown>> | undefined)?.[
      'incomplete_lifecycle'
    ];
    if (incomplete === 'true' || task.incomplete === true) set('incomplete', incomplete === 'true');
  }
  // Only these two name the backend that was chosen, the others the default one.
  const chosen = event === 'TaskSubmitted' || (event === 'TaskQueued' && task.submitted === undefined);
  if (chosen || task.backend === undefined) set('backend', text(fields['backend']));
  set('workflow', text(fields['workflow_id']));
  if (task.task === undefined) set('task', text(fields['task']));
  if (task.span === undefined) set('span', text(fields['span_id']));
  const { depends_on } = fields;
  if (task.depends_on === undefined && Array.isArray(depends_on) && depends_on.length > 0)
    set('depends_on', depends_on.slice(0, MOST_DEPENDENCIES) as string[]);
  return changed;
}

/** The times that are known of it. */
function moments(task: RhapsodyTask): number[] {
  const { created, resolved, queued, submitted, started, ended } = task;
  return [created, resolved, queued, submitted, started, ended].filter((time) => time !== undefined);
}

/** What is stored of it. `session` are columns that all tasks of the session share, `session_end` when it ended. */
export function recordOf(
  { session: session_id, id }: TaskName,
  task: RhapsodyTask,
  session: Readonly<Record<string, unknown>>,
  session_end: number | undefined,
): TaskRecord {
  const { ended, started } = task;
  const over = task.end_reason === 'session_ended' ? session_end : undefined;
  const execution = seconds(started, ended);
  const open = task.end_reason === 'input_ended' && started !== undefined;
  return {
    task_key: taskKey('rhapsody', session_id, id),
    ts_us: ended ?? over ?? Math.max(...moments(task)),
    revision: task.revision ?? 0,
    task_day: task.day,
    fields: {
      ...session,
      ts_start: execution === undefined ? undefined : started,
      dialect: 'rhapsody',
      event: isBlock(id) ? 'block' : 'task',
      kind: 'task',
      status: task.status ?? (open ? 'running' : 'unknown'),
      wall_time_s: execution,
      error_type: task.status === 'error' ? task.error_type : undefined,
      task: task.task,
      task_id: id,
      session_id,
      workflow_id: task.workflow,
      backend: task.backend,
      depends_on: task.depends_on,
      span_id: task.span,
      end_reason: ended === undefined ? task.end_reason : 'completed',
      incomplete_lifecycle: task.incomplete === true ? true : undefined,
      ts_created: task.created,
      ts_resolved: task.resolved,
      ts_queued: task.queued,
      ts_submitted: task.submitted,
      ts_started: started,
      phases: phasesOf(task),
      steps: moments(task).length,
    },
  };
}

/**
 * Where its time went. `scheduler_gap` is the last part of `dependency_wait`, from the end of the last task that it waited for: who adds phases up leaves it
 * out. A phase of which an end is missing is absent, and so is one that a clock set back has made negative.
 */
function phasesOf(task: RhapsodyTask): Record<string, number> | undefined {
  const { created, resolved, submitted, started, ended, upstream } = task;
  const all = {
    dependency_wait: seconds(created, resolved),
    scheduler_gap: seconds(upstream, resolved),
    queue: seconds(resolved, submitted),
    start_latency: seconds(submitted, started),
    execution: seconds(started, ended),
  };
  const known = Object.entries(all).filter((each): each is [string, number] => each[1] !== undefined);
  return known.length === 0 ? undefined : Object.fromEntries(known);
}

function seconds(from: number | undefined, to: number | undefined): number | undefined {
  return from === undefined || to === undefined || to < from ? undefined : (to - from) / 1e6;
}

/** A block of AsyncFlow is registered as a task is, and nothing more is ever said of it. */
function isBlock(id: string): boolean {
  return /^block\.\d+$/.test(id);
}

/** True when it may depend on more tasks than are kept. */
export function tooMany({ depends_on = [] }: RhapsodyTask): boolean {
  return depends_on.length === MOST_DEPENDENCIES;
}

/** True when one that it depends on may have kept it from running. */
export function failed({ status, end_reason }: RhapsodyTask): boolean {
  return status === 'error' || status === 'canceled' || end_reason === 'upstream_failed';
}

export function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
