import { FLYTEKIT_STEPS } from '../../dialects/flytekit/steps.ts';

/** A step as it is kept while its task is open: short, since all of them are written again with every change. Times in microseconds since 1970. */
export type Step = readonly [
  step: string,
  start_us: number,
  end_us: number,
  /** `''`, or `error`. */
  failed: string,
  error_type: string,
  process_time_s: number,
];

export interface Node {
  readonly step: string;
  readonly start_us: number;
  readonly end_us: number;
  readonly failed: boolean;
  readonly error_type: string;
  readonly process_time_s: number;
  /** In the order of their starts. */
  readonly children: Node[];
  /** Of the time of the task, what is this step's and no child's. */
  self_us: number;
}

/** A step is said a little after it ended, and in milliseconds: what a child started seems up to 2 ms before its parent. */
export const SLACK_US = 2_000;

/** Steps that enclose none, however short those before them were. */
const LEAVES = words(
  'download_data upload_data load_task_module load_map_task load_airflow_task deserialize_inputs pre_execute post_execute',
  'async_translate_literal_to_python_value write_decks output_offloading',
  'download_code_bundle load_pkl_task load_task_from_tgz load_task_from_resolver load_inputs',
);

/** What flytekit's own steps enclose of flytekit's own. A user's steps, and those of Flyte 2, are told by their times alone. */
const ENCLOSED: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['download_distribution', words('download_data')],
  ['load_task', words('load_task_module load_map_task load_airflow_task download_data')],
  ['download_inputs', words('download_data')],
  ['translate_literal_to_python_value', words('async_translate_literal_to_python_value download_data')],
  ['execute_user_code', words('download_data upload_data')],
  ['translate_output_to_literals', words('upload_data download_data')],
  ['dispatch_execute', words('translate_output_to_literals upload_data download_data')],
  [
    'task_dispatch_execute',
    words(
      'pre_execute translate_literal_to_python_value async_translate_literal_to_python_value execute_user_code',
      'post_execute dispatch_execute translate_output_to_literals write_decks download_data upload_data',
    ),
  ],
  ['upload_outputs', words('upload_data')],
  ['output_deck', words('upload_data')],
]);

/** Steps of the data, which a user's code does too. */
const DATA = words('download_data upload_data');
const FLYTE2_STEPS = words(
  'download_code_bundle load_pkl_task load_task_from_tgz load_task_from_resolver load_inputs convert_inputs_to_native',
  'run_task convert_outputs_from_native load_and_run_task_total',
);
const NONE = words();

/** True for the steps that only Flyte itself takes, and only in a task. */
export function isOwn(step: string): boolean {
  return FLYTE2_STEPS.has(step) || (FLYTEKIT_STEPS.has(step) && !DATA.has(step));
}

function words(...lines: string[]): ReadonlySet<string> {
  return new Set(lines.flatMap((line) => line.split(' ')));
}

/**
 * The steps of one task, in the order in which the stream had them, as a tree under a root that no step tells: from the first start to the last end. Steps are told as they end, so whatever a step
 * encloses came before it: it adopts all that started no earlier, took no longer, and fit.
 *
 * Every moment of the task is the self time of exactly one node, so that self times add up to the root to the microsecond: of siblings that overlap, the moment is the earlier one's.
 */
export function treeOf(steps: readonly Step[]): Node {
  const roots: Node[] = [];
  let start_us = Number.POSITIVE_INFINITY;
  let end_us = Number.NEGATIVE_INFINITY;
  for (const [step, start, end, failed, error_type, process_time_s] of steps) {
    start_us = Math.min(start_us, start);
    end_us = Math.max(end_us, end);
    const node: Node = {
      step,
      start_us: start,
      end_us: end,
      failed: failed !== '',
      error_type,
      process_time_s,
      children: [],
      self_us: 0,
    };
    if (!LEAVES.has(step)) adopt(node, roots);
    roots.push(node);
  }
  const told = { step: 'task', failed: false, error_type: '', process_time_s: Number.NaN };
  const root: Node = { ...told, start_us, end_us, children: roots, self_us: 0 };
  if (steps.length > 0) share(root, start_us, end_us);
  return root;
}

/** Takes out of the roots what the node encloses. */
function adopt(node: Node, roots: Node[]): void {
  let free = 0;
  for (const root of roots) {
    if (encloses(node, root)) node.children.push(root);
    else roots[free++] = root;
  }
  roots.length = free;
}

function encloses(node: Node, child: Node): boolean {
  if (child.start_us < node.start_us - SLACK_US) return false;
  if (child.end_us - child.start_us > node.end_us - node.start_us) return false;
  if (!FLYTEKIT_STEPS.has(child.step)) return true;
  return (ENCLOSED.get(node.step) ?? (FLYTEKIT_STEPS.has(node.step) ? NONE : DATA)).has(child.step);
}

/** Gives the node the time from `from` to `to`, and its children their parts of it. */
function share(node: Node, from: number, to: number): void {
  if (node.children.length > 1) node.children.sort((a, b) => a.start_us - b.start_us);
  node.self_us = to - from;
  let at = from;
  for (const child of node.children) {
    const begins = Math.max(at, Math.min(child.start_us, to));
    const ends = Math.max(begins, Math.min(child.end_us, to));
    share(child, begins, ends);
    node.self_us -= ends - begins;
    at = ends;
  }
}

/** The node and all under it, parents first, in the order of their starts. */
export function walk(node: Node, each: (node: Node, depth: number) => void, depth = 0): void {
  each(node, depth);
  for (const child of node.children) walk(child, each, depth + 1);
}

/** The innermost of the steps that failed for what failed the task; undefined when nothing did. What a step caught has not failed it. */
export function failedStep(root: Node): Node | undefined {
  let innermost: Node | undefined;
  for (let at = root; ; at = innermost) {
    const failed = at.children.find((child) => child.failed);
    if (failed === undefined) return innermost;
    innermost = failed;
  }
}
