import { expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { ConfigDocument } from '../../src/config/document.ts';
import { checkKubernetes } from '../../src/kubernetes/check.ts';
import type { KubernetesOptions } from '../../src/kubernetes/schema.ts';
import { Cluster, pod } from '../kubernetes/parts.ts';
import { workload } from './objects.ts';
import { kustomize, withPrograms } from './render.ts';
import { granted } from './rights.ts';

await withPrograms(['kubectl'], () => {
  test.each(['containerd', 'cri-o', 'owners-lookup'])(
    'the rights of overlays/%s are exactly the calls that steptap makes with its pipeline',
    async (overlay) => {
      const objects = await kustomize(`deploy/kustomize/overlays/${overlay}`);
      const { env = [] } = workload(objects).spec.template.spec.containers[0]!;
      const environment = Object.fromEntries(env.map(({ name, value }) => [name, value]));
      const path = 'deploy/kustomize/base/pipeline.yaml';
      const document = new ConfigDocument(path, { ...environment, CLICKHOUSE_URL: 'http://clickhouse:8123' });
      const { enrichment } = document.value() as { enrichment: { kubernetes: KubernetesOptions } };
      const calls = await callsOf(enrichment.kubernetes);
      expect(calls).toContain('watch pods');
      expect(granted(objects)).toEqual(calls);
    },
  );

  test('an aggregator has no rights, nor a token with which to ask', async () => {
    const objects = await kustomize('deploy/kustomize/overlays/aggregator');
    expect(granted(objects)).toEqual([]);
    const cluster = await Cluster.start();
    const env = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(cluster.api.port) };
    const pods = cluster.open({}, { env, directory: `${cluster.directory}/none` });
    expect(pods.state.state).toBe('off');
    expect(cluster.api.rights()).toEqual([]);
  });
});

/** All that a run and `steptap check` ask of an API server with pods of every kind of owner. */
async function callsOf(options: KubernetesOptions): Promise<string[]> {
  const cluster = await Cluster.start();
  const owners = [
    ['Deployment', 'deployments'],
    ['ReplicaSet', 'replicasets'],
    ['StatefulSet', 'statefulsets'],
    ['DaemonSet', 'daemonsets'],
    ['Job', 'jobs'],
    ['flyteworkflow', 'flyteworkflows'],
  ] as const;
  for (const [kind, resource] of owners) {
    const name = kind.toLowerCase();
    const owner = { apiVersion: 'x/v1', kind, name, uid: `uid-of-${name}`, controller: true };
    cluster.api.add(resource, { kind, metadata: { name, namespace: 'ml-production', uid: owner.uid } });
    cluster.api.put(pod(`of-${name}`, { owner }));
  }
  const pods = await cluster.synced(options);
  expect(pods.state.pods).toBe(owners.length);
  await checkKubernetes({ ...options, kubeconfig: cluster.kubeconfig() }, {}, systemClock);
  return cluster.api.rights();
}
