import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { ofKind, title, workload, type KubeObject } from './objects.ts';
import { CHART, helm, helmText, kustomize, objectsIn, OPERATOR, withPrograms, type Release } from './render.ts';
import { problems, VERSIONS } from './valid.ts';

/** Values that say something other than the default everywhere, for one role each. */
const AGENT: Release = {
  name: 'night',
  namespace: 'logs',
  apis: OPERATOR,
  values: {
    containerRuntime: 'cri-o',
    commonLabels: { team: 'ml' },
    image: { repository: 'registry.example.org/steptap', digest: `sha256:${'0'.repeat(64)}`, pullPolicy: 'Always' },
    imagePullSecrets: [{ name: 'pull' }],
    existingSecret: 'sinks',
    customConfig: { sinks: { metrics: { type: 'prometheus', listen: ':9464' } } },
    hotReload: false,
    serviceAccount: { name: 'reader', annotations: { a: 'b' } },
    rbac: { ownersLookup: true },
    spool: { hostPath: '/var/lib/night' },
    env: [{ name: 'A', value: 'b' }],
    envFrom: [{ configMapRef: { name: 'more' } }],
    extraVolumes: [{ name: 'docker', hostPath: { path: '/var/lib/docker/containers' } }],
    extraVolumeMounts: [{ name: 'docker', mountPath: '/var/lib/docker/containers', readOnly: true }],
    podAnnotations: { x: 'y' },
    podLabels: { tier: 'logs' },
    podSecurityContext: { runAsUser: 0, seLinuxOptions: { type: 'spc_t' } },
    securityContext: { readOnlyRootFilesystem: true },
    resources: { limits: { memory: '512Mi' } },
    readinessProbe: { httpGet: { path: '/healthz', port: 'metrics' } },
    terminationGracePeriodSeconds: 90,
    updateStrategy: { type: 'OnDelete' },
    nodeSelector: { 'kubernetes.io/os': 'linux' },
    affinity: { nodeAffinity: {} },
    tolerations: [],
    priorityClassName: 'system-node-critical',
    networkPolicy: { extraEgress: [{ ports: [{ port: 5044, protocol: 'TCP' }] }] },
    podMonitor: { interval: '15s', labels: { release: 'prometheus' } },
    serviceMonitor: { enabled: true, scrapeTimeout: '5s' },
    prometheusRule: { enabled: true, extraRules: [{ alert: 'Mine', expr: 'vector(1)' }] },
    dashboards: { enabled: true, annotations: { folder: 'ml' } },
  },
};
const AGGREGATOR: Release = {
  name: 'gate',
  apis: OPERATOR,
  values: {
    role: 'aggregator',
    autoscaling: { enabled: true, maxReplicas: 9 },
    aggregator: { tlsSecret: 'cert', keysSecret: 'keys', persistence: { size: '50Gi', storageClassName: 'fast' } },
    service: { type: 'LoadBalancer', annotations: { internal: 'true' } },
    topologySpreadConstraints: [],
    tolerations: [{ operator: 'Exists' }],
    podDisruptionBudget: { maxUnavailable: '50%' },
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 1 } },
  },
};

