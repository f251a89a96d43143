/** propeller names a pod `<execution>-<unique node id>-<attempt>`; past 50 characters that is hashed, of Ray past so many. */
const LONGEST_POD = 47;
/** A unique node id is `<parent's unique id>-<parent's attempt>-<node id>`, or the node id at the top; past this many characters that is hashed. */
const LONGEST_NODE = 20;

/** Kubernetes allows names of so many characters, and values of labels of so many. What is longer is not read: anybody may write it into a record. */
const LONGEST_NAME = 253;
const LONGEST_LABEL = 63;

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz123456';

/** `f` and the FNV-1a hash of the name, 32 bits in base 32. */
export function hashedName(name: string): string {
  let hash = 0x811c9dc5;
  for (let n = 0; n < name.length; n++) hash = Math.imul(hash ^ name.charCodeAt(n), 0x01000193);
  let text = 'f';
  for (let shift = 27; shift >= 2; shift -= 5) text += ALPHABET[(hash >>> shift) & 31]!;
  // The last two bits, and three that are not there.
  return text + ALPHABET[(hash << 3) & 31]!;
}

/** The name itself, unless it is longer. */
export function shortName(name: string, longest: number): string {
  return name.length <= longest ? name : hashedName(name);
}

/** How a hash looks; the two bits of its last character are all that there are. */
const HASH = 'f[a-z1-6]{6}[aiqy]';

/**
 * What operators put behind the name that propeller gave: Kubeflow's replicas, Spark's driver and executors, Ray's clusters. Only behind an attempt or a hash,
 * so that a node of that name stays whole.
 */
const OPERATED = new RegExp(
  `(?<=-\\d{1,5}|^${HASH})-(?:(?:master|worker|chief|ps|evaluator|scheduler|launcher)-\\d+|launcher|driver|[0-9a-f]{16}-exec-\\d+|raycluster-[a-z0-9]{5}-[a-z0-9-]+)$`,
);

/**
 * Names that Flyte itself gives to executions: `a` (admin) or `r` (Flyte 2) and 19 characters that make no words; `f` and 19 hex digits (scheduler); a prefix and
 * 19 hex digits (flytekit's remote).
 */
const NAMED =
  /^([ar][bcdfghjklmnpqrstvwxz2456789]{19}|f[0-9a-f]{19}|[a-z0-9][a-z0-9.-]*-[0-9a-f]{19})-(?:.+-)?[^-]+-\d{1,5}$/;

/** flytekit names map tasks `<module>.map_<task>_<hash>`, and those of array nodes with this behind it. Labels spell it with dashes. */
const ARRAY_NODE = '-arraynode';

function isArrayNode(task: string): boolean {
  return task.endsWith(ARRAY_NODE) && isMapTask(task.slice(0, -ARRAY_NODE.length));
}

function isMapTask(task: string): boolean {
  return /[_-][0-9a-f]{32}$/.test(task.slice(-33)) && /[.-]map[_-]/.test(task);
}

/** What the name of a pod says; what it leaves open is absent. */
export interface PodName {
  readonly node_id?: string;
  readonly attempt?: string;
  readonly map_index?: string;
}

/** The name that propeller gave: what an operator put behind it is off. `''` if it cannot be one. */
export function generatedName(pod: string): string {
  if (pod.length > LONGEST_NAME) return '';
  const generated = pod.replace(OPERATED, '');
  return generated.length > LONGEST_LABEL ? '' : generated;
}

/** The execution of a pod, where Flyte has named it; else `''`. */
export function executionOf(generated: string): string {
  return NAMED.exec(generated)?.[1] ?? '';
}

/** What stands behind the execution; `''` if the pod is not named after it. */
function behind(generated: string, execution: string): string {
  return execution !== '' && generated.startsWith(`${execution}-`) ? generated.slice(execution.length + 1) : '';
}

/** Node, then the attempt; of a map task of old an index behind that, and a retry of its own. A node ends in something that is no number. */
const NODE = /^((?:.+-)?[^-]*[^-\d][^-]*)-(\d{1,5})(?:-(\d{1,4}))?(?:-\d{1,4})?$/;
const NUMBERS = /^-(\d{1,5})(?:-(\d{1,4}))?(?:-\d{1,4})?$/;

