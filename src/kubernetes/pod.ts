import { controllerOf, ownerByName, type Controller, type Owner } from './owners.ts';

/** What is kept of a pod. Frozen; the object that the API gave is let go. */
export interface Pod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly node: string;
  /** Those that are its own, while it runs. */
  readonly addresses: readonly string[];
  /** Those that are allowed. */
  readonly labels: ReadonlyMap<string, string>;
  /** Those that are asked for. */
  readonly annotations: ReadonlyMap<string, string>;
  /** Who stands behind it: a Deployment, a CronJob, a StatefulSet, a `flyteworkflow`. */
  readonly owner: Owner | undefined;
  /** By container, init and ephemeral ones too: Flyte's variables, where the spec has their values. */
  readonly containers: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** By container: how it ended last, where that is known and it does not run. */
  readonly terminated: ReadonlyMap<string, { readonly reason: string; readonly exit_code: number }>;
}

/** Which keys of a pod are kept. */
export interface Kept {
  readonly label: (key: string) => boolean;
  readonly annotation: (key: string) => boolean;
}

/** On a static pod, as the API has it: the UID by which the kubelet, and the path of its files, know it. */
export const MIRROR = 'kubernetes.io/config.mirror';

/** What Flyte tells a container of itself: propeller's names, flytekit's fallbacks, and those of Flyte 2. */
const VARIABLES = new Set([
  ...['ID', 'PROJECT', 'DOMAIN', 'WORKFLOW', 'LAUNCHPLAN'].map((name) => `FLYTE_INTERNAL_EXECUTION_${name}`),
  ...['PROJECT', 'DOMAIN', 'NAME', 'VERSION'].flatMap((name) => [
    `FLYTE_INTERNAL_TASK_${name}`,
    `FLYTE_INTERNAL_${name}`,
  ]),
  'FLYTE_ATTEMPT_NUMBER',
  'FLYTE_EXECUTION_URL',
  'BATCH_JOB_ARRAY_INDEX_VAR_NAME',
  'FLYTE_K8S_ARRAY_INDEX',
  ...['DES', 'WN', 'PRJ', 'DM', 'NM', 'WF', 'LP', 'TK_PRJ', 'TK_DM', 'TK_NM', 'TK_V', 'PN'].map((name) => `_F_${name}`),
  '_F_L_MIN_SIZE_MB',
  '_F_L_MAX_SIZE_MB',
  'RUN_NAME',
  'ACTION_NAME',
  '_U_ORG_NAME',
  '_U_RUN_BASE',
]);

/** A longer value is no name of anything, and not kept. */
const LONGEST = 1_024;

type Fields = Readonly<Record<string, unknown>>;

/** The pod in an object of the API, and its controller; undefined when it is none. Its owner is the one that the names tell. */
export function podOf(value: unknown, kept: Kept): { pod: Pod; controller: Controller | undefined } | undefined {
  const { metadata, spec, status } = fields(value);
  const { uid, namespace, name, labels, annotations } = fields(metadata);
  if (!isName(uid) || !isName(namespace) || !isName(name)) return undefined;
  const { nodeName } = fields(spec);
  const controller = controllerOf(fields(metadata));
  const hash = fields(labels)['pod-template-hash'];
  const pod: Pod = {
    uid,
    namespace,
    name,
    node: isName(nodeName) ? nodeName : '',
    addresses: addressesOf(fields(spec), fields(status)),
    labels: texts(Object.entries(fields(labels)), kept.label),
    annotations: texts(Object.entries(fields(annotations)), kept.annotation),
    owner: controller && ownerByName(controller, isName(hash) ? hash : undefined),
    containers: containersOf(fields(spec)),
    terminated: terminatedOf(fields(status)),
  };
  return { pod: Object.freeze(pod), controller };
}

/** One that has ended keeps the address that another may have by now, and one on the network of its node has that of the node. */
function addressesOf({ hostNetwork }: Fields, { phase, podIP, podIPs }: Fields): readonly string[] {
  if (phase !== 'Running' || hostNetwork === true) return [];
  const said = [podIP, ...list(podIPs).map((each) => fields(each)['ip'])];
  return [...new Set(said.filter(isName))];
}

function containersOf(spec: Fields): Pod['containers'] {
  const containers = new Map<string, ReadonlyMap<string, string>>();
  for (const each of [spec['initContainers'], spec['containers'], spec['ephemeralContainers']].flatMap(list)) {
    const { name, env } = fields(each);
    if (!isName(name)) continue;
    // One without a value takes it from a secret, say, and is not literal.
    const given = list(env).map((variable): [string, unknown] => {
      const { name, value } = fields(variable);
      return [String(name), value];
    });
    containers.set(
      name,
      texts(given, (variable) => VARIABLES.has(variable)),
    );
  }
  return containers;
}

function terminatedOf(status: Fields): Pod['terminated'] {
  const ends = new Map<string, { reason: string; exit_code: number }>();
  const { initContainerStatuses, containerStatuses, ephemeralContainerStatuses } = status;
  for (const each of [initContainerStatuses, containerStatuses, ephemeralContainerStatuses].flatMap(list)) {
    const { name, state, lastState } = fields(each);
    const { running, terminated } = fields(state);
    // Whoever was started again has not ended, however it ended before.
    if (running !== undefined && running !== null) continue;
    const { reason, exitCode } = fields(terminated ?? fields(lastState)['terminated']);
    if (!isName(name) || !Number.isSafeInteger(exitCode)) continue;
    ends.set(name, { reason: isName(reason) ? reason : '', exit_code: exitCode as number });
  }
  return ends;
}

function texts(entries: readonly [string, unknown][], kept: (key: string) => boolean): Map<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of entries) {
    if (kept(key) && typeof value === 'string' && value.length <= LONGEST) found.set(key, value);
  }
  return found;
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= LONGEST;
}

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
