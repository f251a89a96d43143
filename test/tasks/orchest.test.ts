import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { OrchestRuns } from '../../src/tasks/orchest.ts';
import { decode, type Fields } from '../support/decode.ts';
import { Bench } from './bench.ts';

const bodies = readFileSync('test/fixtures/orchest-webhook-samples.jsonl', 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as { headers: Record<string, string>; body: string })
  .filter(({ headers }) => headers['Content-Type'] === 'application/json')
  .map(({ body }) => body);

const RUN = '9a7c4b1e-5d2f-4e6a-b8c3-0f1e2d3c4b5a';
const CRON = 'c0de0a4f-7e8a-4f0a-8a44-5f8d6e3b1c02/41';

/** What a delivery becomes. */
function events(...lines: readonly string[]): readonly Fields[] {
  return decode(`${lines.join('\n')}\n`).events;
}

/** An event of a one-off run. */
function run(verb: string, at: string): Fields {
  const [event] = events(
    JSON.stringify({
      uuid: `${verb} ${at}`,
      type: `project:one-off-job:pipeline-run:${verb}`,
      timestamp: `2022-06-02 16:${at}+00:00`,
      project: { uuid: 'p', name: 'churn', job: { uuid: 'j', pipeline_name: 'Train', pipeline_run: { uuid: 'r' } } },
    }),
  );
  return event!;
}

test('the run of the samples that failed took half a minute, and its failed step is told', () => {
  const bench = new Bench(new OrchestRuns());
  // Deliveries 10 and 11; a later one of a cron job has the same run.
  bench.take('events', ...events(bodies[9]!, bodies[10]!));
  expect(bench.told).toHaveLength(1);
  expect(bench.told[0]).toMatchObject({
    revision: 1,
    ts: '2022-06-02T16:19:30.250000Z',
    ts_start: '2022-06-02T16:19:00.250000Z',
    dialect: 'orchest',
    event: 'project:one-off-job:pipeline-run',
    kind: 'task',
    status: 'error',
    wall_time_s: 30,
    execution_id: RUN,
    task: 'Train',
    workflow: 'Train',
    workflow_id: '7b9d5e1c-9d49-4f7b-b3a5-1f3c0a6d9e77',
    project: 'churn',
    message: 'failed steps: train-model',
    end_reason: 'completed',
    phases: { execution: 30 },
  });
});

test('created, started and succeeded are a queue and an execution', () => {
  const bench = new Bench(new OrchestRuns());
  bench.take('events', run('created', '00:00'), run('started', '00:02.5'), run('succeeded', '00:12.5'));
  expect(bench.told).toMatchObject([{ status: 'success', wall_time_s: 10, phases: { queue: 2.5, execution: 10 } }]);
});

test('deliveries that come in another order, and again, end in the same', () => {
  const bench = new Bench(new OrchestRuns());
  const ended = run('succeeded', '00:12.5');
  bench.take('events', ended, run('created', '00:00'), ended, run('started', '00:02.5'), run('created', '00:00'));
  expect(bench.told.map(({ revision }) => revision)).toEqual([1, 2, 3]);
  expect(new Set(bench.told.map(({ task_key }) => task_key)).size).toBe(1);
  expect(bench.told.at(-1)).toMatchObject({ status: 'success', phases: { queue: 2.5, execution: 10 } });
});

test('a run that was cancelled before it started has no execution', () => {
  const bench = new Bench(new OrchestRuns());
  bench.take('events', run('created', '00:00'), run('cancelled', '00:05'));
  expect(bench.told).toMatchObject([{ status: 'canceled', end_reason: 'completed' }]);
  expect(bench.told[0]).not.toHaveProperty('wall_time_s');
  expect(bench.told[0]).not.toHaveProperty('phases');
});

test('Trap 25: a run of a cron job is failed before its pipeline runs have ended, and its end moves with theirs', () => {
  const bench = new Bench(new OrchestRuns());
  // Started at 17:00:00.25, failed at 17:01:00.25; another pipeline run of it goes on until 17:03.
  const last = JSON.parse(bodies[13]!.replaceAll(RUN, 'another').replaceAll('17:01:00.250000', '17:03:00')) as {
    event: { uuid: string };
  };
  last.event.uuid = 'last';
  bench.take('events', ...events(bodies[12]!, bodies[13]!, bodies[14]!, JSON.stringify(last)));
  const told = bench.told.filter(({ execution_id }) => execution_id === CRON);
  expect(told).toMatchObject([
    { revision: 1, status: 'error', wall_time_s: 60, ts: '2022-06-02T17:01:00.250000Z' },
    { revision: 2, status: 'error', wall_time_s: 179.75, ts: '2022-06-02T17:03:00.000000Z' },
  ]);
});

test('a run that says nothing more is told after a week, and at the end of the input', () => {
  const bench = new Bench(new OrchestRuns());
  bench.take('events', run('started', '00:00'));
  bench.pass(6 * 86_400_000);
  expect(bench.told).toEqual([]);
  bench.over();
  expect(bench.told).toMatchObject([{ revision: 0, status: 'unknown', end_reason: 'input_ended' }]);
  bench.pass(2 * 86_400_000);
  expect(bench.told.at(-1)).toMatchObject({ revision: 0, status: 'unknown', end_reason: 'idle' });
  expect(bench.open).toBe(0);
});

test('a run that was told at the end of the input is of the same day when it has ended', () => {
  const bench = new Bench(new OrchestRuns());
  bench.take('events', run('started', '00:00'));
  bench.over();
  bench.take('events', run('succeeded', '00:05'));
  expect(bench.told.map(({ task_day }) => task_day)).toEqual([undefined, 'day 1']);
});

test('what has ended is forgotten after two hours', () => {
  const bench = new Bench(new OrchestRuns());
  bench.take('events', run('started', '00:00'), run('succeeded', '00:05'));
  bench.pass(3_600_000);
  expect(bench.open).toBe(1);
  bench.pass(3_600_000);
  expect(bench.open).toBe(0);
});
