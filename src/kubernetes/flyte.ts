import type { OriginFields } from '../origin.ts';
import { executionOf, generatedName, readPodName, searchHash, type PodName } from './flyte-names.ts';

/** The fields that say which piece of work a line is about, in the order of columns. */
export const WORK = [
  'execution_id',
  'workflow',
  'task',
  'task_version',
  'node_id',
  'attempt',
  'map_index',
  'task_id',
  'session_id',
  'workflow_id',
  'project',
  'domain',
  'task_project',
  'task_domain',
] as const;

export type WorkField = (typeof WORK)[number];
/** What somebody says of it; `''` and undefined say nothing. Attempts are from 0. */
export type Says = Readonly<Partial<Record<WorkField, string | undefined>>>;

/** Who says it, as the column `provenance` names him. `label~`: a label whose characters that a label cannot have became `-`. */
export type Witness = readonly [name: 'label' | 'label~' | 'owner' | 'env' | 'pod' | 'hash' | 'namespace', says: Says];

/** What Flyte tells a container of itself, by field: propeller's name for it, flytekit's fallback, that of Flyte 2. */
const ENV: readonly (readonly [WorkField, ...string[]])[] = [
  ['execution_id', 'FLYTE_INTERNAL_EXECUTION_ID', '_F_NM', 'RUN_NAME'],
  ['workflow', 'FLYTE_INTERNAL_EXECUTION_WORKFLOW', '_F_WF'],
  ['project', 'FLYTE_INTERNAL_EXECUTION_PROJECT', '_F_PRJ'],
  ['domain', 'FLYTE_INTERNAL_EXECUTION_DOMAIN', '_F_DM'],
  ['task', 'FLYTE_INTERNAL_TASK_NAME', '_F_TK_NM', 'FLYTE_INTERNAL_NAME'],
  ['task_version', 'FLYTE_INTERNAL_TASK_VERSION', '_F_TK_V', 'FLYTE_INTERNAL_VERSION'],
  ['task_project', 'FLYTE_INTERNAL_TASK_PROJECT', '_F_TK_PRJ', 'FLYTE_INTERNAL_PROJECT'],
  ['task_domain', 'FLYTE_INTERNAL_TASK_DOMAIN', '_F_TK_DM', 'FLYTE_INTERNAL_DOMAIN'],
  ['node_id', 'ACTION_NAME'],
  ['attempt', 'FLYTE_ATTEMPT_NUMBER'],
  ['map_index', 'FLYTE_K8S_ARRAY_INDEX'],
];

/** The variables that say something. */
export const VARIABLES: ReadonlySet<string> = new Set(ENV.flatMap(([, ...names]) => names));

/** Labels of v1 pods: lower case, and every run of other characters is one dash. */
export function labelSpelling(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^-a-z0-9]+/g, '-')
    .slice(0, 63)
    .replace(/^-+|-+$/g, '');
}

/** What the pod says whoever wrote the line, and what the rest of its name has to be read with. */
interface Pod {
  readonly witnesses: readonly Witness[];
  readonly generated: string;
  readonly execution_id: string;
  /** Of labels: the node's own id, not the one that is unique in the execution. */
  readonly node: string;
  readonly task: string;
  readonly hash: PodName | undefined;
  /** What was said last, and of which line: those of a stream are mostly about one thing. */
  last: { readonly execution_id: string; readonly task: string; readonly witnesses: readonly Witness[] } | undefined;
}

/** Fields are those of an origin, which is made once for a stream. */
const pods = new WeakMap<OriginFields, Pod>();

const NOBODY: readonly Witness[] = [];

/**
 * What Kubernetes says of a line's work, the most trusted first. `line`: what it says itself, which is needed for reading names: an execution that somebody has
 * named, and a map task.
 */
export function witnesses(fields: OriginFields, line: Says, domains: readonly string[]): readonly Witness[] {
  const { namespace, pod: name, labels, owner, env } = fields;
  if (namespace === '' && name === '' && labels.size === 0 && owner === undefined && env.size === 0) return NOBODY;
  let pod = pods.get(fields);
  if (pod === undefined) pods.set(fields, (pod = podOf(fields)));
  const execution_id = pod.execution_id || line.execution_id || '';
  const task = line.task || pod.task;
  if (pod.last?.execution_id !== execution_id || pod.last.task !== task) {
    pod.last = {
      execution_id,
      task,
      witnesses: [...pod.witnesses, ...named(pod, execution_id, task, namespace, domains)],
    };
  }
  return pod.last.witnesses;
}

