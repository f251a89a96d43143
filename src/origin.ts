import { flat, quote } from './bytes.ts';
import { KUBERNETES_DEFAULTS, type KubernetesRules } from './kubernetes/rules.ts';

/** What is known of where a line comes from, before its content is read. Empty strings stand for unknown. */
export interface OriginFields {
  readonly namespace: string;
  readonly pod: string;
  readonly pod_uid: string;
  readonly container: string;
  readonly node: string;
  readonly stream: string;
  /** Of the pod: those that are kept. */
  readonly labels: ReadonlyMap<string, string>;
  /** Who made the pod. */
  readonly owner: { readonly kind: string; readonly name: string } | undefined;
  /** Variables of the container, as far as fields are read from them. */
  readonly env: ReadonlyMap<string, string>;
  /** Whether the API server knows the pod; undefined where it was not asked. */
  readonly k8s_enriched: boolean | undefined;
}

export const NOWHERE: OriginFields = {
  namespace: '',
  pod: '',
  pod_uid: '',
  container: '',
  node: '',
  stream: '',
  labels: new Map(),
  owner: undefined,
  env: new Map(),
  k8s_enriched: undefined,
};

/** Fields that `--set` can fix. They win over what a line or its transport says. */
export const CONSTANT_FIELDS = [
  'namespace',
  'pod',
  'pod_uid',
  'container',
  'node',
  'app',
  'component',
  'project',
  'domain',
  'workflow',
  'execution_id',
  'node_id',
  'task_version',
] as const;

export type ConstantField = (typeof CONSTANT_FIELDS)[number];
export type Constants = Readonly<Partial<Record<ConstantField, string>>>;

/**
 * One stream of lines that belong together: a container's stderr, say. Interned, so that what depends on it alone is made once, and so that
 * lines of several streams in one pipe are joined each with its own.
 */
export class Origin {
  /** As it was asked for: `Origins.of` gives this origin for them. */
  readonly given: OriginFields;
  /** With the constants in their places. */
  readonly fields: OriginFields;
  readonly constants: Constants;
  readonly rules: KubernetesRules;
  /** The Kubernetes columns of its rows as JSON members, each with a comma before it: a byte string. */
  readonly fragment: string;
  readonly #of = new Map<App, string>();

  constructor(given: OriginFields, constants: Constants, rules: KubernetesRules) {
    this.given = given;
    this.constants = constants;
    this.rules = rules;
    const { namespace, pod, pod_uid, container, node } = constants;
    this.fields = {
      ...given,
      namespace: namespace ?? given.namespace,
      pod: pod ?? given.pod,
      pod_uid: pod_uid ?? given.pod_uid,
      container: container ?? given.container,
      node: node ?? given.node,
    };
    this.fragment = fragmentOf(this.fields, constants, rules, NO_APP);
  }

  /** The fragment of a line by which it is known whose it is, where nothing else says that: `app` and `component` are then these. */
  of(app: App): string {
    let fragment = this.#of.get(app);
    if (fragment === undefined) {
      fragment = fragmentOf(this.fields, this.constants, this.rules, app);
      this.#of.set(app, fragment);
    }
    return fragment;
  }
}

/** Whose a dialect's lines are: one object for each of the few that there are. */
export interface App {
  readonly app: string;
  readonly component: string;
}

const NO_APP: App = { app: '', component: '' };

function fragmentOf(fields: OriginFields, constants: Constants, rules: KubernetesRules, own: App): string {
  const { labels } = fields;
  const texts = {
    namespace: fields.namespace,
    pod: fields.pod,
    pod_uid: fields.pod_uid,
    container: fields.container,
    node: fields.node,
    app:
      constants.app ??
      labels.get('app.kubernetes.io/name') ??
      labels.get('app') ??
      (application(fields.owner) || own.app),
    component:
      constants.component ?? labels.get('app.kubernetes.io/component') ?? labels.get('component') ?? own.component,
  };
  let fragment = '';
  for (const [name, value] of Object.entries(texts)) if (value !== '') fragment += `,"${name}":${quote(value)}`;
  const stored = [...labels].filter(([name]) => rules.labels.stored(name));
  if (stored.length > 0) {
    fragment += `,"labels":{${stored.map(([name, value]) => `${quote(name)}:${quote(value)}`).join(',')}}`;
  }
  if (fields.k8s_enriched !== undefined) fragment += `,"k8s_enriched":${fields.k8s_enriched}`;
  if (fields.stream !== '') fragment += `,"stream":"${fields.stream}"`;
  return flat(fragment);
}

/** Those that stand for an application, and whose name stays when their pods are made anew. */
const APPLICATIONS: ReadonlySet<string> = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'CronJob']);

function application(owner: OriginFields['owner']): string {
  return owner !== undefined && APPLICATIONS.has(owner.kind) ? owner.name : '';
}

/** Past this many the table becomes the old one, and the old one is forgotten: pods come and go, and what is open in a living one is looked up by it. */
const MOST = 5_000;
/** The same past so many characters of names. */
const MOST_TEXT = 4 << 20;

/** The origins of a source. */
export class Origins {
  readonly constants: Constants;
  readonly rules: KubernetesRules;
  #known = new Map<string, Origin>();
  #old = new Map<string, Origin>();
  #length = 0;

  constructor(constants: Constants, rules = KUBERNETES_DEFAULTS) {
    this.constants = constants;
    this.rules = rules;
  }

  /** The one origin with these fields. */
  of(fields: OriginFields): Origin {
    const key = keyOf(fields);
    let origin = this.#known.get(key);
    if (origin === undefined) {
      origin = this.#old.get(key) ?? new Origin(fields, this.constants, this.rules);
      this.#length += key.length;
      if (this.#known.size >= MOST || this.#length > MOST_TEXT) {
        this.#old = this.#known;
        this.#known = new Map();
        this.#length = key.length;
      }
      this.#known.set(key, origin);
    }
    return origin;
  }
}

function keyOf(fields: OriginFields): string {
  const { namespace, pod, pod_uid, container, node, stream, labels, owner, env, k8s_enriched } = fields;
  const labelText = labels.size === 0 ? '' : JSON.stringify([...labels]);
  const key = JSON.stringify([namespace, pod, pod_uid, container, node, stream, labelText]);
  if (owner === undefined && env.size === 0 && k8s_enriched === undefined) return key;
  return key + JSON.stringify([owner?.kind, owner?.name, [...env], k8s_enriched]);
}
