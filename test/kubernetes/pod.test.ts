import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KEPT_LABELS, keyFilter } from '../../src/kubernetes/labels.ts';
import { podOf } from '../../src/kubernetes/pod.ts';
import { KEPT_ANNOTATIONS } from '../../src/kubernetes/pods.ts';
import { pod } from './parts.ts';

const kept = { label: keyFilter(KEPT_LABELS), annotation: keyFilter(KEPT_ANNOTATIONS) };

test('of a task pod of Flyte only what is needed is kept', () => {
  const secret = { name: 'TOKEN', value: 'canary' };
  const found = podOf(
    pod('a7hzqtz5cm6k2dnm7k2w-n0-0', {
      uid: 'u-1',
      labels: {
        'execution-id': 'a7hzqtz5cm6k2dnm7k2w',
        'node-id': 'n0',
        'execution-identity': 'ada-example-com',
        'flyte.org/run': 'r1',
        'app.kubernetes.io/name': 'trainer',
        'inject-flyte-secrets': 'true',
      },
      annotations: {
        primary_container_name: 'main',
        'fluentbit.io/exclude_stderr-sidecar': 'true',
        'flyte.secrets/s0': 'canary',
        'steptap.io/exclude': 'x'.repeat(2_000),
      },
      owner: { kind: 'flyteworkflow', name: 'a7hzqtz5cm6k2dnm7k2w', uid: 'o', controller: true },
      spec: {
        initContainers: [{ name: 'init', env: [secret] }],
        containers: [
          {
            name: 'main',
            env: [
              secret,
              { name: 'FLYTE_ATTEMPT_NUMBER', value: '1' },
              { name: 'FLYTE_INTERNAL_TASK_VERSION', value: 'v7' },
              { name: '_F_TK_NM', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
            ],
          },
          { name: 'sidecar' },
        ],
        ephemeralContainers: [{ name: 'debugger', env: [{ name: 'RUN_NAME', value: 'r1' }] }],
      },
      status: {
        containerStatuses: [
          { name: 'main', state: { waiting: {} }, lastState: { terminated: { reason: 'OOMKilled', exitCode: 137 } } },
          { name: 'again', state: { running: {} }, lastState: { terminated: { reason: 'OOMKilled', exitCode: 137 } } },
          {
            name: 'sidecar',
            state: { terminated: { exitCode: 0 } },
            lastState: { terminated: { reason: 'Error', exitCode: 1 } },
          },
        ],
        initContainerStatuses: [{ name: 'init', state: { waiting: {} } }],
      },
    }),
    kept,
  );
  expect(found?.pod).toEqual({
    uid: 'u-1',
    namespace: 'ml-production',
    name: 'a7hzqtz5cm6k2dnm7k2w-n0-0',
    node: 'worker-3',
    addresses: [],
    labels: new Map([
      ['execution-id', 'a7hzqtz5cm6k2dnm7k2w'],
      ['node-id', 'n0'],
      ['flyte.org/run', 'r1'],
      ['app.kubernetes.io/name', 'trainer'],
    ]),
    annotations: new Map([
      ['primary_container_name', 'main'],
      ['fluentbit.io/exclude_stderr-sidecar', 'true'],
    ]),
    owner: { kind: 'flyteworkflow', name: 'a7hzqtz5cm6k2dnm7k2w' },
    containers: new Map([
      ['init', new Map()],
      [
        'main',
        new Map([
          ['FLYTE_ATTEMPT_NUMBER', '1'],
          ['FLYTE_INTERNAL_TASK_VERSION', 'v7'],
        ]),
      ],
      ['sidecar', new Map()],
      ['debugger', new Map([['RUN_NAME', 'r1']])],
    ]),
    terminated: new Map([
      ['main', { reason: 'OOMKilled', exit_code: 137 }],
      ['sidecar', { reason: '', exit_code: 0 }],
    ]),
  });
  expect(Object.isFrozen(found?.pod)).toBe(true);
});

test('labels are kept by name and by the beginning of their name', () => {
  const keeps = keyFilter(['app', 'team.example/*']);
  const keys = ['app', 'apple', 'team.example/', 'team.example/cost', 'team', '*', 'team.example/*', '__proto__'];
  expect(keys.filter(keeps)).toEqual(['app', 'team.example/', 'team.example/cost', 'team.example/*']);
  expect(keys.filter(keyFilter(['*']))).toEqual(keys);
  expect(keys.filter(keyFilter([]))).toEqual([]);
});

test('whatever stands where something of a pod should stand, a pod or nothing is made of it', () => {
  const good = pod('a', { labels: { app: 'x' }, owner: { kind: 'Job', name: 'j', uid: 'u', controller: true } });
  const paths = [
    ...['kind', 'metadata', 'spec', 'status'].map((name) => [name]),
    ...['uid', 'name', 'namespace', 'labels', 'annotations', 'ownerReferences'].map((name) => ['metadata', name]),
    ...['nodeName', 'containers', 'initContainers', 'ephemeralContainers'].map((name) => ['spec', name]),
    ['status', 'containerStatuses'],
  ];
  fc.assert(
    fc.property(fc.constantFrom(...paths), fc.jsonValue(), ([first = '', second], value) => {
      const copy = structuredClone(good) as unknown as Record<string, Record<string, unknown>>;
      if (second === undefined) copy[first] = value as Record<string, unknown>;
      else copy[first]![second] = value;
      const found = podOf(copy, kept)?.pod;
      if (found === undefined) return;
      expect([found.uid, found.namespace, found.name].every((each) => typeof each === 'string' && each !== '')).toBe(
        true,
      );
      for (const text of [...found.labels.values(), ...found.annotations.values(), found.node])
        expect(typeof text).toBe('string');
    }),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.anything(), (value) => void podOf(value, kept)),
    { numRuns: 500 },
  );
});