/** What names say: those of the pod and of its namespace. */
function named(pod: Pod, known: string, task: string, namespace: string, domains: readonly string[]): Witness[] {
  const execution_id = known || executionOf(pod.generated);
  const name = readPodName(pod.generated, execution_id, pod.node, task);
  return [
    pod.hash === undefined ? ['pod', { execution_id: executionOf(pod.generated), ...name }] : ['hash', pod.hash],
    // Whatever else runs in such a namespace has neither project nor domain.
    ['namespace', execution_id === '' ? {} : divideNamespace(namespace, domains)],
  ];
}

function podOf(fields: OriginFields): Pod {
  const label = labelled(fields.labels);
  const env = environment(fields.env, label.spelt);
  const owner = owned(fields.owner);
  const said: Witness[] = [
    ['label', label.says],
    ['owner', owner],
    ['env', env],
    ['label~', label.spelt],
  ];
  const generated = generatedName(fields.pod);
  const execution_id = label.says.execution_id ?? owner.execution_id ?? env.execution_id ?? '';
  const node = label.says.node_id ?? '';
  return {
    witnesses: said.filter(([, says]) => Object.values(says).some((value) => value !== undefined)),
    generated,
    execution_id,
    node,
    task: env.task ?? label.says.task ?? label.spelt.task ?? '',
    hash: searchHash(generated, execution_id, node),
    last: undefined,
  };
}

/** Flyte 2 has other labels, of which `run` alone says nothing: `kubectl run` sets it too. */
function labelled(labels: ReadonlyMap<string, string>): { says: Says; spelt: Says } {
  if (labels.size === 0) return { says: {}, spelt: {} };
  const get = (...names: string[]): string | undefined => {
    for (const name of names) if ((labels.get(name) ?? '') !== '') return labels.get(name);
    return undefined;
  };
  const project = get('project', 'flyte.org/project');
  const domain = get('domain', 'flyte.org/domain');
  const task = get('task-name');
  if (labels.has('flyte.org/run') || (labels.has('run') && labels.has('action'))) {
    const execution_id = get('flyte.org/run', 'run');
    const node_id = get('flyte.org/action', 'action');
    // From 1 there.
    const attempt = /^[1-9]\d{0,4}$/.test(get('attempt') ?? '') ? String(Number(get('attempt')) - 1) : undefined;
    return { says: { execution_id, task, node_id, attempt, project, domain }, spelt: {} };
  }
  const says = { execution_id: get('execution-id'), node_id: get('node-id'), project, domain };
  return { says, spelt: { workflow: get('workflow-name'), task } };
}

/** `flyteworkflow` is named as the execution, a Flyte 2 `TaskAction` as run and action. */
function owned(owner: OriginFields['owner']): Says {
  if (owner?.kind.toLowerCase() === 'flyteworkflow') return { execution_id: owner.name };
  if (owner?.kind !== 'TaskAction') return {};
  const [, execution_id, node_id] = /^(r[a-z0-9]{19})-(.+)$/.exec(owner.name) ?? [];
  return { execution_id, node_id };
}

function environment(env: ReadonlyMap<string, string>, label: Says): Says {
  if (env.size === 0) return {};
  const says: Partial<Record<WorkField, string | undefined>> = {};
  for (const [field, ...names] of ENV) {
    const name = names.find((each) => (env.get(each) ?? '') !== '');
    if (name !== undefined) says[field] = env.get(name);
  }
  const { attempt, map_index } = says;
  if (!isNumber(attempt)) says.attempt = undefined;
  if (!isNumber(map_index)) says.map_index = undefined;
  // `<project>:<domain>:<name>`; the name behind the label, unless that is of another.
  const workflow = /^[^:]*:[^:]*:(.+)$/.exec(says.workflow ?? '')?.[1];
  const other = label.workflow !== undefined && labelSpelling(workflow ?? '') !== label.workflow;
  return { ...says, workflow: other ? undefined : workflow };
}

function isNumber(text: string | undefined): boolean {
  return text !== undefined && /^\d{1,5}$/.test(text);
}

/** `<project>-<domain>`, which is how Flyte names namespaces unless told. Where two domains could end it neither is taken: a project may have dashes too. */
export function divideNamespace(namespace: string, domains: readonly string[]): Pick<Says, 'project' | 'domain'> {
  const found = domains.filter((domain) => namespace.endsWith(`-${domain}`) && namespace.length > domain.length + 1);
  const [domain, ...more] = found;
  if (domain === undefined || more.length > 0) return {};
  return { project: namespace.slice(0, -domain.length - 1), domain };
}
