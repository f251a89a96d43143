import { NOTHING_KNOWN, type Pods, type PodsState } from './pods.ts';
import type { Pod } from './pod.ts';

/** The pods of a run: of whatever its options name now. Who watches them goes on when those change. */
export class CurrentPods implements Pods {
  readonly #watchers = new Set<(pod: Pod) => void>();
  #pods: Pods = NOTHING_KNOWN;
  #unwatch = (): void => {};

  get(uid: string): Pod | undefined {
    return this.#pods.get(uid);
  }

  named(namespace: string, name: string): Pod | undefined {
    return this.#pods.named(namespace, name);
  }

  at(address: string): Pod | undefined {
    return this.#pods.at(address);
  }

  wait(uid: string, ms: number, signal: AbortSignal): Promise<Pod | undefined> {
    return this.#pods.wait(uid, ms, signal);
  }

  watch(changed: (pod: Pod) => void): () => void {
    this.#watchers.add(changed);
    return () => this.#watchers.delete(changed);
  }

  get state(): PodsState {
    return this.#pods.state;
  }

  /** Others from now on. Resolves when those before are asked for no more. */
  async become(pods: Pods = NOTHING_KNOWN): Promise<void> {
    const before = this.#pods;
    this.#unwatch();
    this.#pods = pods;
    this.#unwatch = pods.watch((pod) => {
      for (const changed of this.#watchers) changed(pod);
    });
    await before.close();
  }

  close(): Promise<void> {
    return this.become();
  }
}
