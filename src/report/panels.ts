import { histogram, type Histogram } from './histogram.ts';
import { heatmap, type Heatmap } from './heatmap.ts';

/** A task as the table of tasks has it. Times are microseconds since 1970. */
export interface PanelTask {
  readonly session_id: string;
  readonly task_id: string;
  readonly task: string;
  readonly workflow_id: string;
  readonly status: string;
  readonly created: number | undefined;
  readonly started: number | undefined;
  /** `ts` of its row. */
  readonly ts: number;
}

/**
 * `upstream` counts as AsyncFlow's plot_workflow_gantt.py does: a canceled task has no end, a task's stage is its place in its workflow, whatever it is called, and ids are told
 * apart by nothing else. `own`: a canceled task ends too, a stage is a task's name, and workflows of two sessions are two.
 */
export type Mode = 'upstream' | 'own';

/** Seconds since the session began, unless their name says otherwise. */
export interface Panels {
  readonly mode: Mode;
  readonly stages: readonly string[];
  readonly gantt: readonly GanttRow[];
  /** Milliseconds of execution by workflow, in the order of `stages`. */
  readonly stage_execution_ms: readonly { readonly workflow_id: string; readonly ms: readonly number[] }[];
  /** Workflows at work from that time on. */
  readonly concurrency: readonly { readonly at_s: number; readonly workflows: number }[];
  /** Workflows by the time of their end. */
  readonly throughput: Histogram;
  readonly latency_ms: Histogram & { readonly mean?: number; readonly median?: number };
  readonly heatmap: Heatmap;
}

export interface GanttRow {
  readonly workflow_id: string;
  readonly created_s: number | undefined;
  readonly end_s: number | undefined;
  readonly bars: readonly {
    readonly task_id: string;
    readonly stage: string;
    /** From its creation to its start. */
    readonly wait: readonly [from_s: number, to_s: number] | undefined;
    readonly run: readonly [from_s: number, to_s: number] | undefined;
  }[];
}

const UPSTREAM_STAGES = ['load', 'preprocess', 'train', 'evaluate'];
const THROUGHPUT_BINS = 12;

/** A task with its times in seconds since the beginning, and its stage. */
interface Placed {
  readonly task_id: string;
  readonly stage: number;
  readonly created: number | undefined;
  readonly started: number | undefined;
  readonly end: number | undefined;
}

interface Workflow {
  readonly workflow_id: string;
  readonly tasks: readonly Placed[];
  readonly created: number | undefined;
  readonly end: number | undefined;
}

/** The six panels of a session, from its tasks. `t0` is when it began, in microseconds; without it, the first task's creation. Tasks without a workflow are in none of them. */
export function panelsOf(rows: readonly PanelTask[], mode: Mode, t0?: number): Panels {
  const told = mode === 'own' ? rows : [...new Map(rows.map((row) => [row.task_id, row])).values()];
  const grouped = told.filter(({ workflow_id }) => workflow_id !== '');
  const begin = t0 ?? least(told.map(({ created }) => created)) ?? 0;
  const own = [...new Set(byCreation(grouped).map(({ task }) => task))];
  const stages = mode === 'own' ? own : UPSTREAM_STAGES;
  const workflows = workflowsOf(grouped, mode, begin, own);
  const ended = workflows.filter((each): each is Workflow & { end: number } => each.end !== undefined);
  const latencies = ended.flatMap(({ created, end }) => (created === undefined ? [] : [(end - created) * 1000]));
  const bins = Math.min(Math.max(6, latencies.length), 20);
  return {
    mode,
    stages,
    gantt: workflows.map((workflow) => ganttRow(workflow, stages)),
    stage_execution_ms: workflows.map(({ workflow_id, tasks }) => ({
      workflow_id,
      ms: stages.map((_, stage) => total(tasks.filter((task) => task.stage === stage)) * 1000),
    })),
    concurrency: concurrency(workflows, mode),
    throughput: histogram(
      ended.map(({ end }) => end),
      THROUGHPUT_BINS,
    ),
    latency_ms: { ...histogram(latencies, bins), ...middle(latencies) },
    heatmap: heatmap(
      workflows.flatMap(({ tasks }) => tasks),
      stages.length,
    ),
  };
}

