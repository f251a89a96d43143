import { flat, quote } from './bytes.ts';

/** What is known of where a line comes from, before its content is read. Empty strings stand for unknown. */
export interface OriginFields {
  readonly namespace: string;
  readonly pod: string;
  readonly pod_uid: string;
  readonly container: string;
  readonly node: string;
  readonly stream: string;
  readonly labels: ReadonlyMap<string, string>;
}

export const NOWHERE: OriginFields = {
  namespace: '',
  pod: '',
  pod_uid: '',
  container: '',
  node: '',
  stream: '',
  labels: new Map(),
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
  /** The Kubernetes columns of its rows as JSON members, each with a comma before it: a byte string. */
  readonly fragment: string;

  constructor(fields: OriginFields, constants: Constants) {
    this.given = fields;
    this.constants = constants;
    const { namespace, pod, pod_uid, container, node } = constants;
    this.fields = {
      namespace: namespace ?? fields.namespace,
      pod: pod ?? fields.pod,
      pod_uid: pod_uid ?? fields.pod_uid,
      container: container ?? fields.container,
      node: node ?? fields.node,
      stream: fields.stream,
      labels: fields.labels,
    };
    this.fragment = fragmentOf(this.fields, constants);
  }
}

function fragmentOf(fields: OriginFields, constants: Constants): string {
  const texts = {
    namespace: fields.namespace,
    pod: fields.pod,
    pod_uid: fields.pod_uid,
    container: fields.container,
    node: fields.node,
    app: constants.app ?? '',
    component: constants.component ?? '',
  };
  let fragment = '';
  for (const [name, value] of Object.entries(texts)) if (value !== '') fragment += `,"${name}":${quote(value)}`;
  if (fields.labels.size > 0) {
    const labels = [...fields.labels].map(([name, value]) => `${quote(name)}:${quote(value)}`);
    fragment += `,"labels":{${labels.join(',')}}`;
  }
  if (fields.stream !== '') fragment += `,"stream":"${fields.stream}"`;
  return flat(fragment);
}

/** Past this many the table becomes the old one, and the old one is forgotten: pods come and go, and what is open in a living one is looked up by it. */
const MOST = 5_000;
/** The same past so many characters of names. */
const MOST_TEXT = 4 << 20;

/** The origins of a run. */
export class Origins {
  readonly #constants: Constants;
  #known = new Map<string, Origin>();
  #old = new Map<string, Origin>();
  #length = 0;

  constructor(constants: Constants) {
    this.#constants = constants;
  }

  /** The one origin with these fields. */
  of(fields: OriginFields): Origin {
    const { namespace, pod, pod_uid, container, node, stream, labels } = fields;
    const labelText = labels.size === 0 ? '' : JSON.stringify([...labels]);
    const key = JSON.stringify([namespace, pod, pod_uid, container, node, stream, labelText]);
    let origin = this.#known.get(key);
    if (origin === undefined) {
      origin = this.#old.get(key) ?? new Origin(fields, this.#constants);
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