await withPrograms(['helm', 'kubectl'], () => {
  test.each([
    ['containerd', { name: 'steptap' }],
    ['cri-o', { name: 'steptap', values: { containerRuntime: 'cri-o' } }],
    ['owners-lookup', { name: 'steptap', values: { rbac: { ownersLookup: true } } }],
    ['aggregator', { name: 'steptap-aggregator', values: { role: 'aggregator' } }],
  ] satisfies [string, Release][])('the chart makes what overlays/%s makes', async (overlay, release) => {
    const chart = await helm({ ...release, apis: OPERATOR });
    const overlaid = await kustomize(`deploy/kustomize/overlays/${overlay}`);
    expect(byTitle(chart)).toEqual(byTitle(overlaid));
  });

  describe.each([
    ['an agent with every value set', AGENT],
    ['an aggregator with every value set', AGGREGATOR],
  ])('%s', (_, release) => {
    let objects: KubeObject[] = [];
    beforeAll(async () => {
      // With the pods of `helm test`.
      objects = objectsIn(await helmText(release));
    });

    test.each(VERSIONS)('is made of objects of Kubernetes %s', (version) => {
      expect(problems(objects, version)).toEqual([]);
    });

    test('is apart from another release in the same cluster', async () => {
      const others = new Set((await helm({ ...release, name: 'other', values: { ...release.values } })).map(title));
      const own = (release.values as { serviceAccount?: { name?: string } }).serviceAccount?.name;
      expect(objects.map(title).filter((name) => others.has(name) && name !== `ServiceAccount ${own}`)).toEqual([]);
    });
  });

  test('every value of an agent is where it belongs', async () => {
    const objects = await helm(AGENT);
    const { metadata, spec } = workload(objects).spec.template;
    expect(metadata).toMatchObject({ annotations: { x: 'y' }, labels: { team: 'ml', tier: 'logs' } });
    expect(metadata.annotations).toHaveProperty(['checksum/pipeline'], expect.stringMatching(/^[0-9a-f]{64}$/));
    expect(spec).toMatchObject({
      serviceAccountName: 'reader',
      terminationGracePeriodSeconds: 90,
      priorityClassName: 'system-node-critical',
      imagePullSecrets: [{ name: 'pull' }],
      nodeSelector: { 'kubernetes.io/os': 'linux' },
      affinity: { nodeAffinity: {} },
      securityContext: { runAsUser: 0, seLinuxOptions: { type: 'spc_t' } },
    });
    expect(spec.tolerations).toBeUndefined();
    expect(spec.containers[0]).toMatchObject({
      image: `registry.example.org/steptap@sha256:${'0'.repeat(64)}`,
      imagePullPolicy: 'Always',
      env: expect.arrayContaining([{ name: 'A', value: 'b' }]) as unknown,
      envFrom: [{ secretRef: { name: 'sinks' } }, { configMapRef: { name: 'more' } }],
      resources: { limits: { memory: '512Mi' } },
      readinessProbe: { httpGet: { path: '/healthz' } },
      securityContext: { readOnlyRootFilesystem: true },
      volumeMounts: expect.arrayContaining([
        { name: 'docker', mountPath: '/var/lib/docker/containers', readOnly: true },
        { name: 'pipeline', mountPath: '/etc/steptap/pipeline.yaml', subPath: 'pipeline.yaml', readOnly: true },
      ]) as unknown,
    });
    expect(spec.volumes).toContainEqual({
      name: 'spool',
      hostPath: { path: '/var/lib/night', type: 'DirectoryOrCreate' },
    });
    expect(workload(objects)).toMatchObject({ spec: { updateStrategy: { type: 'OnDelete' } } });
    expect(ofKind(objects, 'PodMonitor')).toMatchObject([
      { metadata: { labels: { release: 'prometheus' } }, spec: { podMetricsEndpoints: [{ interval: '15s' }] } },
    ]);
    expect(ofKind(objects, 'NetworkPolicy')[0]!.spec!['egress']).toContainEqual({
      ports: [{ port: 5044, protocol: 'TCP' }],
    });
    expect(
      ofKind(objects, 'ConfigMap').map(({ metadata: { name, labels } }) => [name, labels?.['grafana_dashboard']]),
    ).toEqual([
      ['night-steptap', undefined],
      ['night-steptap-dashboards', '1'],
    ]);
    for (const {
      metadata: { labels },
    } of objects)
      expect(labels).toMatchObject({ team: 'ml' });
  });

  test.each([
    ['nobody says', undefined, 65532],
    ['a user is given', 1000, 1000],
    ['root is given, which without its powers may not write where another user owns', 0, 0],
  ])('the spool is handed to the user of the pods: %s', async (_, runAsUser, owner) => {
    const values = runAsUser === undefined ? {} : { podSecurityContext: { runAsUser } };
    const { initContainers = [] } = workload(await helm({ values })).spec.template.spec;
    expect(initContainers[0]!.command!.at(-1)).toContain(`chownSync('/var/lib/steptap', ${owner}, 0)`);
  });

  test('an aggregator that is scaled by itself has no number of its own, and is never made smaller', async () => {
    const objects = await helm(AGGREGATOR);
    expect(workload(objects).spec.replicas).toBeUndefined();
    expect(ofKind(objects, 'HorizontalPodAutoscaler')).toMatchObject([
      {
        spec: {
          scaleTargetRef: { kind: 'StatefulSet', name: workload(objects).metadata.name },
          minReplicas: 2,
          maxReplicas: 9,
          behavior: { scaleDown: { selectPolicy: 'Disabled' } },
        },
      },
    ]);
  });

  test('with hot reload a changed pipeline is another file, without it other pods', async () => {
    const pods = async (hotReload: boolean, path: string): Promise<unknown> => {
      const customConfig = { sinks: { files: { directory: path } } };
      return workload(await helm({ values: { hotReload, customConfig } })).spec.template;
    };
    expect(await pods(true, 'a')).toEqual(await pods(true, 'b'));
    expect(await pods(false, 'a')).not.toEqual(await pods(false, 'b'));
  });

  test('what is switched off is not there', async () => {
    const off = { enabled: false };
    const values = {
      service: off,
      networkPolicy: off,
      podMonitor: off,
      serviceAccount: { create: false, name: 'mine' },
      rbac: { create: false },
      existingConfigMap: 'mine',
    };
    const objects = await helm({ values, apis: OPERATOR });
    expect(objects.map(({ kind }) => kind)).toEqual(['DaemonSet']);
    expect(workload(objects).spec.template.spec).toMatchObject({
      serviceAccountName: 'mine',
      volumes: expect.arrayContaining([{ name: 'pipeline', configMap: { name: 'mine' } }]) as unknown,
    });
    expect((await helm()).filter(({ kind }) => kind === 'PodMonitor')).toEqual([]);
  });

  test.each([
    ['a value that is none', { tolerance: [] }, /tolerance/],
    ['a role that is none', { role: 'daemon' }, /role/],
    ['a port that is none', { networkPolicy: { sinkPorts: [70_000] } }, /sinkPorts/],
    ['a text for a switch', { hotReload: 'yes' }, /hotReload/],
    ['a size without a unit', { aggregator: { persistence: { size: '10' } } }, /persistence\/size/],
    ['agents that are scaled', { autoscaling: { enabled: true } }, /autoscaling\/enabled/],
  ])('%s is refused', async (_, values, message) => {
    await expect(helm({ values })).rejects.toThrow(message);
  });
});

