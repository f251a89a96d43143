import { expect, test } from 'vitest';
import type { Pod } from '../../src/kubernetes/pod.ts';
import { API_FAULTS } from '../support/kube-api.ts';
import { Cluster, NEVER, pod, until } from './parts.ts';

/** What is asked for, in short. */
function asked({ api }: Cluster): string[] {
  return api.calls.map(({ verb, query: { continue: next, resourceVersion: version } }) =>
    [verb, ...[next, version].filter((each) => each !== undefined)].join(' '),
  );
}

test('the pods of the node are known, in as many pages as it takes, and those of other nodes are not', async () => {
  const cluster = await Cluster.start();
  for (let n = 0; n < 1_203; n++) cluster.api.put(pod(`p-${n}`, { labels: { app: `a-${n}` } }));
  cluster.api.put(pod('elsewhere', { node: 'worker-4' }));
  const pods = await cluster.synced();
  expect(pods.state).toEqual({ state: 'synced', pods: 1_203 });
  expect(pods.get('uid-p-1202')?.labels.get('app')).toBe('a-1202');
  expect(pods.get('uid-elsewhere')).toBe(undefined);
  expect(asked(cluster)).toEqual(['list', 'list 2204@500', 'list 2204@1000', 'watch 2204']);
  const [list, , , watch] = cluster.api.calls.map(({ query }) => query);
  expect(list).toEqual({ fieldSelector: 'spec.nodeName=worker-3', limit: '500' });
  expect(watch).toMatchObject({ allowWatchBookmarks: 'true', timeoutSeconds: '300' });
});

test('without a node all pods are known', async () => {
  const cluster = await Cluster.start();
  for (const node of ['a', 'b']) cluster.api.put(pod(node, { node }));
  const pods = await cluster.synced({}, { env: {} });
  expect(['uid-a', 'uid-b'].map((uid) => pods.get(uid)?.node)).toEqual(['a', 'b']);
});

test('a file that is there before its pod is known waits for it, and no longer', async () => {
  const cluster = await Cluster.start();
  const pods = await cluster.synced();
  const found = pods.wait('uid-new', 5_000, NEVER);
  const other = pods.wait('uid-other', 5_000, NEVER);
  cluster.api.put(pod('new', { labels: { app: 'web' } }));
  expect((await found)?.labels.get('app')).toBe('web');
  expect((await pods.wait('uid-new', 5_000, NEVER))?.name).toBe('new');
  await cluster.clock.advance(4_999);
  const still = Symbol('still waiting');
  expect(await Promise.race([other, Promise.resolve(still)])).toBe(still);
  await cluster.clock.advance(1);
  expect(await other).toBe(undefined);
});

test('who waits is let go when he gives up, and when steptap stops', async () => {
  const cluster = await Cluster.start();
  const pods = await cluster.synced();
  const stop = new AbortController();
  const [given, left] = [pods.wait('uid-x', 5_000, stop.signal), pods.wait('uid-x', 5_000, NEVER)];
  stop.abort();
  expect(await given).toBe(undefined);
  expect(await pods.wait('uid-x', 5_000, stop.signal)).toBe(undefined);
  await pods.close();
  expect(await left).toBe(undefined);
  await until(() => cluster.clock.sleeping === 0 && cluster.api.watches.size === 0);
});

test('a pod of a StatefulSet that is recreated under its name has the new labels, and the old one keeps its own', async () => {
  const cluster = await Cluster.start();
  cluster.api.put(pod('db-0', { uid: 'old', labels: { app: 'v1' } }));
  const pods = await cluster.synced();
  const labels = (): (string | undefined)[] =>
    [pods.get('old'), pods.get('new'), pods.named('ml-production', 'db-0')].map((each) => each?.labels.get('app'));
  expect(labels()).toEqual(['v1', undefined, 'v1']);
  cluster.api.put(pod('db-0', { uid: 'new', labels: { app: 'v2' } }));
  await until(() => pods.get('new') !== undefined);
  expect(labels()).toEqual(['v1', 'v2', 'v2']);
  expect(pods.state.pods).toBe(1);
  await cluster.clock.advance(600_000);
  expect(labels()).toEqual([undefined, 'v2', 'v2']);
});

