import { expect, test } from 'vitest';
import { API_FAULTS, type KubeObject } from '../support/kube-api.ts';
import { Cluster, pod, until } from './parts.ts';

function by(kind: string, name: string, uid = `uid-of-${name}`): object {
  return { apiVersion: 'x/v1', kind, name, uid, controller: true };
}

function object(kind: string, name: string, owner?: object): KubeObject {
  const owners = owner === undefined ? {} : { ownerReferences: [owner] };
  return { kind, metadata: { name, namespace: 'ml-production', uid: `uid-of-${name}`, ...owners } };
}

test('owners are told by the names that Kubernetes gives, and nothing but pods is asked for', async () => {
  const cluster = await Cluster.start();
  const template = { 'pod-template-hash': '5d78c9869d' };
  const given: [string, object, Record<string, string>, string | undefined][] = [
    ['deployment', by('ReplicaSet', 'my-web-5d78c9869d'), template, 'Deployment my-web'],
    ['other-hash', by('ReplicaSet', 'my-web-7c9f8'), template, 'ReplicaSet my-web-7c9f8'],
    ['no-label', by('ReplicaSet', 'my-web-5d78c9869d'), {}, 'ReplicaSet my-web-5d78c9869d'],
    ['only-hash', by('ReplicaSet', '-5d78c9869d'), template, 'ReplicaSet -5d78c9869d'],
    ['cron', by('Job', 'nightly-28912345'), {}, 'CronJob nightly'],
    ['cron-of-old', by('Job', 'nightly-run-1734740700'), {}, 'CronJob nightly-run'],
    ['job', by('Job', 'import-2026'), {}, 'Job import-2026'],
    ['set', by('StatefulSet', 'db'), {}, 'StatefulSet db'],
    ['flyte', by('flyteworkflow', 'a7hzqtz5cm6k2dnm7k2w'), {}, 'flyteworkflow a7hzqtz5cm6k2dnm7k2w'],
    ['flyte2', by('TaskAction', 'r0123-a0'), {}, 'TaskAction r0123-a0'],
    ['only-one', { ...by('flyteworkflow', 'f1'), controller: undefined }, {}, 'flyteworkflow f1'],
    ['broken', { kind: 'Job', controller: true }, {}, undefined],
  ];
  for (const [name, owner, labels] of given) cluster.api.put(pod(name, { owner, labels }));
  const pods = await cluster.synced();
  const found = given.map(([name]) => pods.get(`uid-${name}`)?.owner);
  expect(found.map((owner) => owner && `${owner.kind} ${owner.name}`)).toEqual(given.map(([, , , wanted]) => wanted));
  expect(cluster.api.rights()).toEqual(['list pods', 'watch pods']);
});

const LOOKUP = { owners: 'lookup' } as const;

test('owners are looked up where that is wanted, each once', async () => {
  const cluster = await Cluster.start();
  const { api } = cluster;
  api.add('replicasets', object('ReplicaSet', 'web-1', by('Rollout', 'web')));
  api.add('replicasets', object('ReplicaSet', 'alone'));
  api.add('jobs', object('Job', 'nightly-28912345', by('CronJob', 'nightly')));
  for (const name of ['a', 'b']) api.put(pod(name, { owner: by('ReplicaSet', 'web-1') }));
  api.put(pod('c', { owner: by('ReplicaSet', 'alone') }));
  api.put(pod('d', { owner: by('Job', 'nightly-28912345') }));
  api.put(pod('e', { owner: by('StatefulSet', 'db') }));
  const pods = await cluster.synced(LOOKUP);
  const owners = ['a', 'b', 'c', 'd', 'e'].map((name) => pods.get(`uid-${name}`)?.owner);
  expect(owners.map((owner) => `${owner?.kind} ${owner?.name}`)).toEqual([
    'Rollout web',
    'Rollout web',
    'ReplicaSet alone',
    'CronJob nightly',
    'StatefulSet db',
  ]);
  expect(api.rights()).toEqual(['get apps/replicasets', 'get batch/jobs', 'list pods', 'watch pods']);
  expect(api.calls.filter(({ verb }) => verb === 'get').length).toBe(3);
});

test('an owner that is gone, or whose name is another one’s now, is told by its name', async () => {
  const cluster = await Cluster.start();
  cluster.api.add('jobs', { ...object('Job', 'again-28912345', by('Rollout', 'wrong')) });
  cluster.api.put(pod('a', { owner: by('Job', 'again-28912345', 'before') }));
  cluster.api.put(pod('b', { owner: by('Job', 'gone-28912345') }));
  const pods = await cluster.synced(LOOKUP);
  expect(['a', 'b'].map((name) => pods.get(`uid-${name}`)?.owner?.name)).toEqual(['again', 'gone']);
  expect(cluster.said).toEqual([]);
});

test('when owners may not be looked up names have to do, which is said once, and pods do not wait', async () => {
  const cluster = await Cluster.start();
  cluster.api.forbidden.add('get jobs');
  cluster.api.add('jobs', object('Job', 'nightly-28912345', by('Rollout', 'truth')));
  for (const name of ['a', 'b']) cluster.api.put(pod(name, { owner: by('Job', 'nightly-28912345') }));
  const pods = await cluster.synced(LOOKUP);
  expect(pods.get('uid-b')?.owner).toEqual({ kind: 'CronJob', name: 'nightly' });
  expect(cluster.said).toEqual([
    expect.stringMatching(/forbids it: jobs is forbidden.*grant get on jobs, or set owners: name$/),
  ]);
  expect(cluster.api.calls.filter(({ verb }) => verb === 'get').length).toBe(1);
  cluster.api.forbidden.clear();
  cluster.api.put(pod('c', { owner: by('Job', 'nightly-28912345') }));
  await until(() => pods.get('uid-c') !== undefined);
  expect(pods.get('uid-c')?.owner?.name).toBe('nightly');
  await cluster.clock.advance(300_000);
  cluster.api.put(pod('d', { owner: by('Job', 'nightly-28912345') }));
  await until(() => pods.get('uid-d') !== undefined);
  expect(pods.get('uid-d')?.owner?.name).toBe('truth');
});

test('a look-up without an answer holds pods for some seconds once, and then not again', async () => {
  const cluster = await Cluster.start();
  cluster.api.faults.get.push(API_FAULTS.hang());
  for (const name of ['a', 'b']) cluster.api.put(pod(name, { owner: by('Job', `${name}-28912345`) }));
  const pods = cluster.open(LOOKUP);
  await cluster.pass(2_000);
  await cluster.pass(2_000, 2);
  await until(() => pods.state.state === 'synced');
  expect(['a', 'b'].map((name) => pods.get(`uid-${name}`)?.owner?.name)).toEqual(['a', 'b']);
  expect(cluster.api.calls.filter(({ verb }) => verb === 'get').length).toBe(1);
  expect(cluster.said).toEqual([
    expect.stringContaining('said nothing for 2 s: owners are told by their names meanwhile'),
  ]);
});
