import { isDeepStrictEqual } from 'node:util';
import { OVER, type Clock } from '../clock.ts';
import { Addresses } from './addresses.ts';
import { MIRROR, type Pod } from './pod.ts';
import type { Pods, PodsState } from './pods.ts';

/** A deleted pod is remembered so long, for its last lines; and no more than so many of them. */
const REMEMBERED_MS = 600_000;
const MOST_REMEMBERED = 4_000;

interface Gone {
  readonly pod: Pod;
  readonly at: number;
}

/** The pods that are known; filled by who asks the API. */
export class PodCache implements Omit<Pods, 'close'> {
  readonly #clock: Clock;
  readonly #living = new Map<string, Pod>();
  /** Oldest first. */
  readonly #gone = new Map<string, Gone>();
  /** UIDs by namespace and name, and by what the kubelet calls a static pod. */
  readonly #uids = new Map<string, string>();
  readonly #addresses = new Addresses();
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #watching = new Set<(pod: Pod) => void>();
  #state: Omit<PodsState, 'pods'> = { state: 'starting' };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get state(): PodsState {
    return { ...this.#state, pods: this.#living.size };
  }

  get(id: string): Pod | undefined {
    this.#forget();
    const uid = this.#living.has(id) ? id : (this.#uids.get(id) ?? id);
    return this.#living.get(uid) ?? this.#gone.get(uid)?.pod;
  }

  named(namespace: string, name: string): Pod | undefined {
    return this.get(nameOf({ namespace, name }));
  }

  at(address: string): Pod | undefined {
    return this.#state.state === 'synced' ? this.#addresses.of(address) : undefined;
  }

  async wait(uid: string, ms: number, signal: AbortSignal): Promise<Pod | undefined> {
    const known = this.get(uid);
    if (known !== undefined || this.#useless || signal.aborted) return known;
    const over = new AbortController();
    const stop = (): void => over.abort(OVER);
    const waiting = this.#waiting.get(uid) ?? new Set();
    this.#waiting.set(uid, waiting.add(stop));
    signal.addEventListener('abort', stop, { once: true });
    await this.#clock.sleep(ms, over.signal);
    signal.removeEventListener('abort', stop);
    waiting.delete(stop);
    if (waiting.size === 0 && this.#waiting.get(uid) === waiting) this.#waiting.delete(uid);
    return this.get(uid);
  }

  watch(changed: (pod: Pod) => void): () => void {
    this.#watching.add(changed);
    return () => void this.#watching.delete(changed);
  }

  /** It is there, and like this. */
  put(pod: Pod): void {
    const before = this.#living.get(pod.uid);
    // Most changes of a pod are of what is not kept.
    if (before !== undefined && isDeepStrictEqual(before, pod)) return;
    this.#living.set(pod.uid, pod);
    if (before !== undefined) this.#addresses.remove(before);
    this.#addresses.add(pod);
    // One that an API server behind the others had not yet.
    this.#gone.delete(pod.uid);
    if (before === undefined) this.#name(pod);
    for (const id of [pod.uid, mirrorOf(pod) ?? '']) for (const wake of this.#waiting.get(id) ?? []) wake();
    for (const changed of this.#watching) changed(pod);
  }

  remove(uid: string): void {
    const pod = this.#living.get(uid);
    if (pod === undefined) return;
    this.#living.delete(uid);
    this.#addresses.remove(pod);
    this.#gone.set(uid, { pod, at: this.#clock.monotonic() });
    this.#forget();
  }

  /** These are all that there are. */
  retain(uids: ReadonlySet<string>): void {
    for (const uid of this.#living.keys()) if (!uids.has(uid)) this.remove(uid);
  }

  /** Nobody waits for what is of no use. */
  become(state: PodsState['state'], reason?: string): void {
    this.#state = reason === undefined ? { state } : { state, reason };
    if (this.#useless) for (const waiting of this.#waiting.values()) for (const wake of waiting) wake();
  }

  /** A pod that was recreated takes the name, and keeps it though the old one changes once more. */
  #name(pod: Pod): void {
    this.#uids.set(nameOf(pod), pod.uid);
    const mirror = mirrorOf(pod);
    // Anybody can write an annotation: it takes nothing from a pod that is there.
    if (mirror !== undefined && !this.#living.has(this.#uids.get(mirror) ?? '')) this.#uids.set(mirror, pod.uid);
  }

  get #useless(): boolean {
    return this.#state.state === 'forbidden' || this.#state.state === 'off';
  }

  #forget(): void {
    const oldest = this.#clock.monotonic() - REMEMBERED_MS;
    for (const [uid, { pod, at }] of this.#gone) {
      if (at > oldest && this.#gone.size <= MOST_REMEMBERED) return;
      this.#gone.delete(uid);
      for (const id of [nameOf(pod), mirrorOf(pod) ?? '']) if (this.#uids.get(id) === uid) this.#uids.delete(id);
    }
  }
}

/** A static pod is known to its kubelet by a hash; a UID has dashes, and cannot be taken so. */
const HASH = /^[0-9a-f]{32}$/;

function mirrorOf({ annotations }: Pod): string | undefined {
  const mirror = annotations.get(MIRROR) ?? '';
  return HASH.test(mirror) ? mirror : undefined;
}

function nameOf({ namespace, name }: Pick<Pod, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`;
}
