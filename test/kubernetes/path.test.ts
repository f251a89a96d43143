import { describe, expect, test } from 'vitest';
import { isPodOf, originFields } from '../../src/kubernetes/origin-fields.ts';
import { readLogPath, type Place } from '../../src/kubernetes/path.ts';
import type { Pod } from '../../src/kubernetes/pod.ts';

const POD = 'a7hzqtz5cm6k2dnm7k2w-n0-0';
const UID = '0d0a6f3c-6c1a-4a9c-9d56-0d7b1c1e2f3a';
const HASH = '8f2a1c9d7e6b5a4f3c2d1e0f9a8b7c6d';
const ID = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const PLACE: Place = { namespace: 'ml-production', pod: POD, pod_uid: UID, container: 'main' };

describe('What the path of a log says', () => {
  test.each([
    [`/var/log/pods/ml-production_${POD}_${UID}/main/0.log`, { ...PLACE, restart: 0 }],
    [`/host/var/log/pods/ml-production_${POD}_${UID}/main/12.log`, { ...PLACE, restart: 12 }],
    [`/var/log/pods/ml-production_${POD}_${UID}/main/1.log.20260219-103044`, { ...PLACE, restart: 1 }],
    [`/var/log/pods/ml-production_${POD}_${UID}/main/1.log.20260219-103044.gz`, { ...PLACE, restart: 1 }],
    [
      `/var/log/pods/kube-system_etcd-node-1_${HASH}/etcd/3.log`,
      { namespace: 'kube-system', pod: 'etcd-node-1', pod_uid: HASH, container: 'etcd', restart: 3 },
    ],
    [
      `/var/log/containers/${POD}_ml-production_${POD}-${ID}.log`,
      { namespace: 'ml-production', pod: POD, pod_uid: '', container: POD, restart: undefined },
    ],
  ])('%s', (path, said) => {
    expect(readLogPath(path)).toEqual(said);
  });

  test.each([
    '/var/log/syslog',
    '/var/log/pods/main/0.log',
    `/var/log/pods/ml_${POD}/main/0.log`,
    `/var/log/pods/ml_${POD}_${UID}/main/stderr.log`,
    `/var/log/pods/ml_${POD}_${UID}/main/0.log.bak`,
    `/var/log/containers/${POD}_ml_main-${ID.slice(1)}.log`,
    '',
  ])('nothing, when it is none of the kubelet: %j', (path) => {
    expect(readLogPath(path)).toBeUndefined();
  });
});

const pod: Pod = {
  uid: UID,
  namespace: 'ml-production',
  name: POD,
  node: 'node-1',
  addresses: [],
  labels: new Map([['execution-id', 'a7hzqtz5cm6k2dnm7k2w']]),
  annotations: new Map(),
  owner: { kind: 'flyteworkflow', name: 'a7hzqtz5cm6k2dnm7k2w' },
  terminated: new Map(),
  containers: new Map([
    [
      'main',
      new Map([
        ['FLYTE_ATTEMPT_NUMBER', '2'],
        ['PATH', '/bin'],
        ['FLYTE_INTERNAL_EXECUTION_ID', '$(OTHER)'],
      ]),
    ],
    ['flyte-copilot-uploader', new Map()],
  ]),
};

describe('The origin of a container', () => {
  test('The pod of its UID says labels, owner, node and what Flyte told this container', () => {
    expect(originFields(PLACE, 'stderr', pod)).toEqual({
      ...PLACE,
      node: 'node-1',
      stream: 'stderr',
      labels: pod.labels,
      owner: pod.owner,
      env: new Map([['FLYTE_ATTEMPT_NUMBER', '2']]),
      k8s_enriched: true,
    });
    const beside = originFields({ ...PLACE, container: 'flyte-copilot-uploader' }, '', pod);
    expect(beside).toMatchObject({ env: new Map(), labels: pod.labels, k8s_enriched: true });
  });

  test('Where nobody asked, the path is all, and it does not say that a pod is unknown', () => {
    const said = originFields(PLACE, '', undefined);
    expect(said).toMatchObject({ ...PLACE, node: '', k8s_enriched: undefined });
    expect(said.labels.size + said.env.size).toBe(0);
  });

  test('A pod that the API does not know is marked so', () => {
    expect(originFields(PLACE, '', 'none')).toMatchObject({ ...PLACE, node: '', k8s_enriched: false });
  });

  test('A pod that came after it under the same name says nothing of it', () => {
    const later = { ...pod, uid: '11111111-2222-3333-4444-555555555555' };
    expect(isPodOf(PLACE, later)).toBe(false);
    const said = originFields(PLACE, '', later);
    expect(said).toMatchObject({ pod_uid: UID, node: '', k8s_enriched: false, owner: undefined });
    expect(said.labels.size).toBe(0);
  });

  test('A static pod has one UID in the path and another in the API, which its annotation joins', () => {
    const place = { namespace: 'kube-system', pod: 'etcd-node-1', pod_uid: HASH, container: 'etcd' };
    const mirror = { ...pod, namespace: 'kube-system', name: 'etcd-node-1' };
    const annotations = new Map([['kubernetes.io/config.mirror', HASH]]);
    expect(isPodOf(place, mirror)).toBe(false);
    expect(isPodOf(place, { ...mirror, annotations: new Map([['kubernetes.io/config.mirror', 'another']]) })).toBe(
      false,
    );
    expect(originFields(place, '', { ...mirror, annotations })).toMatchObject({ pod_uid: UID, k8s_enriched: true });
  });

  test('Without a UID the name has to do', () => {
    expect(isPodOf({ ...PLACE, pod_uid: '' }, pod)).toBe(true);
    expect(isPodOf({ ...PLACE, pod_uid: '', namespace: 'other' }, pod)).toBe(false);
  });
});
