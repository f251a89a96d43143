import { expect, test } from 'vitest';
import { API_FAULTS, type Fault } from '../support/kube-api.ts';
import { Cluster, NEVER, pod, until } from './parts.ts';

const WITHOUT = 'Lines of pods that are not known go on without metadata';

/** The pauses after failures; the others are the silences that a request may keep. */
function pauses({ clock }: Cluster): number[] {
  return clock.slept.filter((ms) => ![5_000, 60_000, 75_000].includes(ms));
}

test('an API that is down is asked again after longer and longer pauses, told of once, and heard when it is up', async () => {
  const cluster = await Cluster.start();
  cluster.api.put(pod('a'));
  await cluster.down();
  const pods = cluster.open();
  for (const [n, ms] of [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000].entries()) {
    await until(() => pauses(cluster).length === n + 1);
    expect(pauses(cluster)[n]).toBe(ms);
    await cluster.clock.advance(ms);
  }
  await until(() => pauses(cluster).length === 8);
  const name = `the Kubernetes API (${cluster.api.url})`;
  expect(pods.state).toEqual({ state: 'starting', reason: `${name} cannot be reached (ECONNREFUSED)`, pods: 0 });
  expect(cluster.said).toEqual([`warning: ${name} cannot be reached (ECONNREFUSED); tried again. ${WITHOUT}`]);
  await cluster.up();
  await cluster.clock.advance(15_000);
  await until(() => pods.get('uid-a') !== undefined && cluster.api.watches.size === 1);
  cluster.api.bookmark();
  await until(() => cluster.said.length === 2);
  expect(cluster.said[1]).toBe(`info: ${name} answers again`);
  expect(pods.state).toEqual({ state: 'synced', pods: 1 });
});

test('what is known stays known while the API is down', async () => {
  const cluster = await Cluster.start();
  cluster.api.put(pod('a'));
  const pods = await cluster.synced();
  await cluster.down();
  await until(() => pods.state.state === 'stale');
  expect(pods.get('uid-a')?.name).toBe('a');
  expect((await pods.wait('uid-a', 5_000, NEVER))?.name).toBe('a');
});

test.each(['list', 'watch'] as const)(
  'when %s is forbidden nobody waits, it is said once, and five minutes later it may be allowed',
  async (verb) => {
    const cluster = await Cluster.start();
    cluster.api.put(pod('a'));
    cluster.api.forbidden.add(`${verb} pods`);
    const pods = cluster.open();
    const early = pods.wait('uid-x', 5_000, NEVER);
    await until(() => pods.state.state === 'forbidden');
    expect([await early, await pods.wait('uid-x', 5_000, NEVER)]).toEqual([undefined, undefined]);
    await cluster.pass(300_000);
    await until(() => pauses(cluster).length === 2);
    expect(pauses(cluster)).toEqual([300_000, 300_000]);
    expect(cluster.said).toEqual([
      expect.stringMatching(
        new RegExp(`^warning: the Kubernetes API .* forbids it: pods is forbidden: User .* cannot ${verb} resource`),
      ),
    ]);
    expect(cluster.said[0]).toContain('tried again every 5 minutes: allow steptap to list and watch pods');
    cluster.api.forbidden.clear();
    await cluster.clock.advance(300_000);
    await until(() => pods.state.state === 'synced');
    expect(pods.get('uid-a')?.name).toBe('a');
    const late = pods.wait('uid-b', 5_000, NEVER);
    cluster.api.put(pod('b'));
    expect((await late)?.name).toBe('b');
  },
);

