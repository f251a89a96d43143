import { WORK } from '../../kubernetes/flyte.ts';
import { isOwn, type Step } from './tree.ts';

/** The captured error of a task, as its event told it. */
export interface Captured {
  readonly root_error_type?: unknown;
  readonly error_kind?: unknown;
  readonly error_type?: unknown;
  readonly message?: unknown;
}

/** A task that may still change: as it stands in the state. */
export interface Open {
  /** The task so many before it in its stream. */
  readonly n: number;
  /** What the rows say alike of it: columns by name. */
  columns: Record<string, unknown>;
  /** Those of them that the lines themselves did not say. */
  weak: string[];
  steps: Step[];
  /** Steps that are counted, and not kept. */
  more: number;
  error?: Captured;
  /** When the step ended after which no other of it begins; and whether the very last one was seen. */
  end_us?: number;
  last?: boolean;
  /** It was told as it was because nothing came any more: it may still go on. */
  silent?: boolean;
  /** When something came last. */
  last_ms: number;
  /** What was told of it. */
  revision: number;
  day?: string;
  key?: string;
}

/** What is remembered of a task that is not known any more. */
export interface Past {
  readonly n: number;
  readonly end_us: number;
  readonly at_ms: number;
}

/** Columns of a task that its rows have. */
const COLUMNS: readonly string[] = [
  'dialect',
  ...WORK,
  ...'namespace pod pod_uid container node app component labels k8s_enriched trace_id'.split(' '),
];

type Fields = Readonly<Record<string, unknown>>;

/** The fields that were not said, by where they are from (`execution_id:label,attempt:uri`). What the pipeline or an earlier line of the stream says counts as said. */
export function notSaid({ provenance }: Fields): ReadonlyMap<string, string> {
  if (typeof provenance !== 'string') return NOTHING;
  const beside = provenance.split(',').map((each) => each.split(':', 2) as [string, string]);
  return new Map(beside.filter(([, from]) => from !== 'set' && from !== 'stream'));
}

const NOTHING: ReadonlyMap<string, string> = new Map();

/**
 * What one more row says of the task: what the line says wins over what is known beside it, and what is said over nothing. The first lines of a pod are written outside of the task's context and know
 * nothing; a URI may be that of another node's data, but the last is that of the task's own outputs.
 */
export function describe(open: Open, fields: Fields): void {
  const beside = notSaid(fields);
  for (const name of COLUMNS) {
    const value = fields[name];
    if (value === undefined) continue;
    const from = beside.get(name);
    const known = open.columns[name];
    const weak = open.weak.indexOf(name);
    const better = known === undefined || (weak >= 0 && (from === undefined || from === 'uri'));
    if (!better) continue;
    open.columns[name] = value;
    if (from === undefined && weak >= 0) open.weak.splice(weak, 1);
    else if (from !== undefined && weak < 0) open.weak.push(name);
  }
}

/**
 * Steps of a task that are kept; of more only flytekit's own are, which are few. What is open is written again with every block in which it has changed: of a loop that times each of its turns 2,000
 * steps were 131 MB, and these are a tenth of it.
 */
const MOST_STEPS = 500;
const MOST_OWN_STEPS = MOST_STEPS + 200;

export function addStep(open: Open, step: Step): void {
  if (open.steps.length < (isOwn(step[0]) ? MOST_OWN_STEPS : MOST_STEPS)) open.steps.push(step);
  else open.more += 1;
}
