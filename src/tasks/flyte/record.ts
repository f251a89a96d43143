import type { TaskRecord } from '../assembler.ts';
import { quote } from '../../bytes.ts';
import { Json, taskKey } from '../row.ts';
import type { Open } from './open.ts';
import { failedStep, treeOf, walk, type Node } from './tree.ts';

/** How the end of a task is known. */
export interface Ending {
  readonly end_reason: 'completed' | 'pod_gone' | 'idle' | 'input_ended' | 'evicted';
  readonly termination_reason?: string | undefined;
  readonly exit_code?: number | undefined;
}

const PHASES = ['load', 'inputs', 'execution', 'outputs', 'other'] as const;
type Phase = (typeof PHASES)[number];

/** The phase that a step, and all in it, is part of. */
const PHASE: ReadonlyMap<string, Phase> = new Map([
  ...each('load', 'download_distribution', 'load_task', 'load_task_module', 'load_map_task', 'load_airflow_task'),
  ...each('load', 'download_code_bundle', 'load_pkl_task', 'load_task_from_tgz', 'load_task_from_resolver'),
  ...each('inputs', 'download_inputs', 'deserialize_inputs', 'translate_literal_to_python_value'),
  ...each('inputs', 'load_inputs', 'convert_inputs_to_native'),
  ...each('execution', 'execute_user_code', 'run_task'),
  ...each('outputs', 'post_execute', 'dispatch_execute', 'translate_output_to_literals', 'write_decks'),
  ...each('outputs', 'output_offloading', 'upload_outputs', 'output_deck', 'convert_outputs_from_native'),
]);

function each(phase: Phase, ...steps: string[]): [string, Phase][] {
  return steps.map((step) => [step, phase]);
}

/** Time of a task that no step tells of. */
const UNTIMED = 'untimed';

/** What is known of a task, as its row. Its key is settled when it is told for the first time. */
export function recordOf(open: Open, ending: Ending): TaskRecord {
  const root = treeOf(open.steps);
  const seconds = phases(root);
  const total_s = (root.end_us - root.start_us) / 1e6;
  const failed = failedStep(root);
  const completed = ending.end_reason === 'completed';
  const status = statusOf(open, failed, ending);
  const ran = completed || seconds.execution > 0;
  return {
    task_key: (open.key ??= keyOf(open)),
    ts_us: root.end_us,
    // Of a task that was killed nobody knows how long its last step took: no histogram counts it.
    revision: completed ? open.revision + 1 : 0,
    fields: {
      ...open.columns,
      ts_start: root.start_us,
      event: 'flyte_task',
      kind: 'task',
      status,
      wall_time_s: total_s,
      process_time_s: processTime(root),
      ...errorOf(open, failed),
      ...ending,
      ts_started: root.start_us,
      phases: seconds,
      overhead_ratio: ran && total_s > 0 ? round(1 - seconds.execution / total_s) : undefined,
      steps: open.steps.length + open.more,
      ...stepsOf(root, status, open.more),
    },
  };
}

const WHO = ['execution_id', 'task', 'node_id', 'attempt', 'container', 'map_index'];

/** Of a task whose pod nobody knows, its time is what tells it from the others of its execution, and a local run from the one before; it is the same when its lines are read again. */
function keyOf({ n, columns, steps }: Open): string {
  const text = (name: string): string => {
    const value = columns[name];
    return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
  };
  const pod = text('pod_uid') || `${text('namespace')}/${text('pod')}`;
  if (pod === '/') return taskKey('flyte', ...WHO.map(text), steps[0]![1]);
  return taskKey('flyte', pod, ...WHO.map(text), n);
}

/** A user's error ends a container with 0: what the steps say counts first. */
function statusOf(open: Open, failed: Node | undefined, { end_reason, exit_code = 0 }: Ending): string {
  if (failed !== undefined || open.error !== undefined || exit_code !== 0) return 'error';
  return end_reason === 'completed' ? 'success' : 'unknown';
}

/** The failure once, however many steps it ended: the class as its innermost step had it, the true one as flytekit told it behind it. */
function errorOf({ error }: Open, failed: Node | undefined): Record<string, unknown> {
  if (error === undefined && failed === undefined) return {};
  return {
    error_type: failed?.error_type ?? error?.error_type,
    root_error_type: error?.root_error_type,
    error_kind: error?.error_kind,
    message: error?.message,
    ...(failed === undefined ? {} : { attributes: { 'steptap.failed_step': failed.step } }),
  };
}

function processTime(root: Node): number | undefined {
  let sum = 0;
  for (const { process_time_s } of root.children) if (!Number.isNaN(process_time_s)) sum += process_time_s;
  return sum === 0 ? undefined : round(sum);
}

/** Seconds by phase; they add up to the whole. */
function phases(root: Node): Record<Phase, number> {
  const sums = { load: 0, inputs: 0, execution: 0, outputs: 0, other: 0 };
  const add = (node: Node, around: Phase | undefined): void => {
    const phase = around ?? PHASE.get(node.step);
    sums[phase ?? 'other'] += node.self_us;
    for (const child of node.children) add(child, phase);
  };
  add(root, undefined);
  for (const phase of PHASES) sums[phase] /= 1e6;
  return sums;
}

/** Seconds by step, which add up to the whole; and the tree as text: it is the longest that a row has. */
function stepsOf(root: Node, status: string, more: number): { self_time_s: Record<string, number>; waterfall: Json } {
  const sums = new Map<string, number>();
  let text = '';
  walk(root, (node, depth) => {
    const { step, start_us, end_us, self_us } = node;
    const name = depth === 0 ? UNTIMED : step;
    sums.set(name, (sums.get(name) ?? 0) + self_us);
    const start_s = (start_us - root.start_us) / 1e6;
    const wall_s = (end_us - start_us) / 1e6;
    const told = depth === 0 ? status : node.failed ? 'error' : 'success';
    if (depth > 0) text += ',';
    text += `{"step":${quote(step)},"depth":${depth},"start_s":${start_s},"wall_s":${wall_s},"self_s":${self_us / 1e6},"status":"${told}"}`;
  });
  if (more > 0) text += `,{"step":"other","depth":1,"steps":${more}}`;
  const self_time_s = Object.fromEntries([...sums].map(([name, us]) => [name, us / 1e6]));
  return { self_time_s, waterfall: new Json(`{"steps":[${text}]}`) };
}

function round(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
