import { expect, test } from 'vitest';
import { NOWHERE, type OriginFields } from '../../src/origin.ts';
import type { Pod } from '../../src/kubernetes/pod.ts';
import { stepLine, type Fields } from '../support/decode.ts';
import { desk, drawn, samples, sum_us } from './parts.ts';

/** One execution of one task, as flytekit wrote it; number 12 is another form of number 11. */
const FIT = samples(1, 21, [12]);
/** Steps that failed, and the lines in which flytekit told why. */
const FAILING = [...samples(22, 23), ...samples(33, 36)];

async function tasksOf(lines: readonly string[]): Promise<Fields[]> {
  const { say, end } = desk();
  await say(lines);
  return end();
}

test('the steps of a task are one row, with a tree whose self times add up to the whole', async () => {
  const [task, ...others] = await tasksOf(FIT);
  expect(others).toEqual([]);
  expect(drawn(task!)).toEqual([
    'task 0 32.610913 1.544364',
    '  download_distribution 0 0.476913 0.064707',
    '    download_data 0.000707 0.412206 0.412206',
    '  load_task 2.018362 1.216551 0.001',
    '    load_task_module 2.017709 1.216204 1.215551',
    '  download_inputs 3.236007 0.160906 0.001',
    '    download_data 3.235491 0.160422 0.159906',
    '  deserialize_inputs 3.396961 0.000952 0.000952',
    '  task_dispatch_execute 3.397689 29.017224 0.003505',
    '    pre_execute 3.397908 0.000005 0',
    '    translate_literal_to_python_value 3.39804 0.001873 0.00187',
    '      async_translate_literal_to_python_value 3.39891 0.000003 0.000003',
    '    execute_user_code 3.401794 28.447119 28.447119',
    '    post_execute 31.848909 0.000004 0',
    '    dispatch_execute 31.85041 0.564503 0.001',
    '      translate_output_to_literals 31.850036 0.563877 0.002501',
    '        upload_data 31.851911 0.561002 0.561002',
    '    write_decks 32.414911 0.000002 0',
    '  output_offloading 32.415894 0.000019 0.000019',
    '  upload_outputs 32.416705 0.194208 0.000397',
    '    upload_data 32.417102 0.193811 0.193811',
  ]);
  expect(sum_us(task!['self_time_s'])).toBe(32_610_913);
});

test('a task says who it was, how long each phase took, and which share was not its own code', async () => {
  const [task] = await tasksOf(FIT);
  const {
    waterfall: _,
    self_time_s: _self,
    version: _version,
    task_day: _day,
    task_key,
    labels: _labels,
    ...fields
  } = task!;
  expect(task_key).toMatch(/^[0-9a-f]{32}$/);
  expect(fields).toEqual({
    ts: '2026-02-19T10:31:13.402000Z',
    revision: 1,
    ts_start: '2026-02-19T10:30:40.791087Z',
    dialect: 'flytekit',
    event: 'flyte_task',
    kind: 'task',
    status: 'success',
    wall_time_s: 32.610913,
    process_time_s: 29.250564,
    execution_id: 'a7hzqtz5cm6k2dnm7k2w',
    task: 'workflows.train.fit',
    node_id: 'n0',
    attempt: 0,
    project: 'ml',
    domain: 'production',
    task_project: 'ml',
    task_domain: 'production',
    app: 'flytekit',
    component: 'task',
    end_reason: 'completed',
    ts_started: '2026-02-19T10:30:40.791087Z',
    phases: { load: 1.693464, inputs: 0.163731, execution: 28.447119, outputs: 0.75873, other: 1.547869 },
    overhead_ratio: 0.127681,
    steps: 20,
    params: fields['params'],
  });
  expect(sum_us(fields['phases'])).toBe(32_610_913);
});