test('recreated while the API could not be heard, it is the same', async () => {
  const cluster = await Cluster.start();
  cluster.api.put(pod('db-0', { uid: 'old', labels: { app: 'v1' } }));
  const pods = await cluster.synced();
  await cluster.down();
  cluster.api.put(pod('db-0', { uid: 'new', labels: { app: 'v2' } }));
  cluster.api.compact();
  await cluster.up();
  await cluster.pass(500);
  await cluster.pass(1_000);
  await until(() => pods.state.state === 'synced');
  expect(['old', 'new'].map((uid) => pods.get(uid)?.labels.get('app'))).toEqual(['v1', 'v2']);
  expect(pods.named('ml-production', 'db-0')?.uid).toBe('new');
});

test('a deleted pod is remembered for ten minutes, and only the last thousands of them', async () => {
  const cluster = await Cluster.start();
  const pods = await cluster.synced();
  for (let n = 0; n < 4_010; n++) {
    cluster.api.put(pod(`p-${n}`));
    cluster.api.remove(`p-${n}`);
  }
  await until(() => pods.get('uid-p-4009') !== undefined && pods.state.pods === 0);
  expect([pods.get('uid-p-9'), pods.named('ml-production', 'p-9')]).toEqual([undefined, undefined]);
  expect([pods.get('uid-p-10')?.name, pods.named('ml-production', 'p-10')?.name]).toEqual(['p-10', 'p-10']);
  await cluster.clock.advance(599_999);
  expect(pods.get('uid-p-10')?.name).toBe('p-10');
  await cluster.clock.advance(1);
  expect(pods.get('uid-p-10')).toBe(undefined);
});

test('a pod that was missing for a while is there as long as any other', async () => {
  const cluster = await Cluster.start();
  const pods = await cluster.synced();
  cluster.api.put(pod('a'));
  cluster.api.remove('a');
  cluster.api.put(pod('a'));
  cluster.api.put(pod('b'));
  await until(() => pods.get('uid-b') !== undefined);
  await cluster.clock.advance(600_000);
  expect([pods.get('uid-a')?.name, pods.named('ml-production', 'a')?.name]).toEqual(['a', 'a']);
});

test('it is told when a pod becomes known and when what is kept of it changes, and not when something else does', async () => {
  const cluster = await Cluster.start();
  cluster.api.put(pod('a', { labels: { app: 'x' } }));
  const pods = await cluster.synced();
  const heard: (readonly [string, string | undefined])[] = [];
  const stop = pods.watch(({ name, labels }) => heard.push([name, labels.get('app')]));
  const first = pods.get('uid-a');
  cluster.api.put(pod('a', { labels: { app: 'x', other: 'y' }, status: { phase: 'Failed' } }));
  cluster.api.put(pod('b'));
  await until(() => heard.length > 0);
  expect(pods.get('uid-a')).toBe(first);
  cluster.api.put(pod('a', { labels: { app: 'z' } }));
  await until(() => heard.length > 1);
  stop();
  cluster.api.put(pod('c'));
  await until(() => pods.get('uid-c') !== undefined);
  expect(heard).toEqual([
    ['b', undefined],
    ['a', 'z'],
  ]);
});

test('a static pod is found by the hash in the paths of its files, and nobody takes that from it', async () => {
  const cluster = await Cluster.start();
  const hash = '0123456789abcdef0123456789abcdef';
  const mirror = (value: string): object => ({ annotations: { 'kubernetes.io/config.mirror': value } });
  cluster.api.put(pod('etcd', { uid: 'real', ...mirror(hash) }));
  cluster.api.put(pod('victim', { uid: '6a1f4c1e-0000-4000-8000-000000000001' }));
  const pods = await cluster.synced();
  cluster.api.put(pod('thief', mirror(hash)));
  cluster.api.put(pod('second', mirror('6a1f4c1e-0000-4000-8000-000000000001')));
  cluster.api.put(pod('third', mirror('ml-production/victim')));
  await until(() => pods.get('uid-third') !== undefined);
  expect(pods.get(hash)?.name).toBe('etcd');
  expect(pods.get('6a1f4c1e-0000-4000-8000-000000000001')?.name).toBe('victim');
  expect(pods.named('ml-production', 'victim')?.name).toBe('victim');
});