test('rights that are taken away are told of, also after other trouble, and what is known stays known', async () => {
  const cluster = await Cluster.start();
  cluster.api.put(pod('a'));
  const pods = await cluster.synced();
  cluster.api.faults.watch.push(...Array.from({ length: 3 }, () => API_FAULTS.status(503, 'starting')));
  cluster.api.end('cut');
  await until(() => cluster.api.watches.size === 0);
  cluster.api.forbidden.add('watch pods');
  for (const ms of [500, 1_000, 2_000, 4_000]) await cluster.pass(ms);
  await until(() => pods.state.state === 'forbidden');
  expect(cluster.said.map((line) => /answered 503|forbids it/.exec(line)?.[0])).toEqual(['answered 503', 'forbids it']);
  expect(pods.get('uid-a')?.name).toBe('a');
  cluster.api.faults.list.push(API_FAULTS.cut());
  await cluster.pass(300_000);
  await until(() => pods.state.state === 'stale');
});

test('an API that has too much to do is left alone for as long as it says', async () => {
  const cluster = await Cluster.start();
  cluster.api.faults.list.push(API_FAULTS.status(429, 'too many requests', { 'retry-after': '7' }));
  const pods = cluster.open();
  await cluster.pass(7_000);
  await until(() => pods.state.state === 'synced');
  expect(pauses(cluster)).toEqual([7_000]);
});

const html: Fault = API_FAULTS.body('<html>welcome</html>', { 'content-type': 'text/html' });

test.each<[string, Fault, string]>([
  ['a page for people', html, 'gave an answer that is no JSON: is it Kubernetes?'],
  ['a page for people, with 502', API_FAULTS.body('<html>oops</html>', {}, 502), 'answered 502'],
  ['a redirect', API_FAULTS.body('', { location: 'http://127.0.0.1:1/' }, 302), 'answered 302'],
  ['JSON that is no list', API_FAULTS.body('[1]'), 'gave an answer that is no JSON: is it Kubernetes?'],
  [
    'a list of something else',
    API_FAULTS.body('{"kind":"List","items":[]}'),
    'gave no list of pods: is it Kubernetes?',
  ],
  [
    'a list with something that is no pod',
    API_FAULTS.body('{"kind":"PodList","metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":7}}]}'),
    'gave a list with something that is no pod: is it Kubernetes?',
  ],
  [
    'half an answer',
    (response) => void response.writeHead(200).write('{"k', () => response.socket?.destroy()),
    'broke the connection (ECONNRESET)',
  ],
  [
    'no HTTP',
    (response) => void response.socket?.end('220 smtp\r\n\r\n'),
    'broke the connection (HPE_INVALID_CONSTANT)',
  ],
])('%s instead of a list is a failure like any other', async (_what, fault, message) => {
  const cluster = await Cluster.start();
  cluster.api.put(pod('a'));
  cluster.api.faults.list.push(fault);
  const pods = cluster.open();
  await until(() => pods.state.reason !== undefined);
  expect(pods.state.reason).toBe(`the Kubernetes API (${cluster.api.url}) ${message}`);
  await cluster.pass(500);
  await until(() => pods.state.state === 'synced');
  expect(pods.get('uid-a')?.name).toBe('a');
});

test.each([
  ['no JSON', '<html>'],
  ['JSON that is no event', '{"kind":"Pod"}'],
  ['an event of a kind that is not known', JSON.stringify({ type: 'RENAMED', object: pod('x') })],
  ['an event with something that is no pod', '{"type":"ADDED","object":{"metadata":{"resourceVersion":"5"}}}'],
  ['a bookmark without a version', '{"type":"BOOKMARK","object":{}}'],
  ['an error', '{"type":"ERROR","object":{"code":500,"message":"etcdserver: leader changed"}}'],
  ['a line of more than 8 MiB', `{"type":"${'A'.repeat((8 << 20) + 1)}`],
])('%s in a watch makes it list anew', async (_what, line) => {
  const cluster = await Cluster.start();
  cluster.api.put(pod('a'));
  const pods = await cluster.synced();
  cluster.api.say(line);
  await until(() => pods.state.state === 'stale');
  cluster.api.put(pod('b'));
  await cluster.pass(500);
  await until(() => pods.get('uid-b') !== undefined && pods.state.state === 'synced');
  expect(cluster.api.calls.map(({ verb }) => verb)).toEqual(['list', 'watch', 'list', 'watch']);
});

