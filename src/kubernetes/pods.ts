import type { Registry } from 'prom-client';
import { OVER, type Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { PodCache } from './cache.ts';
import { ApiClient } from './client.ts';
import { accessOf, Credentials, type Environment } from './credentials.ts';
import { keyFilter, KEPT_LABELS } from './labels.ts';
import { kubernetesMetrics } from './metrics.ts';
import { OwnerLookup } from './owners.ts';
import { MIRROR, podOf, type Pod } from './pod.ts';
import { labelRules } from './rules.ts';
import type { KubernetesOptions } from './schema.ts';
import { PodWatch } from './watch.ts';

export interface PodsState {
  /**
   * `starting`: not yet all are known; `synced`; `stale`: they were, and the API cannot be heard now; `forbidden`: it does not let us; `off`: there is nothing
   * to ask.
   */
  readonly state: 'starting' | 'synced' | 'stale' | 'forbidden' | 'off';
  readonly reason?: string;
  /** That exist, as far as is known. */
  readonly pods: number;
}

/**
 * The pods of this node, as the Kubernetes API tells them. Nothing in it throws or rejects, whatever the API does; what was heard stays true while it says
 * nothing. A deleted pod is remembered for ten minutes, so that its last lines find it, under its UID; the one that took its name has another.
 */
export interface Pods {
  /** By its UID; for a static pod also the one in the paths of its files, which the API does not use. */
  get(uid: string): Pod | undefined;
  /** The newest of that name; only for records without a UID. */
  named(namespace: string, name: string): Pod | undefined;
  /** The one that runs now and alone has that address; undefined while the API is not heard, since another may have it by then. */
  at(address: string): Pod | undefined;
  /**
   * Resolves with the pod as soon as it is known, with undefined after `ms`, at once when the API is known to be of no use (forbidden, off), and when the
   * signal aborts.
   */
  wait(uid: string, ms: number, signal: AbortSignal): Promise<Pod | undefined>;
  /** Called when a pod becomes known, and when what is kept of it changes: then it is another object. Returns how to stop it. */
  watch(changed: (pod: Pod) => void): () => void;
  readonly state: PodsState;
  /** Stops asking; what is known stays. */
  close(): Promise<void>;
}

/** Where nobody is asked. */
export const NOTHING_KNOWN: Pods = {
  get: () => undefined,
  named: () => undefined,
  at: () => undefined,
  wait: async () => undefined,
  watch: () => () => {},
  state: { state: 'off', pods: 0 },
  close: async () => {},
};

export interface PodsAround {
  readonly clock: Clock;
  readonly log: Log;
  readonly env: Environment;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly metrics?: Registry;
  /** Annotations that are kept beside those of `KEPT_ANNOTATIONS`; a `*` at the end stands for any rest. */
  readonly annotations?: readonly string[];
  /** Where a service account is. */
  readonly directory?: string;
}

/** Those that exclude a pod, in all their forms (`fluentbit.io/exclude_stderr-sidecar`), and the one that names Flyte's container. */
export const KEPT_ANNOTATIONS = ['steptap.io/exclude*', 'fluentbit.io/exclude*', 'primary_container_name', MIRROR];

/** Begins to ask at once. Throws a UsageError when the options name something that cannot be used. */
export function openPods(options: KubernetesOptions, around: PodsAround): Pods {
  const { clock, log, env, random, annotations = [], directory } = around;
  const cache = new PodCache(clock);
  const access = accessOf(options, env, directory);
  if (typeof access === 'string') {
    cache.become('off', access);
    return opened(cache, async () => {});
  }
  const metrics = kubernetesMetrics(around.metrics);
  const client = new ApiClient(new Credentials(access, clock), clock, metrics.asked);
  const owners = options.owners === 'lookup' ? new OwnerLookup(client, clock, log) : undefined;
  const kept = {
    label: labelRules(options.labels ?? KEPT_LABELS).kept,
    annotation: keyFilter([...KEPT_ANNOTATIONS, ...annotations]),
  };
  const read = async (object: unknown, signal: AbortSignal): Promise<Pod | undefined> => {
    const { pod, controller } = podOf(object, kept) ?? {};
    if (pod === undefined || controller === undefined || owners === undefined) return pod;
    const owner = await owners.of(controller, pod.namespace, signal);
    return owner === undefined ? pod : Object.freeze({ ...pod, owner });
  };
  metrics.pods(() => cache.state.pods);
  const stop = new AbortController();
  const node = options.node ?? (env['NODE_NAME'] || undefined);
  const running = new PodWatch({ client, cache, node, read, clock, log, random }).run(stop.signal);
  // A failure of ours: lines go on without metadata.
  const ended = running.catch((error: Error) => {
    log('error', `pods are not asked for any more: ${error.message}`);
    cache.become('off', error.message);
  });
  return opened(cache, async () => {
    stop.abort(OVER);
    await ended;
    client.close();
    cache.become('off', 'steptap is stopping');
  });
}

function opened(cache: PodCache, close: () => Promise<void>): Pods {
  return {
    get: (uid) => cache.get(uid),
    named: (namespace, name) => cache.named(namespace, name),
    at: (address) => cache.at(address),
    wait: (uid, ms, signal) => cache.wait(uid, ms, signal),
    watch: (changed) => cache.watch(changed),
    get state() {
      return cache.state;
    },
    close,
  };
}
