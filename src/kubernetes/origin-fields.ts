import { NOWHERE, type OriginFields } from '../origin.ts';
import { VARIABLES } from './flyte.ts';
import type { Place } from './path.ts';
import { MIRROR, type Pod } from './pod.ts';
import type { KubernetesRules } from './rules.ts';

/**
 * True if this is the very pod, not one that was there before or came after under the same name. A UID settles it; of a static pod, the annotation. Where the
 * place has no UID, as in `/var/log/containers`, the name has to do: whoever can, follows the link to `/var/log/pods`.
 */
export function isPodOf(place: Place, pod: Pod): boolean {
  if (place.pod_uid === pod.uid) return true;
  if (place.namespace !== pod.namespace || place.pod !== pod.name) return false;
  return place.pod_uid === '' || pod.annotations.get(MIRROR) === place.pod_uid;
}

/**
 * The origin of a container's lines. `pod`: what the API said; `none` when it was asked and knows no such pod, undefined when nobody asked. A pod that is not
 * the very one counts as none.
 */
export function originFields(place: Place, stream: string, pod: Pod | 'none' | undefined): OriginFields {
  const { namespace, pod: name, pod_uid, container } = place;
  const said = { ...NOWHERE, namespace, pod: name, pod_uid, container, stream };
  if (pod === undefined) return said;
  if (pod === 'none' || !isPodOf(place, pod)) return { ...said, k8s_enriched: false };
  return {
    ...said,
    pod_uid: pod.uid,
    node: pod.node,
    labels: pod.labels,
    owner: pod.owner,
    env: variablesOf(pod.containers.get(container)),
    k8s_enriched: true,
  };
}

/**
 * What a line's transport says of its pod, with what the API knows of that very pod. Labels and a node that were said stay: they are of the time of the line.
 */
export function completed(said: OriginFields, pods: KubernetesRules['pods']): OriginFields {
  if (pods === undefined || said.pod === '') return said;
  const pod = said.pod_uid === '' ? pods.named(said.namespace, said.pod) : pods.get(said.pod_uid);
  if (pod === undefined || !isPodOf(said, pod)) return { ...said, k8s_enriched: false };
  const known = originFields(said, said.stream, pod);
  return { ...known, node: said.node || known.node, labels: said.labels.size === 0 ? known.labels : said.labels };
}

/** By the container's own variables: a record comes for every line. */
const variables = new WeakMap<ReadonlyMap<string, string>, ReadonlyMap<string, string>>();

/** Those that say something of the execution. One that refers to another, `$(NAME)`, is not what the container sees. */
export function variablesOf(given: ReadonlyMap<string, string> | undefined): ReadonlyMap<string, string> {
  if (given === undefined) return NOWHERE.env;
  const known = variables.get(given) ?? readable(given);
  variables.set(given, known);
  return known;
}

function readable(given: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const kept = [...given].filter(([name, value]) => VARIABLES.has(name) && value !== '' && !value.includes('$('));
  return kept.length === 0 ? NOWHERE.env : new Map(kept);
}
