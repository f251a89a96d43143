import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { CheckItem } from '../../src/check/item.ts';
import { systemClock } from '../../src/clock.ts';
import { checkKubernetes } from '../../src/kubernetes/check.ts';
import type { KubernetesOptions } from '../../src/kubernetes/schema.ts';
import { saidBy } from '../cli/check-parts.ts';
import { Home } from '../cli/parts.ts';
import { API_FAULTS } from '../support/kube-api.ts';
import { Cluster, pod } from './parts.ts';

const home = new Home();

/** With `steptap check` as a process: what it says of the Kubernetes API, and how it ends. */
async function command(cluster: Cluster, more = ''): Promise<[string[], number | null]> {
  const kubernetes = `{ kubeconfig: ${cluster.kubeconfig({ token: 'canary' })}${more} }`;
  const sinks = 'sinks: { kept: { type: files, directory: rows }, prometheus: { listen: none } }';
  await writeFile(join(home.path, 'p.yaml'), `${sinks}\nenrichment: { kubernetes: ${kubernetes} }\n`);
  const env = { NODE_NAME: 'worker-3' };
  const ended = await home.start(['check', '--json', '-c', 'p.yaml'], { input: '', env }).ended;
  expect(ended.stdout + ended.stderr).not.toContain('canary');
  const said = saidBy(ended).filter(({ part }) => part === 'kubernetes');
  return [texts(cluster, said), ended.code];
}

async function check(cluster: Cluster, more: KubernetesOptions = {}): Promise<string[]> {
  const options = { kubeconfig: cluster.kubeconfig({ token: 'canary' }), ...more };
  return texts(cluster, await checkKubernetes(options, {}, systemClock));
}

function texts({ api, directory }: Cluster, items: readonly CheckItem[]): string[] {
  const lines = items.map(({ what, where, state, found }) => `${state}: ${what} ${where}: ${found}`);
  return lines.map((line) => line.replaceAll(api.url, 'URL').replaceAll(directory, 'DIR'));
}

const WITHOUT = 'lines go on without metadata';

test('check says that the API answers, and which rights a run would have', async () => {
  const cluster = await Cluster.start();
  cluster.api.put(pod('a'));
  expect(await command(cluster)).toEqual([
    [
      'ok: API URL: kubeconfig DIR/kubeconfig, context here; node worker-3',
      'ok: right list pods: is granted',
      'ok: right watch pods: is granted',
    ],
    0,
  ]);
  expect(cluster.api.rights()).toEqual(['list pods', 'watch pods']);
  expect(await command(cluster, ', context: there')).toEqual([[], 2]);
});

test('check says what is forbidden, and that a run goes on without it', async () => {
  const cluster = await Cluster.start();
  cluster.api.forbidden.add('watch pods').add('get jobs');
  const forbids = (verb: string, resource: string, group: string): string =>
    `warning: right ${verb} ${resource}: forbids it: ${resource} is forbidden: User "system:serviceaccount:logging:steptap" ` +
    `cannot ${verb} resource "${resource}" in API group "${group}" at the cluster scope; ${WITHOUT}`;
  expect(await check(cluster, { owners: 'lookup' })).toEqual([
    'ok: API URL: kubeconfig DIR/kubeconfig, context here; all pods of the cluster, as there is no node and no NODE_NAME',
    'ok: right list pods: is granted',
    forbids('watch', 'pods', ''),
    'ok: right get replicasets: is granted',
    forbids('get', 'jobs', 'batch'),
  ]);
});

test('check says that the API cannot be reached, is none, or was not named', async () => {
  const cluster = await Cluster.start();
  cluster.api.faults.list.push(API_FAULTS.body('{"kind":"Nothing"}'));
  expect(await check(cluster)).toEqual([`warning: API URL: gave no list of pods: is it Kubernetes?; ${WITHOUT}`]);
  await cluster.down();
  expect(await check(cluster)).toEqual([`warning: API URL: cannot be reached (ECONNREFUSED); ${WITHOUT}`]);
  expect(await check(cluster, { api: 'off' })).toEqual(['ok: API : not asked: it is switched off (api: off)']);
  const outside = await checkKubernetes({}, {}, systemClock);
  expect(texts(cluster, outside)).toEqual([
    'warning: API : not asked: steptap does not run in a cluster (no KUBERNETES_SERVICE_HOST)',
  ]);
});
