import type { IncomingMessage } from 'node:http';
import { originFields } from '../../kubernetes/origin-fields.ts';
import type { Pod } from '../../kubernetes/pod.ts';
import type { KubernetesRules } from '../../kubernetes/rules.ts';
import { NOWHERE, type OriginFields } from '../../origin.ts';
import { peerOf } from '../../posts/protocol.ts';

/** What somebody says who passes on the requests of others: the address of the connection is his own. */
const PASSED_ON = ['x-forwarded-for', 'forwarded', 'via', 'x-real-ip'] as const;

const UNKNOWN: OriginFields = { ...NOWHERE, k8s_enriched: false };

/** The same object for the same pod, so that its rows' columns are made once. */
const known = new WeakMap<Pod, OriginFields>();

/** The pod that has sent a request; undefined where nobody is asked for pods. */
export function senderOf(request: IncomingMessage, pods: KubernetesRules['pods']): OriginFields | undefined {
  if (pods === undefined) return undefined;
  const pod = PASSED_ON.some((name) => request.headers[name] !== undefined) ? undefined : pods.at(peerOf(request));
  if (pod === undefined) return UNKNOWN;
  const fields = known.get(pod) ?? fieldsOf(pod);
  known.set(pod, fields);
  return fields;
}

function fieldsOf(pod: Pod): OriginFields {
  // An address is of all containers of a pod.
  const [container = ''] = pod.containers.size === 1 ? pod.containers.keys() : [];
  return originFields({ namespace: pod.namespace, pod: pod.name, pod_uid: pod.uid, container }, '', pod);
}
