import { expect, test } from 'vitest';
import type { Place } from '../../../src/kubernetes/path.ts';
import { NOWHERE } from '../../../src/origin.ts';
import type { Known, Metadata } from '../../../src/sources/files/metadata.ts';
import { cri, Node } from './parts.ts';

const node = new Node();

/** Pods that become known when the test says so; until then their logs wait. */
class Told implements Metadata {
  readonly #known = new Map<string, Record<string, string>>();
  readonly #waiting = new Map<string, (() => void)[]>();
  #changed: (uid: string) => void = () => {};

  tell(uid: string, annotations: Record<string, string> = {}): void {
    this.#known.set(uid, annotations);
    this.giveUp(uid);
    this.#changed(uid);
  }

  /** The wait is over. */
  giveUp(uid: string): void {
    for (const resolve of this.#waiting.get(uid) ?? []) resolve();
  }

  now(place: Place): Known {
    const known = this.#known.get(place.pod_uid);
    const fields = { ...NOWHERE, ...place, k8s_enriched: known !== undefined, node: known === undefined ? '' : 'n1' };
    return { fields, annotations: known === undefined ? undefined : new Map(Object.entries(known)) };
  }

  async wait(place: Place): Promise<Known> {
    if (!this.#known.has(place.pod_uid)) {
      await new Promise<void>((resolve) => {
        this.#waiting.set(place.pod_uid, [...(this.#waiting.get(place.pod_uid) ?? []), resolve]);
      });
    }
    return this.now(place);
  }

  watch(changed: (uid: string) => void): () => void {
    this.#changed = changed;
    return () => {};
  }
}

const log = (pod: string): string => node.log(pod, 'main', { uid: pod });

test('A log waits for what is known of its pod, and holds up no other; then it goes on without, and with it when it comes', async () => {
  const metadata = new Told();
  metadata.tell('b');
  node.write(log('a'), cri('a1'));
  node.write(log('b'), cri('b1'));
  const running = node.start({}, { metadata });
  await node.until(running, () => node.rows.length === 1);
  await node.pass(running, 2_000);
  expect(node.rows).toMatchObject([{ message: 'b1', node: 'n1', k8s_enriched: true }]);
  metadata.giveUp('a');
  await node.until(running, () => node.rows.length === 2);
  expect(node.rows[1]).toMatchObject({ message: 'a1', pod: 'a', k8s_enriched: false });
  metadata.tell('a');
  node.write(log('a'), cri('a2'));
  await node.until(running, () => node.rows.length === 3);
  expect(node.rows[2]).toMatchObject({ message: 'a2', node: 'n1', k8s_enriched: true });
});

test('A pod that is excluded by an annotation is not read, and from now on when that goes', async () => {
  const metadata = new Told();
  metadata.tell('a', { 'fluentbit.io/exclude': 'true' });
  metadata.tell('b', { 'fluentbit.io/exclude': 'false' });
  node.write(log('a'), cri('a1'));
  node.write(log('b'), cri('b1'));
  const running = node.start({}, { metadata });
  await node.until(running, () => node.rows.length === 1);
  await node.pass(running, 2_000);
  metadata.tell('a');
  await node.pass(running, 100);
  node.write(log('a'), cri('a2'));
  await node.until(running, () => node.rows.length === 2);
  metadata.tell('b', { 'steptap.io/exclude': 'true' });
  node.write(log('b'), cri('b2'));
  await node.pass(running, 2_000);
  expect(node.messages).toEqual(['b1', 'a2']);
});

test('Where the annotations were named, a pod of which nothing is known is not read; its files are held until it is', async () => {
  const metadata = new Told();
  node.write(log('a'), cri('a1'));
  const running = node.start({ exclude_annotations: ['example.org/private'] }, { metadata });
  await node.pass(running, 1_000);
  metadata.giveUp('a');
  await node.pass(running, 8_000);
  expect(node.rows).toEqual([]);
  metadata.tell('a');
  await node.until(running, () => node.rows.length === 1);
  expect(node.messages).toEqual(['a1']);
});