test('a watch that ends goes on from the last bookmark, and nothing is told twice', async () => {
  const cluster = await Cluster.start();
  cluster.api.put(pod('a'));
  const pods = await cluster.synced();
  const heard: Pod[] = [];
  pods.watch((each) => heard.push(each));
  cluster.api.pass(70);
  cluster.api.bookmark();
  cluster.api.put(pod('b'));
  await until(() => heard.length === 1);
  cluster.api.pass(7);
  cluster.api.bookmark();
  cluster.api.end('well');
  await until(() => cluster.api.calls.length === 3);
  expect(asked(cluster)).toEqual(['list', 'watch 1001', 'watch 1079']);
  cluster.api.put(pod('c'));
  await until(() => heard.length === 2);
  expect(heard.map(({ name }) => name)).toEqual(['b', 'c']);
  expect([cluster.api.connections, cluster.clock.sleeping, cluster.said]).toEqual([1, 1, []]);
});

test.each(['status', 'event'] as const)(
  'when the version is forgotten (410 as %s) they are listed anew, and what is gone is gone',
  async (gone) => {
    const cluster = await Cluster.start();
    for (const name of ['a', 'b', 'c']) cluster.api.put(pod(name));
    const pods = await cluster.synced();
    cluster.api.gone = gone;
    cluster.api.end('cut');
    cluster.api.remove('b');
    cluster.api.put(pod('d'));
    cluster.api.compact();
    await cluster.pass(500);
    await cluster.pass(1_000);
    await until(() => pods.get('uid-d') !== undefined && pods.state.state === 'synced');
    expect(asked(cluster)).toEqual(['list', 'watch 1003', 'watch 1003', 'list', 'watch 1005']);
    expect(pods.state.pods).toBe(3);
    expect(pods.get('uid-b')?.name).toBe('b');
    await cluster.clock.advance(600_000);
    expect(pods.get('uid-b')).toBe(undefined);
  },
);

test('when the version is forgotten between two pages, the list begins anew', async () => {
  const cluster = await Cluster.start();
  for (let n = 0; n < 600; n++) cluster.api.put(pod(`p-${n}`));
  cluster.api.faults.list.push(
    (response, call) => cluster.api.good(response, call),
    (response, call) => {
      cluster.api.put(pod('more'));
      cluster.api.compact();
      cluster.api.good(response, call);
    },
  );
  const pods = cluster.open();
  await cluster.pass(500);
  await until(() => pods.state.state === 'synced');
  expect(asked(cluster)).toEqual(['list', 'list 1600@500', 'list', 'list 1601@500', 'watch 1601']);
  expect(pods.state.pods).toBe(601);
});

test('a connection that is cut in the middle of an event loses none', async () => {
  const cluster = await Cluster.start();
  const pods = await cluster.synced();
  cluster.api.put(pod('a'));
  await until(() => pods.get('uid-a') !== undefined);
  for (let n = 1; n <= 3; n++) {
    const whole = JSON.stringify({ type: 'ADDED', object: pod(`b-${n}`) });
    cluster.api.end('cut', whole.slice(0, whole.length / 2));
    cluster.api.put(pod(`b-${n}`));
    await cluster.pass(500, n);
    await until(() => pods.get(`uid-b-${n}`) !== undefined);
  }
  expect(asked(cluster)).toEqual(['list', 'watch 1000', 'watch 1001', 'watch 1002', 'watch 1003']);
  expect(cluster.said).toEqual([]);
});

test('an API that takes its time holds nobody longer than he waits, and is heard when it speaks', async () => {
  const cluster = await Cluster.start();
  cluster.api.put(pod('a'));
  let speak: () => void = () => {};
  const spoken = new Promise<void>((resolve) => {
    speak = resolve;
  });
  cluster.api.faults.list.push(API_FAULTS.later(cluster.api, spoken));
  const pods = cluster.open();
  await until(() => cluster.api.calls.length === 1);
  const waiting = pods.wait('uid-a', 5_000, NEVER);
  await cluster.clock.advance(5_000);
  expect(await waiting).toBe(undefined);
  await cluster.clock.advance(25_000);
  const later = pods.wait('uid-a', 5_000, NEVER);
  speak();
  expect((await later)?.name).toBe('a');
});