describe('the schema of the values', () => {
  const schema = JSON.parse(readFileSync(`${CHART}/values.schema.json`, 'utf8')) as ValueSchema;
  const values = parse(readFileSync(`${CHART}/values.yaml`, 'utf8')) as Record<string, unknown>;

  test('has every value with its meaning, and no other', () => {
    const compare = (at: string, { properties }: ValueSchema, given: Record<string, unknown>): void => {
      const known = Object.keys(properties!).filter((name) => `${at}${name}` !== 'global');
      expect([at, known.sort()]).toEqual([at, Object.keys(given).sort()]);
      for (const [name, value] of Object.entries(properties!)) {
        expect([at + name, value.description]).toEqual([at + name, expect.stringMatching(/^.{8,}\.$/)]);
        const inside = value.properties !== undefined;
        expect([at + name, value.additionalProperties === false]).toEqual([at + name, inside]);
        if (inside) compare(`${at}${name}.`, value, given[name] as Record<string, unknown>);
      }
    };
    compare('', schema, values);
  });

  test('takes the defaults', () => {
    const ajv = new Ajv({ strict: false });
    expect(ajv.validate(schema, values), ajv.errorsText()).toBe(true);
  });
});

interface ValueSchema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, ValueSchema>>;
  readonly additionalProperties?: boolean;
}

/** Labels that say who made an object: helm, and of what. */
const HELM_LABELS = ['helm.sh/chart', 'app.kubernetes.io/managed-by', 'app.kubernetes.io/version'];

/**
 * What two ways of installing have to have alike. They may differ in the labels of Helm, in the Namespace (which Helm makes itself, or finds), in comments, and in what no one can
 * see in a cluster: the order of the objects and of their keys.
 */
function byTitle(objects: readonly KubeObject[]): Record<string, unknown> {
  const kept = objects.filter(({ kind }) => kind !== 'Namespace');
  return Object.fromEntries(
    kept.map((object) => {
      const labels = Object.entries(object.metadata.labels ?? {}).filter(([name]) => !HELM_LABELS.includes(name));
      return [title(object), { ...object, metadata: { ...object.metadata, labels: Object.fromEntries(labels) } }];
    }),
  );
}
