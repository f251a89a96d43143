import type { Pods } from './pods.ts';
import { KEPT_LABELS, keyFilter } from './labels.ts';
import { kubernetesOptions, type KubernetesOptions } from './schema.ts';

/** What is kept of a pod's labels. */
export interface LabelRules {
  /** True for those that are stored, and for those that fields are read from: a list of one's own must not cost the execution. */
  readonly kept: (name: string) => boolean;
  /** True for those that stand in the column `labels`. */
  readonly stored: (name: string) => boolean;
}

export function labelRules(names: readonly string[]): LabelRules {
  const stored = keyFilter(names);
  return { stored, kept: (name) => READ.has(name) || stored(name) };
}

/** Labels that fields are read from. Not among them is `execution-identity`, which names a person. */
const READ: ReadonlySet<string> = new Set([
  'execution-id',
  'project',
  'domain',
  'workflow-name',
  'node-id',
  'task-name',
  'run',
  'action',
  'attempt',
  'flyte.org/project',
  'flyte.org/domain',
  'flyte.org/run',
  'flyte.org/action',
  'app',
  'component',
  'app.kubernetes.io/name',
  'app.kubernetes.io/component',
]);

/** How Kubernetes metadata becomes fields. */
export interface KubernetesRules {
  readonly labels: LabelRules;
  /** Domains of Flyte: where a namespace, or a name in a URI, is cut. */
  readonly domains: readonly string[];
  /** Who knows the pods that lines only name (an agent's record, a prefix of kubectl), or that have sent them. Undefined where nobody is asked. */
  readonly pods?: Pick<Pods, 'get' | 'named' | 'at'> | undefined;
}

const DOMAINS = kubernetesOptions.properties.namespace_domains.default;

export function kubernetesRules({ labels, namespace_domains }: KubernetesOptions): KubernetesRules {
  return { labels: labelRules(labels ?? KEPT_LABELS), domains: namespace_domains ?? DOMAINS };
}

export const KUBERNETES_DEFAULTS = kubernetesRules({});
