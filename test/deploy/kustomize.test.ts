import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parse } from 'yaml';
import { beforeAll, describe, expect, test } from 'vitest';
import { ofKind, title, workload, type KubeObject } from './objects.ts';
import { kustomize, withPrograms } from './render.ts';
import { problems, VERSIONS } from './valid.ts';

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
const OVERLAYS = ['containerd', 'cri-o', 'owners-lookup', 'aggregator'] as const;
const directoryOf = (overlay: string): string => `deploy/kustomize/overlays/${overlay}`;

await withPrograms(['kubectl'], () => {
  const rendered = new Map<string, KubeObject[]>();
  beforeAll(async () => {
    for (const overlay of OVERLAYS) rendered.set(overlay, await kustomize(directoryOf(overlay)));
  });
  const of = (overlay: string): KubeObject[] => rendered.get(overlay)!;

  describe.each(OVERLAYS)('%s', (overlay) => {
    test.each(VERSIONS)('every object is one of Kubernetes %s', (kubernetes) => {
      expect(problems(of(overlay), kubernetes)).toEqual([]);
    });

    test('the image is of this version, in every container', () => {
      const { containers, initContainers = [] } = workload(of(overlay)).spec.template.spec;
      for (const { image } of [...containers, ...initContainers]) expect(image).toBe(`steptap:${version}`);
    });

    test('it has longer to end than the pipeline gives the sinks', () => {
      const { limits } = parse(pipelineOf(of(overlay))) as { limits: { grace_s: number } };
      expect(workload(of(overlay)).spec.template.spec.terminationGracePeriodSeconds).toBeGreaterThan(limits.grace_s);
    });

    test('what selects the pods selects these', () => {
      const { labels } = workload(of(overlay)).spec.template.metadata;
      const selectors = of(overlay).flatMap(selectorsOf);
      expect(selectors.length).toBeGreaterThanOrEqual(4);
      for (const [name, selector] of selectors)
        expect([name, labels]).toEqual([name, expect.objectContaining(selector)]);
    });

    test('every volume that is mounted is there, and every port that is named', () => {
      const { containers, initContainers = [], volumes } = workload(of(overlay)).spec.template.spec;
      const claims = (workload(of(overlay)).spec as { volumeClaimTemplates?: KubeObject[] }).volumeClaimTemplates ?? [];
      const names = [...volumes, ...claims.map(({ metadata }) => metadata)].map(({ name }) => name);
      for (const { volumeMounts } of [...containers, ...initContainers]) {
        for (const mount of volumeMounts) expect(names).toContain(mount.name);
      }
      const ports = containers.flatMap(({ ports = [] }) => ports.map(({ name }) => name));
      for (const each of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
        expect(containers[0]![each]).toMatchObject({ httpGet: { port: 'metrics' } });
      }
      const wanted = ofKind(of(overlay), 'Service').flatMap(({ spec }) => spec!['ports'] as { targetPort: string }[]);
      for (const { targetPort } of wanted) expect(ports).toContain(targetPort);
    });

    test('no container can become more than it is, or write to its own files', () => {
      const { containers, initContainers = [], securityContext } = workload(of(overlay)).spec.template.spec;
      expect(securityContext['seccompProfile']).toEqual({ type: 'RuntimeDefault' });
      for (const { securityContext: own } of [...containers, ...initContainers]) {
        expect(own).toMatchObject({ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true });
        expect(own.capabilities.drop).toEqual(['ALL']);
      }
    });

    test('pods that are not ready can be asked why, by name', () => {
      const [metrics] = ofKind(of(overlay), 'Service').filter(({ spec }) => spec!['clusterIP'] === 'None');
      expect(metrics!.spec).toMatchObject({ publishNotReadyAddresses: true });
    });

    test('names can be looked up, in OpenShift too, whose DNS listens on 5353', () => {
      const egress = ofKind(of(overlay), 'NetworkPolicy')[0]!.spec!['egress'] as { ports: object[] }[];
      for (const protocol of ['UDP', 'TCP'])
        for (const port of [53, 5353]) expect(egress[0]!.ports).toContainEqual({ port, protocol });
    });

    test('it runs on Linux only, also where there are Windows nodes', () => {
      expect(workload(of(overlay)).spec.template.spec).toMatchObject({
        nodeSelector: { 'kubernetes.io/os': 'linux' },
      });
    });

    test('every object is in the namespace that is made, unless it is of the cluster', () => {
      const [namespace] = ofKind(of(overlay), 'Namespace');
      const inside = of(overlay).filter(
        ({ kind }) => !['Namespace', 'ClusterRole', 'ClusterRoleBinding'].includes(kind),
      );
      for (const object of inside)
        expect([title(object), object.metadata.namespace]).toEqual([title(object), namespace!.metadata.name]);
    });
  });

  test('under containerd the group root reads, under CRI-O root that may do nothing else', () => {
    const containerd = workload(of('containerd')).spec.template.spec;
    expect(containerd.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 65532, runAsGroup: 0 });
    expect(containerd.containers[0]!.securityContext.capabilities.add).toBeUndefined();
    const crio = workload(of('cri-o')).spec.template.spec;
    expect(crio.securityContext).toMatchObject({ runAsUser: 0, runAsGroup: 0 });
    expect(crio.containers[0]!.securityContext.capabilities).toEqual({ drop: ['ALL'], add: ['DAC_READ_SEARCH'] });
    expect(crio.initContainers).toBeUndefined();
  });

  test('an agent sees the logs of its node read-only, and writes to its spool alone', () => {
    const { containers, volumes } = workload(of('containerd')).spec.template.spec;
    const writable = containers[0]!.volumeMounts.filter(({ readOnly }) => readOnly !== true);
    expect(writable).toEqual([{ name: 'spool', mountPath: '/var/lib/steptap' }]);
    expect(volumes.filter((volume) => 'hostPath' in volume)).toEqual([
      { name: 'logs', hostPath: { path: '/var/log', type: 'Directory' } },
      { name: 'spool', hostPath: { path: '/var/lib/steptap', type: 'DirectoryOrCreate' } },
    ]);
  });

  test('an agent knows its node, and itself', () => {
    const { env = [] } = workload(of('containerd')).spec.template.spec.containers[0]!;
    const paths = env.map(({ name, valueFrom }) => [name, valueFrom]);
    expect(Object.fromEntries(paths)).toEqual({
      NODE_NAME: { fieldRef: { fieldPath: 'spec.nodeName' } },
      POD_NAME: { fieldRef: { fieldPath: 'metadata.name' } },
      POD_NAMESPACE: { fieldRef: { fieldPath: 'metadata.namespace' } },
      POD_UID: { fieldRef: { fieldPath: 'metadata.uid' } },
    });
  });

  test('the aggregator has no rights, no token and nothing of the node, in a namespace that allows no more', () => {
    const objects = of('aggregator');
    expect(objects.filter(({ apiVersion }) => apiVersion.startsWith('rbac'))).toEqual([]);
    const { automountServiceAccountToken, volumes } = workload(objects).spec.template.spec;
    expect(automountServiceAccountToken).toBe(false);
    expect(ofKind(objects, 'ServiceAccount')[0]).toMatchObject({ automountServiceAccountToken: false });
    expect(volumes.filter((volume) => 'hostPath' in volume)).toEqual([]);
    const [namespace] = ofKind(objects, 'Namespace');
    expect(namespace!.metadata.labels).toMatchObject({ 'pod-security.kubernetes.io/enforce': 'restricted' });
  });

  test('the components go onto every overlay: no PodMonitor without the operator, and a priority class', async () => {
    for (const overlay of OVERLAYS) {
      const plain = await built([directoryOf(overlay)], ['no-prometheus-operator']);
      expect(plain.map(title)).toEqual(
        of(overlay)
          .map(title)
          .filter((name) => !name.startsWith('PodMonitor')),
      );
    }
    const first = await built([directoryOf('cri-o')], ['priority-class']);
    expect(workload(first).spec.template.spec.priorityClassName).toBe('system-node-critical');
  });

  test('an object with a field that Kubernetes does not know is told', () => {
    const [service] = ofKind(of('containerd'), 'Service');
    const wrong = { ...service!, spec: { ...service!.spec, clusterIp: 'None' } };
    expect(problems([wrong], '1.37')).toEqual([expect.stringContaining('clusterIp')]);
    expect(problems([{ ...service!, apiVersion: 'v2' }], '1.37')).toEqual([
      expect.stringContaining('has no Service of v2'),
    ]);
  });
});

function pipelineOf(objects: readonly KubeObject[]): string {
  return (ofKind(objects, 'ConfigMap')[0]!['data'] as Record<string, string>)['pipeline.yaml']!;
}

function selectorsOf(object: KubeObject): [string, Record<string, string>][] {
  const { kind, spec = {} } = object;
  const selector = (kind === 'NetworkPolicy' ? spec['podSelector'] : spec['selector']) as object | undefined;
  if (selector === undefined) return [];
  return [
    [
      title(object),
      (kind === 'Service' ? selector : (selector as { matchLabels: object }).matchLabels) as Record<string, string>,
    ],
  ];
}

/** As an overlay of somebody's own would take them. kustomize wants relative paths. */
async function built(resources: readonly string[], components: readonly string[]): Promise<KubeObject[]> {
  const directory = await mkdtemp(join(tmpdir(), 'steptap-kustomize-'));
  try {
    const own = {
      resources: resources.map((path) => relative(directory, path)),
      components: components.map((name) => relative(directory, join('deploy/kustomize/components', name))),
    };
    await writeFile(join(directory, 'kustomization.yaml'), JSON.stringify(own));
    return await kustomize(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}