test('a failure is one, of the innermost step, with its true class out of the lines behind it, though the outputs of an error are uploaded well', async () => {
  const outputs = stepLine({
    asctime: '"2026-02-19 11:02:08,000"',
    step: '"upload_outputs"',
    wall_time_s: '0.3',
    execution_id: '"f1c0b5a2e93d4c7f8a61"',
  });
  const [task, ...others] = await tasksOf([...FAILING, outputs]);
  expect(others).toEqual([]);
  expect(task).toMatchObject({
    revision: 1,
    status: 'error',
    error_type: 'FlyteUserRuntimeException',
    root_error_type: 'ValueError',
    error_kind: 'user',
    attributes: { 'steptap.failed_step': 'execute_user_code' },
    end_reason: 'completed',
  });
  expect(task!['message']).toContain('ValueError: shape mismatch (3, 4)');
  expect(drawn(task!)).toEqual([
    'task 0 3.604905 0.181 error',
    '  task_dispatch_execute 0 3.123905 0.003458 error',
    '    execute_user_code 0.002458 3.120447 3.120447 error',
    '  upload_outputs 3.304905 0.3 0.3',
  ]);
});

test('what a task has caught has not failed it', async () => {
  const [task] = await tasksOf([
    said('fetch', 5, 1, { status: '"error"', error_type: '"TimeoutError"' }),
    said('Execute user level code', 10, 10),
    said('task_dispatch_execute', 11, 11.5),
  ]);
  expect(task).toMatchObject({ status: 'success', steps: 3 });
  expect(task).not.toHaveProperty('error_type');
});

test('a task that cannot even be loaded failed with the class of its import', async () => {
  const [task] = await tasksOf(samples(24, 24));
  expect(task).toMatchObject({ status: 'error', error_type: 'ModuleNotFoundError', end_reason: 'completed' });
  expect(task).toMatchObject({ overhead_ratio: 1, phases: { load: 0.802114, execution: 0 } });
});

test('a task without outputs is told when it is quiet behind its code', async () => {
  const { clock, say, told } = desk();
  await say([said('Execute user level code', 9, 9), said('task_dispatch_execute', 10, 10)]);
  await clock.advance(20_000);
  expect(await told()).toEqual([]);
  await clock.advance(15_000);
  expect(await told()).toMatchObject([{ revision: 1, end_reason: 'completed', steps: 2 }]);
});

test('a task is told two seconds behind its outputs, with an error that came later', async () => {
  const { clock, say, told } = desk();
  await say(samples(22, 23));
  await say([
    stepLine({
      asctime: '"2026-02-19 11:02:07,600"',
      step: '"upload_outputs"',
      wall_time_s: '0.01',
      execution_id: '"f1c0b5a2e93d4c7f8a61"',
    }),
  ]);
  await clock.advance(1_000);
  await say(samples(33, 36));
  expect(await told()).toEqual([]);
  await clock.advance(4_000);
  expect(await told()).toMatchObject([{ revision: 1, root_error_type: 'ValueError' }]);
});

test('a step that comes when its task was told corrects it, under the same key and with a higher version', async () => {
  const { clock, say, told, end } = desk();
  await say(FIT);
  await clock.advance(4_000);
  expect(await told()).toMatchObject([{ revision: 1, steps: 20 }]);
  await say([
    stepLine({
      asctime: '"2026-02-19 10:31:14,402"',
      step: '"output_deck"',
      wall_time_s: '0.9',
      process_time_s: '0.1',
    }),
  ]);
  const [first, second, ...others] = await end();
  expect(others).toEqual([]);
  expect(second).toMatchObject({ revision: 2, steps: 21, wall_time_s: 33.610913, task_key: first!['task_key'] });
  expect(Number(second!['version'])).toBeGreaterThan(Number(first!['version']));
});

test('a step that comes later than it could correct anything is counted, and starts no other task', async () => {
  const { clock, registry, say, told } = desk();
  await say(FIT);
  await clock.advance(4_000);
  await clock.advance(3_700_000);
  await say([stepLine({ asctime: '"2026-02-19 10:31:14,402"', step: '"output_deck"', wall_time_s: '0.9' })]);
  await clock.advance(5_000);
  expect(await told()).toHaveLength(1);
  expect(await registry.metrics()).toContain('steptap_task_late_rows_total 1');
}, 20_000);