test('a list that never comes is given up, and asked for again', async () => {
  const cluster = await Cluster.start();
  cluster.api.put(pod('a'));
  cluster.api.faults.list.push(API_FAULTS.hang());
  const pods = cluster.open();
  await until(() => cluster.api.calls.length === 1);
  await cluster.clock.advance(60_000);
  await until(() => pods.state.reason !== undefined);
  expect(pods.state.reason).toBe(`the Kubernetes API (${cluster.api.url}) said nothing for 60 s`);
  await cluster.pass(500);
  await until(() => pods.get('uid-a') !== undefined);
});

test('a watch of which nothing is heard is replaced, and that is no trouble', async () => {
  const cluster = await Cluster.start();
  const pods = await cluster.synced();
  await cluster.clock.advance(150_000);
  await until(() => cluster.api.calls.length === 3);
  cluster.api.put(pod('a'));
  await until(() => pods.get('uid-a') !== undefined);
  expect(cluster.api.calls.map(({ verb }) => verb)).toEqual(['list', 'watch', 'watch']);
  expect([pauses(cluster), cluster.said]).toEqual([[], []]);
});

test('watches that end as soon as they begin are not asked for in a loop', async () => {
  const cluster = await Cluster.start();
  cluster.api.faults.watch.push(...Array.from({ length: 3 }, () => API_FAULTS.body('')));
  const pods = cluster.open();
  for (const ms of [500, 1_000, 2_000]) await cluster.pass(ms);
  await until(() => cluster.api.watches.size === 1);
  expect(cluster.said).toEqual([expect.stringContaining('ended a watch as soon as it had begun; tried again')]);
  expect(cluster.api.calls.map(({ verb }) => verb)).toEqual(['list', 'watch', 'watch', 'watch', 'watch']);
  expect(pods.state.state).toBe('synced');
});

test('a version from which nothing can be watched, time after time, is given up', async () => {
  const cluster = await Cluster.start();
  const tooLarge = API_FAULTS.status(504, 'Timeout: Too large resource version: 9, current: 5', {});
  cluster.api.faults.watch.push(...Array.from({ length: 5 }, () => tooLarge));
  const pods = cluster.open();
  for (const ms of [500, 1_000, 2_000, 4_000, 8_000]) await cluster.pass(ms);
  await until(() => pods.state.state === 'synced');
  const verbs = cluster.api.calls.map(({ verb }) => verb);
  expect(verbs).toEqual(['list', ...Array.from({ length: 5 }, () => 'watch'), 'list', 'watch']);
});

test('where pods are too large for a page of 500 the pages are smaller', async () => {
  const cluster = await Cluster.start();
  for (let n = 0; n < 130; n++) cluster.api.put(pod(`p-${n}`));
  cluster.api.faults.list.push(API_FAULTS.body(' '.repeat((32 << 20) + 1)));
  const pods = await cluster.synced();
  expect(pods.state.pods).toBe(130);
  expect(cluster.api.calls.map(({ query: { limit = '' } }) => limit)).toEqual(['500', '125', '125', '']);
});

test('requests and pods are counted, and go on when pods are opened anew', async () => {
  const cluster = await Cluster.start();
  cluster.api.put(pod('a'));
  cluster.api.faults.list.push(API_FAULTS.cut(), API_FAULTS.status(500, 'no'));
  const pods = cluster.open();
  await cluster.pass(500);
  await cluster.pass(1_000);
  await until(() => pods.state.state === 'synced');
  await pods.close();
  await cluster.synced();
  const text = await cluster.registry.metrics();
  expect(text.split('\n').filter((line) => line.startsWith('steptap_'))).toEqual([
    'steptap_kubernetes_requests_total{verb="list",code="error"} 1',
    'steptap_kubernetes_requests_total{verb="list",code="500"} 1',
    'steptap_kubernetes_requests_total{verb="list",code="200"} 2',
    'steptap_kubernetes_requests_total{verb="watch",code="200"} 2',
    'steptap_kubernetes_pods 1',
  ]);
});
