import type { Execution } from './executions.ts';
import type { Reading } from './nodes.ts';
import type { Panels } from './panels.ts';
import type { Figures, Session } from './sessions.ts';

/**
 * What RHAPSODY's own `summary()` gives, under its names and in its units, and what it has no words for behind it. Where upstream's figure is not what its name says, ours is: `duration` is that of
 * the execution, `running` is never negative, and what a device tells is not taken for its node.
 */
export function sessionJson(session: Session, readings: readonly Reading[], panels?: Panels): Record<string, unknown> {
  const { session_id, duration_seconds, ended, workflows } = session;
  const named = readings.filter((each) => each.session_id === session_id);
  const place = ({ backend, node_id }: Reading): string => `${backend}/${node_id}`;
  return {
    session_id,
    duration_seconds: rounded(duration_seconds),
    ...figuresJson(session),
    resources: Object.fromEntries(
      named
        .filter(({ gpu_id }) => gpu_id === undefined)
        .map((each) => [place(each), { backend: each.backend, node_id: each.node_id, ...orNull(each.values) }]),
    ),
    devices: Object.fromEntries(
      named
        .filter(({ gpu_id }) => gpu_id !== undefined)
        .map((each) => [
          `${place(each)}/${each.gpu_id}`,
          { ...pick(each), gpu_percent: each.values['gpu_percent'] ?? null },
        ]),
    ),
    ended,
    workflows: workflows.map(({ workflow_id, ...each }) => ({ workflow_id, ...figuresJson(each) })),
    ...(panels === undefined ? {} : { panels }),
  };
}

export function executionJson(execution: Execution): Record<string, unknown> {
  const { duration_seconds, task_seconds, overhead_ratio, ...rest } = execution;
  return {
    ...rest,
    duration_seconds: rounded(duration_seconds),
    task_seconds: rounded(task_seconds),
    overhead_ratio: rounded(overhead_ratio),
  };
}

function pick({ backend, node_id, gpu_id }: Reading): Record<string, unknown> {
  return { backend, node_id, gpu_id };
}

function figuresJson({ tasks, duration = {}, phases }: Omit<Figures, 'duration'> & { duration: object | undefined }): {
  readonly [name: string]: unknown;
} {
  const { submitted, completed, failed, canceled, running, never_run, unknown, waiting, tasks: all } = tasks;
  return {
    tasks: { submitted, completed, failed, canceled, running, never_run, unknown, waiting, all },
    duration: allRounded(duration),
    phases: allRounded(phases),
  };
}

function allRounded(values: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, rounded(value as number)]));
}

/** As upstream, to the microsecond. */
function rounded(value: number | undefined): number | null {
  return value === undefined ? null : Math.round(value * 1e6) / 1e6;
}

function orNull(values: Readonly<Record<string, number | undefined>>): Record<string, number | null> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value ?? null]));
}
