import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { openPods } from '../../src/kubernetes/pods.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { API_FAULTS, KubeApi } from '../support/kube-api.ts';
import { kubeconfigOf, pod, until } from './parts.ts';

/** A pause is over at once; the silences of a request, of a minute and more, have no end. */
class Impatient extends FakeClock {
  override async sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (ms >= 60_000) return super.sleep(ms, signal);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

const NAMES = ['db-0', 'db-1', 'web-x', 'web-y'];

type Step = readonly [what: (typeof STEPS)[number], name: string];
const STEPS = [
  'recreate',
  'recreate',
  'relabel',
  'delete',
  'hear',
  'bookmark',
  'end',
  'cut',
  'half',
  'compact',
  'garbage',
  'page',
  'busy',
  'page of a watch',
  'down',
] as const;

/** What the cluster is, and who ever was in it. */
class World {
  readonly api = new KubeApi();
  /** By UID: the last label of every pod. */
  readonly labels = new Map<string, string>();
  /** By name: UID of the pod that there is. */
  readonly living = new Map<string, string>();
  #made = 0;

  label(name: string, uid: string): void {
    this.#made += 1;
    const app = `label-${this.#made}`;
    this.labels.set(uid, app);
    this.living.set(name, uid);
    this.api.put(pod(name, { uid, labels: { app } }));
  }

  recreate(name: string): void {
    this.label(name, `uid-${this.#made}`);
  }

  delete(name: string): void {
    this.api.remove(name);
    this.living.delete(name);
  }

  async step([what, name]: Step): Promise<void> {
    const { api, living } = this;
    const uid = living.get(name);
    if (what === 'recreate') this.recreate(name);
    if (what === 'relabel' && uid !== undefined) this.label(name, uid);
    if (what === 'delete') this.delete(name);
    if (what === 'bookmark') api.bookmark();
    if (what === 'end') api.end('well');
    if (what === 'cut') api.end('cut');
    if (what === 'half') api.end('cut', '{"type":"ADDED","object":{"metadata":{"uid":"uid-');
    if (what === 'compact') api.compact();
    if (what === 'garbage') api.say('<html>');
    if (what === 'page') api.faults.list.push(API_FAULTS.body('<html>'));
    if (what === 'busy') api.faults.list.push(API_FAULTS.status(429, 'busy', { 'retry-after': '1' }));
    if (what === 'page of a watch') api.faults.watch.push(API_FAULTS.body('<html>'));
    if (what === 'down') {
      await api.stop();
      await api.start();
    }
  }
}

const directory = mkdtempSync(join(tmpdir(), 'steptap-kubernetes-'));
afterAll(() => rmSync(directory, { recursive: true }));

test('whatever happens to pods and to the API, every UID has its own labels, and in the end all is known', async () => {
  const steps = fc.array(fc.tuple(fc.constantFrom(...STEPS), fc.constantFrom(...NAMES)), {
    minLength: 5,
    maxLength: 40,
  });
  const gone = fc.constantFrom('status' as const, 'event' as const);
  await fc.assert(
    fc.asyncProperty(steps, gone, async (plan, gone) => {
      const world = new World();
      await world.api.start();
      world.api.gone = gone;
      const kubeconfig = join(directory, 'kubeconfig');
      writeFileSync(kubeconfig, kubeconfigOf(world.api.url));
      const around = { clock: new Impatient(), log: () => {}, env: {}, random: () => 0.5 };
      const pods = openPods({ kubeconfig }, around);
      try {
        const wrong: string[] = [];
        const seen = new Map<string, string>();
        pods.watch(({ uid, name, labels }) => seen.set(uid, `${name} ${labels.get('app')}`));
        for (const step of plan) {
          await world.step(step);
          if (step[0] === 'hear') await until(() => pods.state.state === 'synced');
          for (const [uid, label] of seen) {
            const found = pods.get(uid);
            if (found === undefined || `${found.name} ${found.labels.get('app')}` !== label)
              wrong.push(`${uid} ${label}`);
          }
        }
        const all = (): boolean =>
          pods.state.pods === world.living.size &&
          [...world.living].every(([name, uid]) => {
            const found = pods.get(uid);
            return found?.labels.get('app') === world.labels.get(uid) && pods.named('ml-production', name) === found;
          });
        await until(all);
        expect(wrong).toEqual([]);
      } finally {
        await pods.close();
        await world.api.stop();
      }
    }),
    { numRuns: 40 },
  );
});
