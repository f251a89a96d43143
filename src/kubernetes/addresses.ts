import type { Pod } from './pod.ts';

/** Living pods by the addresses that they have now. An address is given to another pod when the one before has ended, and who hears of it late knows two. */
export class Addresses {
  readonly #pods = new Map<string, Map<string, Pod>>();

  /** The only one that has it; undefined when none has, or more than one. */
  of(address: string): Pod | undefined {
    const pods = this.#pods.get(address);
    return pods?.size === 1 ? pods.values().next().value : undefined;
  }

  add(pod: Pod): void {
    for (const address of pod.addresses) {
      const pods = this.#pods.get(address) ?? new Map<string, Pod>();
      this.#pods.set(address, pods.set(pod.uid, pod));
    }
  }

  remove({ uid, addresses }: Pod): void {
    for (const address of addresses) {
      const pods = this.#pods.get(address);
      pods?.delete(uid);
      if (pods?.size === 0) this.#pods.delete(address);
    }
  }
}
