import { expect, test } from 'vitest';
import type { Pod } from '../../src/kubernetes/pod.ts';
import { NOWHERE, type OriginFields } from '../../src/origin.ts';
import { decode, stepLine, type Fields } from '../support/decode.ts';
import { desk, drawn, samples, sum_us } from './parts.ts';

/* What flytekit's steps lead one to believe, and is not so. */

/** Two steps failed, of one error; and the lines in which flytekit tells why. */
const FAILED = [...samples(22, 23), ...samples(33, 36)];
const FIT = samples(1, 21, [12]);

async function tasksOf(lines: readonly string[], origin?: OriginFields): Promise<Fields[]> {
  const { say, end } = desk();
  await say(lines, origin);
  return end();
}

test('flytekit, Trap 1: the class of a user’s error is a wrapper in the step, and the true one is in the lines behind it', async () => {
  const { steps, events } = decode(FAILED.join('\n'));
  expect(steps.map(({ error_type }) => error_type)).toEqual(Array(2).fill('FlyteUserRuntimeException'));
  expect(events).toMatchObject([{ kind: 'error', root_error_type: 'ValueError', error_kind: 'user' }]);
  expect(await tasksOf(FAILED)).toMatchObject([{ root_error_type: 'ValueError', error_kind: 'user' }]);
});

test('flytekit, Trap 2: a failure that two nested steps tell is one, of the innermost', async () => {
  const { steps, events } = decode(FAILED.join('\n'));
  expect(steps.map(({ status }) => status)).toEqual(['error', 'error']);
  expect(events).toHaveLength(1);
  expect(await tasksOf(FAILED)).toMatchObject([
    { status: 'error', attributes: { 'steptap.failed_step': 'execute_user_code' } },
  ]);
});

test('flytekit, Trap 3: the times of steps count what is within them again; self times add up to the task', async () => {
  const [task] = await tasksOf(FIT);
  const summed = decode(FIT.join('\n')).steps.reduce((sum, { wall_time_s }) => sum + Number(wall_time_s), 0);
  expect(summed).toBeGreaterThan(60);
  expect(task!['wall_time_s']).toBe(32.610913);
  expect(sum_us(task!['self_time_s'])).toBe(32_610_913);
});

test.each([
  ['failed', FAILED, { status: 'error', end_reason: 'completed' }],
  ['was not seen to end', samples(3, 9), { status: 'unknown', exit_code: 0, termination_reason: 'Completed' }],
])('flytekit, Trap 4: the container of a task that %s exits with 0 all the same', async (_, lines, expected) => {
  const pod: OriginFields = {
    ...NOWHERE,
    namespace: 'ml-production',
    pod: 'f1c0b5a2e93d4c7f8a61-n0-0',
    pod_uid: 'e5c5b5ee-2b1c-4d3a-8f7e-0a1b2c3d4e5f',
    container: 'main',
    k8s_enriched: true,
  };
  const none = new Map<string, never>();
  const succeeded: Pod = {
    uid: pod.pod_uid,
    namespace: pod.namespace,
    name: pod.pod,
    node: 'worker-3',
    labels: none,
    annotations: none,
    owner: undefined,
    containers: none,
    addresses: [],
    terminated: new Map([[pod.container, { reason: 'Completed', exit_code: 0 }]]),
  };
  const { clock, say, told } = desk({
    get: (uid) => (uid === pod.pod_uid ? succeeded : undefined),
    state: { state: 'synced', pods: 1 },
  });
  await say(lines, pod);
  await clock.advance(60_000);
  expect(await told()).toMatchObject([expected]);
});

test('flytekit, Trap 5: a child that computes to start before its parent is its child, and order is that of arrival', async () => {
  const at = (ms: number, step: string, wall_time_s: string): string =>
    stepLine({ asctime: `"2026-02-19 10:30:44,${ms}"`, step: `"${step}"`, wall_time_s });
  // A pair as it was observed: 0.66 ms before; and several that end in one millisecond.
  const [task] = await tasksOf([
    at(225, 'Load task', '0.021620'),
    at(226, 'load_task', '0.021961'),
    at(227, 'pre_execute', '0.000004'),
    at(227, 'Execute user level code', '0.000004'),
    at(227, 'post_execute', '0.000004'),
    at(227, 'task_dispatch_execute', '0.000900'),
  ]);
  expect(drawn(task!).map((line) => line.replace(/ [\d. ]+$/, ''))).toEqual([
    'task',
    '  load_task',
    '    load_task_module',
    '  task_dispatch_execute',
    '    pre_execute',
    '    execute_user_code',
    '    post_execute',
  ]);
});
