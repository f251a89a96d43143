import { isPodOf, originFields } from '../../kubernetes/origin-fields.ts';
import type { Place } from '../../kubernetes/path.ts';
import { MIRROR } from '../../kubernetes/pod.ts';
import type { Pods } from '../../kubernetes/pods.ts';
import { NOWHERE, type OriginFields } from '../../origin.ts';

/** What is known of a container: the fields that its rows have, and the annotations of its pod, where the API told them. */
export interface Known {
  readonly fields: OriginFields;
  readonly annotations: ReadonlyMap<string, string> | undefined;
}

/** Who knows the pods. */
export interface Metadata {
  /** What is known now. */
  now(place: Place): Known;
  /** What is known as soon as something is, or when the wait for it is over. Never rejects. */
  wait(place: Place, signal: AbortSignal): Promise<Known>;
  /** Called when something may have changed of the pods. Returns how to stop it. */
  watch(changed: (pod_uid: string) => void): () => void;
}

/** The path alone: nobody is asked. */
export const PATH_ONLY: Metadata = {
  now: (place) => ({ fields: { ...NOWHERE, ...place }, annotations: undefined }),
  wait: async (place) => PATH_ONLY.now(place),
  watch: () => () => {},
};

/** Who asks the API. `wait_ms`: how long a log waits for what is known of its pod. */
export function podMetadata(pods: Pods, wait_ms: () => number): Metadata {
  const now = (place: Place): Known => {
    if (pods.state.state === 'off') return PATH_ONLY.now(place);
    const pod = place.pod_uid === '' ? pods.named(place.namespace, place.pod) : pods.get(place.pod_uid);
    const known = pod !== undefined && isPodOf(place, pod) ? pod : undefined;
    return { fields: originFields(place, '', known ?? 'none'), annotations: known?.annotations };
  };
  return {
    now,
    async wait(place, signal) {
      if (place.pod_uid !== '') await pods.wait(place.pod_uid, wait_ms(), signal);
      return now(place);
    },
    watch: (changed) =>
      pods.watch(({ uid, annotations }) => {
        changed(uid);
        const mirror = annotations.get(MIRROR);
        if (mirror !== undefined) changed(mirror);
      }),
  };
}
