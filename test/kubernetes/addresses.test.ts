import { expect, test } from 'vitest';
import { Cluster, pod, until } from './parts.ts';

const A = '10.0.0.7';

/** As the kubelet says it of a pod that runs. */
function at(address: string, status: object = {}): { status: object } {
  return { status: { phase: 'Running', podIP: address, podIPs: [{ ip: address }], ...status } };
}

test('a pod is found by the address that it alone has while it runs', async () => {
  const cluster = await Cluster.start();
  cluster.api.put(pod('early', { status: { phase: 'Pending' } }));
  cluster.api.put(pod('fit', at(A, { podIPs: [{ ip: A }, { ip: 'fd00::7' }] })));
  cluster.api.put(pod('agent', { spec: { hostNetwork: true }, ...at('192.168.0.1') }));
  cluster.api.put(pod('done', at('10.0.0.9', { phase: 'Succeeded' })));
  const pods = await cluster.synced();
  const named = (address: string): string | undefined => pods.at(address)?.name;
  expect([A, 'fd00::7', '192.168.0.1', '10.0.0.9', '10.0.0.8', ''].map(named)).toEqual([
    'fit',
    'fit',
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  cluster.api.put(pod('early', at('10.0.0.8')));
  await until(() => named('10.0.0.8') === 'early');
});

test('an address that is used again is of the new pod as soon as the old one has ended, and of nobody while both are said to run', async () => {
  const cluster = await Cluster.start();
  cluster.api.put(pod('old', at(A)));
  const pods = await cluster.synced();
  cluster.api.put(pod('new', at(A)));
  await until(() => pods.state.pods === 2);
  await until(() => pods.at(A) === undefined);
  cluster.api.put(pod('old', at(A, { phase: 'Failed' })));
  await until(() => pods.at(A)?.name === 'new');
  cluster.api.remove('new');
  await until(() => pods.at(A) === undefined);
  // Its last lines still find it by its UID.
  expect(pods.get('uid-new')?.name).toBe('new');
});

test('an address is of nobody while the API is not heard', async () => {
  const cluster = await Cluster.start();
  cluster.api.put(pod('fit', at(A)));
  const pods = await cluster.synced();
  expect(pods.at(A)?.name).toBe('fit');
  await cluster.down();
  await until(() => pods.state.state === 'stale');
  expect([pods.at(A), pods.get('uid-fit')?.name]).toEqual([undefined, 'fit']);
});