/**
 * Reads `<execution>-<unique node id>-<attempt>`. `node`: the node's own id, if a label says it; `task`: the task's name, if anybody does. A number behind the
 * attempt is the index of a map task of old where either of them says so; else it may be part of a node's id, and all of it is left open.
 */
export function readPodName(generated: string, execution: string, node: string, task: string): PodName {
  const rest = behind(generated, execution);
  if (rest === '') return {};
  const [unique, attempt, index] = node === '' ? unlabelled(rest, task) : labelled(rest, node);
  if (unique === undefined || attempt === undefined) return {};
  const map_index = index ?? (isArrayNode(task) ? elementOf(unique, node) : undefined);
  return { node_id: unique, attempt, ...(map_index === undefined ? {} : { map_index }) };
}

/** Under an array node the nodes are `n0`, `n1`, ... and so may the array node itself be called, and what it is in. */
function elementOf(unique: string, node: string): string | undefined {
  if (node === '') return /-\d{1,5}-n(\d{1,4})$/.exec(unique)?.[1];
  return unique === node ? undefined : /(?:^|-)n(\d{1,4})$/.exec(node)?.[1];
}

type Parts = readonly [unique?: string | undefined, attempt?: string | undefined, index?: string | undefined];

function unlabelled(rest: string, task: string): Parts {
  const [, unique = '', attempt, index] = NODE.exec(rest) ?? [];
  if (unique.length > LONGEST_NODE) return [];
  return index === undefined || isMapTask(task) ? [unique, attempt, index] : [];
}

const HASHED_NODE = new RegExp(`^(${HASH})(-.*)$`);

function labelled(rest: string, node: string): Parts {
  // From the end: an array node and its children may have the same id.
  for (let at = rest.length; at > 0;) {
    at = rest.lastIndexOf(node, at - 1);
    if (at === -1) break;
    const numbers = NUMBERS.exec(rest.slice(at + node.length));
    if (numbers === null || (at > 0 && !/-\d{1,5}-$/.test(rest.slice(0, at)))) continue;
    return [rest.slice(0, at + node.length), numbers[1], numbers[2]];
  }
  const hashed = HASHED_NODE.exec(rest);
  const numbers = NUMBERS.exec(hashed?.[2] ?? '');
  return numbers === null ? [] : [hashed![1], numbers[1], numbers[2]];
}

/** A pod whose name is a hash, with the index and the retry of a map task of old behind it. */
const HASHED_POD = new RegExp(`^(${HASH})(?:-(\\d{1,4}))?(?:-\\d{1,4})?$`);
/** Parents that are tried: `n0` to `n31`, and so many attempts of theirs; and so many of the node's own. */
const PARENTS = 32;
const PARENT_ATTEMPTS = 4;
const ATTEMPTS = 32;

/**
 * Finds the attempt that made a hash of a pod's name, by trying: of 4,128 names that it could have been one has this hash, but for one time in a million.
 * Undefined if none has. `execution`, `node`: as the pod's labels say them.
 */
export function searchHash(generated: string, execution: string, node: string): PodName | undefined {
  const [, hash, map_index] = HASHED_POD.exec(generated) ?? [];
  if (hash === undefined || execution === '' || node === '') return undefined;
  if (Math.max(execution.length, node.length) > LONGEST_LABEL) return undefined;
  for (const node_id of uniqueIds(node)) {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const name = `${execution}-${node_id}-${attempt}`;
      if (name.length > LONGEST_POD && hashedName(name) === hash) {
        return { node_id, attempt: String(attempt), ...(map_index === undefined ? {} : { map_index }) };
      }
    }
  }
  return undefined;
}

function* uniqueIds(node: string): Generator<string, void> {
  yield shortName(node, LONGEST_NODE);
  for (let parent = 0; parent < PARENTS; parent++) {
    for (let attempt = 0; attempt < PARENT_ATTEMPTS; attempt++) {
      yield shortName(`n${parent}-${attempt}-${node}`, LONGEST_NODE);
    }
  }
}