test('a task of which nothing is heard any more has a missing end; what it says later corrects that', async () => {
  const { clock, say, told, end } = desk(undefined, 60);
  await say(samples(1, 7));
  await clock.advance(80_000);
  const missing = { revision: 0, status: 'unknown', end_reason: 'idle', steps: 7 };
  expect(await told()).toMatchObject([missing]);
  // Nobody knows how long its code took.
  expect((await told())[0]).not.toHaveProperty('overhead_ratio');
  await say(samples(8, 21, [12]));
  const [first, second, ...others] = await end();
  expect(others).toEqual([]);
  expect(second).toMatchObject({
    revision: 1,
    status: 'success',
    end_reason: 'completed',
    task_key: first!['task_key'],
    steps: 20,
  });
});

test('a run that is stopped tells nothing of what is open; the end of the input does', async () => {
  const [stopped, ended] = [desk(), desk()];
  for (const { say } of [stopped, ended]) await say(samples(1, 7));
  expect(await stopped.stop()).toEqual([]);
  expect(await ended.end()).toMatchObject([{ revision: 0, end_reason: 'input_ended', status: 'unknown' }]);
});

const POD: OriginFields = {
  ...NOWHERE,
  namespace: 'ml-production',
  pod: 'a7hzqtz5cm6k2dnm7k2w-n0-0',
  pod_uid: 'e5c5b5ee-2b1c-4d3a-8f7e-0a1b2c3d4e5f',
  container: 'a7hzqtz5cm6k2dnm7k2w-n0-0',
  k8s_enriched: true,
};

/** What the Kubernetes API knows of that pod. */
class Known {
  pod: Pod | undefined;
  readonly state = { state: 'synced', pods: 1 } as const;

  constructor(terminated: Pod['terminated'] = new Map()) {
    const none = new Map<string, never>();
    const { pod_uid: uid, namespace, pod: name } = POD;
    const words = {
      node: 'worker-3',
      labels: none,
      annotations: none,
      owner: undefined,
      containers: none,
      addresses: [],
    };
    this.pod = { uid, namespace, name, ...words, terminated };
  }

  get(uid: string): Pod | undefined {
    return uid === POD.pod_uid ? this.pod : undefined;
  }
}

test('a container that was killed in the middle is a task with a missing end, and the reason of Kubernetes', async () => {
  const pods = new Known(new Map([[POD.container, { reason: 'OOMKilled', exit_code: 137 }]]));
  const { clock, say, told } = desk(pods);
  await say(samples(1, 7), POD);
  await clock.advance(5_000);
  // Its last lines may still be on their way.
  expect(await told()).toEqual([]);
  await clock.advance(25_000);
  expect(await told()).toMatchObject([
    {
      status: 'error',
      end_reason: 'pod_gone',
      termination_reason: 'OOMKilled',
      exit_code: 137,
      revision: 0,
      pod_uid: POD.pod_uid,
      container: POD.container,
    },
  ]);
});

test('a task is not idle while its pod lives, and over when the pod is not there any more', async () => {
  const pods = new Known();
  const { clock, say, told } = desk(pods, 60);
  await say(samples(1, 7), POD);
  await clock.advance(200_000);
  expect(await told()).toEqual([]);
  pods.pod = undefined;
  await clock.advance(30_000);
  expect(await told()).toMatchObject([{ status: 'unknown', end_reason: 'pod_gone', revision: 0 }]);
});

test('where there is no room to remember so many, the oldest is told unfinished, counted, and corrected by nothing', async () => {
  const { registry, spool, say, told } = desk(undefined, 3600, { entries: 3, text: 1 << 20, parsed: 0 });
  for (const n of [1, 2, 3, 4, 5]) await say(samples(3, 9), { ...POD, pod: `pod-${n}`, pod_uid: `uid-${n}` });
  // It looks once a second.
  await say([], POD);
  const rows = await told();
  expect(rows.length).toBeGreaterThanOrEqual(1);
  expect(rows.map(({ pod_uid, end_reason, revision }) => ({ pod_uid, end_reason, revision }))).toEqual(
    rows.map((_, n) => ({ pod_uid: `uid-${n + 1}`, end_reason: 'evicted', revision: 0 })),
  );
  expect(spool.state('stage:tasks').size).toBe(5 - rows.length);
  expect(await registry.metrics()).toContain(`steptap_task_evicted_total ${rows.length}`);
});

