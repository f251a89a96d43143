import { Registry } from 'prom-client';
import { afterEach } from 'vitest';
import type { Log } from '../../src/log.ts';
import { openPods, type Pods, type PodsAround } from '../../src/kubernetes/pods.ts';
import type { KubernetesOptions } from '../../src/kubernetes/schema.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { KubeApi, type KubeObject } from '../support/kube-api.ts';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Looks until it is so. No time of the clock passes meanwhile. */
export async function until(so: () => boolean): Promise<void> {
  const end = Date.now() + 20_000;
  while (!so()) {
    if (Date.now() > end) throw new Error(`it never became so: ${so.toString()}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 1);
    });
  }
}

export interface PodWords {
  readonly uid?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly owner?: object;
  readonly node?: string;
  readonly spec?: object;
  readonly status?: object;
}

/** As the API has it, with what every pod carries about and nobody needs. */
export function pod(name: string, words: PodWords = {}): KubeObject {
  const { uid = `uid-${name}`, labels = {}, annotations = {}, owner, node = 'worker-3', spec, status } = words;
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: {
      name,
      namespace: 'ml-production',
      uid,
      creationTimestamp: '2026-11-21T10:00:00Z',
      labels,
      annotations,
      managedFields: [{ manager: 'kubelet', operation: 'Update', fieldsV1: { 'f:status': {} } }],
      ...(owner === undefined ? {} : { ownerReferences: [owner] }),
    },
    spec: { nodeName: node, containers: [{ name: 'main', image: 'registry/main:1' }], ...spec },
    status: { phase: 'Running', ...status },
  };
}

export function kubeconfigOf(server: string, user: object = {}, cluster: object = {}): string {
  return JSON.stringify({
    'current-context': 'here',
    contexts: [{ name: 'here', context: { cluster: 'c', user: 'u' } }],
    clusters: [{ name: 'c', cluster: { server, ...cluster } }],
    users: [{ name: 'u', user }],
  });
}

/** A cluster, what a test asks of it, and everything that ends with the test. */
export class Cluster {
  readonly api: KubeApi;
  readonly clock = new FakeClock();
  readonly registry = new Registry();
  readonly said: string[] = [];
  readonly directory = mkdtempSync(join(tmpdir(), 'steptap-kubernetes-'));
  readonly #opened: Pods[] = [];
  #down = false;

  private constructor(api: KubeApi) {
    this.api = api;
  }

  static async start(api = new KubeApi()): Promise<Cluster> {
    const cluster = new Cluster(await api.start());
    running.push(cluster);
    return cluster;
  }

  readonly log: Log = (severity, message) => void this.said.push(`${severity}: ${message}`);

  kubeconfig(user: object = {}, cluster: object = {}): string {
    const path = join(this.directory, 'kubeconfig');
    writeFileSync(path, kubeconfigOf(this.api.url, user, cluster));
    return path;
  }

  /** With everything as it is by default, on the node worker-3; with a kubeconfig, unless there is a service account. */
  open(options: KubernetesOptions = {}, around: Partial<PodsAround> = {}): Pods {
    const { clock, log, registry: metrics } = this;
    const known = { clock, log, metrics, env: { NODE_NAME: 'worker-3' }, random: () => 0.5, ...around };
    const named = options.kubeconfig !== undefined || around.directory !== undefined;
    const pods = openPods(named ? options : { kubeconfig: this.kubeconfig(), ...options }, known);
    this.#opened.push(pods);
    return pods;
  }

  /** Opened, and all pods are known. */
  async synced(options: KubernetesOptions = {}, around: Partial<PodsAround> = {}): Promise<Pods> {
    const pods = this.open(options, around);
    await until(() => pods.state.state === 'synced' && this.api.watches.size > 0);
    return pods;
  }

  /** Waits until somebody sleeps for so long for the nth time, and lets the time pass. */
  async pass(ms: number, times = 1): Promise<void> {
    await until(() => this.clock.slept.filter((each) => each === ms).length >= times);
    await this.clock.advance(ms);
  }

  async down(): Promise<void> {
    if (!this.#down) await this.api.stop();
    this.#down = true;
  }

  async up(): Promise<void> {
    await this.api.start();
    this.#down = false;
  }

  async end(): Promise<void> {
    for (const pods of this.#opened) await pods.close();
    await this.down();
    rmSync(this.directory, { recursive: true });
  }
}

const running: Cluster[] = [];

afterEach(async () => {
  for (const cluster of running.splice(0)) await cluster.end();
});

export const NEVER: AbortSignal = new AbortController().signal;