function workflowsOf(rows: readonly PanelTask[], mode: Mode, begin: number, own: readonly string[]): Workflow[] {
  const groups = new Map<string, PanelTask[]>();
  for (const row of byCreation(rows)) {
    const key = mode === 'own' ? JSON.stringify([row.workflow_id, row.session_id]) : row.workflow_id;
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  const at = (us: number | undefined): number | undefined => (us === undefined ? undefined : (us - begin) / 1e6);
  const sorted = [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.map(([, members]) => {
    const tasks = members.map(({ task_id, task, created, started, ts, status }, place): Placed => {
      const ends = status === 'success' || status === 'error' || (mode === 'own' && status === 'canceled');
      const stage = mode === 'own' ? own.indexOf(task) : place;
      return { task_id, stage, created: at(created), started: at(started), end: ends ? at(ts) : undefined };
    });
    const { workflow_id } = members[0]!;
    return {
      workflow_id,
      tasks,
      created: least(tasks.map(({ created }) => created)),
      end: most(tasks.map(({ end }) => end)),
    };
  });
}

function byCreation(rows: readonly PanelTask[]): PanelTask[] {
  return [...rows].sort((a, b) => (a.created ?? 0) - (b.created ?? 0));
}

function ganttRow({ workflow_id, tasks, created, end }: Workflow, stages: readonly string[]): GanttRow {
  const bars = tasks.flatMap((task) => {
    if (task.started === undefined) return [];
    const wait = span(task.created, task.started);
    const run = span(task.started, task.end);
    return [{ task_id: task.task_id, stage: stages[task.stage] ?? '', wait, run }];
  });
  return { workflow_id, created_s: created, end_s: end, bars };
}

function span(from: number | undefined, to: number | undefined): readonly [number, number] | undefined {
  return from !== undefined && to !== undefined && to > from ? [from, to] : undefined;
}

/** +1 where a workflow is created, -1 where its last task ends. Upstream draws it back to 0 at the end, also where something never ended. */
function concurrency(workflows: readonly Workflow[], mode: Mode): Panels['concurrency'] {
  const deltas = workflows.flatMap(({ created, end }) => [
    ...(created === undefined ? [] : [{ at: created, delta: 1 }]),
    ...(end === undefined ? [] : [{ at: end, delta: -1 }]),
  ]);
  deltas.sort((a, b) => a.at - b.at || b.delta - a.delta);
  let now = 0;
  const steps = deltas.map(({ at, delta }) => ({ at_s: at, workflows: (now += delta) }));
  const last = steps.at(-1);
  if (mode === 'upstream' && last !== undefined && last.workflows !== 0) steps.push({ at_s: last.at_s, workflows: 0 });
  return steps;
}

function total(tasks: readonly Placed[]): number {
  return tasks.reduce(
    (sum, { started, end }) => sum + (started === undefined || end === undefined ? 0 : end - started),
    0,
  );
}

function middle(values: readonly number[]): { mean?: number; median?: number } {
  if (values.length === 0) return {};
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  const median = (sorted[Math.ceil(half) - 1]! + sorted[Math.floor(half)]!) / 2;
  return { mean: values.reduce((sum, value) => sum + value, 0) / values.length, median };
}

function least(values: readonly (number | undefined)[]): number | undefined {
  return values.reduce((min, value) => (min === undefined || (value ?? min) < min ? value : min), undefined);
}

function most(values: readonly (number | undefined)[]): number | undefined {
  return values.reduce((max, value) => (max === undefined || (value ?? max) > max ? value : max), undefined);
}