test('steps of somebody who times a script of his own are no task', async () => {
  expect(await tasksOf([said('read', 1, 1), said('Upload data to s3://b/1', 3, 2), said('write', 4, 1)])).toEqual([]);
});

test('lines from outside of the context of a task are of the task that its stream then names', async () => {
  const [task] = await tasksOf(samples(1, 4));
  expect(task).toMatchObject({ execution_id: 'a7hzqtz5cm6k2dnm7k2w', task: 'workflows.train.fit', steps: 4 });
});

test('executions that share one stream are tasks of their own, each with its own error', async () => {
  const mixed = FIT.flatMap((line, n) => [line, ...FAILING.slice(n - 3, n - 2)]);
  const tasks = await tasksOf(mixed);
  expect(tasks.map(({ execution_id, steps, root_error_type }) => ({ execution_id, steps, root_error_type }))).toEqual(
    expect.arrayContaining([
      { execution_id: 'a7hzqtz5cm6k2dnm7k2w', steps: 20, root_error_type: undefined },
      { execution_id: 'f1c0b5a2e93d4c7f8a61', steps: 2, root_error_type: 'ValueError' },
    ]),
  );
  expect(tasks).toHaveLength(2);
});

test('one process that runs a task over and over, as pyflyte run does, has run as many tasks', async () => {
  const run = (at: number): string[] => [
    said('pre_execute', at + 0.1, 0.00001),
    said('Execute user level code', at + 2, 1.5),
    said('task_dispatch_execute', at + 2.1, 2.1),
  ];
  const tasks = await tasksOf([...run(0), ...run(3), ...run(6)]);
  expect(tasks.map(({ wall_time_s, steps }) => ({ wall_time_s, steps }))).toEqual(
    Array.from({ length: 3 }, () => ({ wall_time_s: 2.1, steps: 3 })),
  );
  expect(new Set(tasks.map(({ task_key }) => task_key)).size).toBe(3);
});

test('steps that overlap, as uploads do, make no self time negative', async () => {
  const [task] = await tasksOf([
    said('Upload data to s3://b/1', 5, 4),
    said('Upload data to s3://b/2', 6, 4.5),
    said('Upload data to s3://b/3', 6.1, 5),
    said('Translate the output to literals', 6.2, 5.3),
    said('dispatch execute', 6.3, 5.4),
    said('task_dispatch_execute', 6.4, 6),
  ]);
  expect(drawn(task!)).toEqual([
    'task 0 6 0',
    '  task_dispatch_execute 0 6 0.6',
    '    dispatch_execute 0.5 5.4 0.1',
    '      translate_output_to_literals 0.5 5.3 0.2',
    '        upload_data 0.6 4 4',
    '        upload_data 0.7 5 1.1',
    '        upload_data 1.1 4.5 0',
  ]);
  expect(sum_us(task!['self_time_s'])).toBe(6_000_000);
});

test('of thousands of steps of its own code a task keeps five hundred, and counts the others', async () => {
  const own = Array.from({ length: 5_000 }, (_, n) =>
    said(`part ${String.fromCodePoint(97 + (n % 26))}`, n / 1000, 0.0005),
  );
  const [task] = await tasksOf([
    ...own,
    said('Execute user level code', 6, 6),
    said('task_dispatch_execute', 6.1, 6.1),
  ]);
  const { steps } = task!['waterfall'] as { steps: Fields[] };
  expect(task).toMatchObject({ steps: 5_002, status: 'success' });
  expect(steps).toHaveLength(1 + 502 + 1);
  expect(steps.at(-1)).toEqual({ step: 'other', depth: 1, steps: 4_500 });
});

/** A step that ended so many seconds behind noon. */
function said(step: string, end_s: number, wall_s: number, more: Readonly<Record<string, string>> = {}): string {
  const at = new Date(Date.parse('2026-02-19T12:00:00Z') + end_s * 1000).toISOString();
  const asctime = at.slice(0, -1).replace('T', ' ').replace('.', ',');
  return stepLine({ asctime: `"${asctime}"`, step: JSON.stringify(step), wall_time_s: String(wall_s), ...more });
}
