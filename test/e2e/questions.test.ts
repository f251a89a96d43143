import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startClickHouse, type ClickHouseServer } from '../support/clickhouse-server.ts';
import {
  ask,
  askEmbedded,
  parsed,
  run,
  sample,
  scratch,
  settled,
  start,
  stepLine,
  until,
  type Running,
  type Step,
} from '../support/e2e.ts';
import { prometheusUnavailable, startPrometheus, type PrometheusServer } from '../support/prometheus-server.ts';
import { describeWithServer } from '../support/with-server.ts';
import { ERROR_RATE_BY_STEP, P99_OF_USER_CODE } from './questions.ts';

const TRAIN = 'workflows.train.fit';
const SCORE = 'workflows.score.batch';

/** Two hundredths of the runs are slow: however a store interpolates, the slowest hundredth is among them. */
const SERIES: readonly (Step & { count: number })[] = [
  { count: 980, task: TRAIN, wall_time_s: 2 },
  { count: 20, task: TRAIN, wall_time_s: 30 },
  { count: 245, task: SCORE, wall_time_s: 4 },
  { count: 5, task: SCORE, wall_time_s: 4, status: 'error' },
  { count: 150, task: TRAIN, step: 'load_task', wall_time_s: 0.2 },
  { count: 50, task: TRAIN, step: 'load_task', wall_time_s: 0.2, status: 'error' },
  { count: 100, task: TRAIN, step: 'upload_outputs', wall_time_s: 0.1 },
];

const P99_S = { [TRAIN]: 30, [SCORE]: 4 };
const ERROR_RATES = { load_task: 0.25, execute_user_code: 0.004, upload_outputs: 0 };

const lines = (counts: (series: { count: number }) => number): string =>
  SERIES.map((series) => `${stepLine(series)}\n`.repeat(counts(series))).join('');
const ALL = lines(({ count }) => count);

const RIGHT = {
  slow: Object.entries(P99_S).map(([task, p99_s]) => ({ task, p99_s })),
  rates: Object.entries(ERROR_RATES).map(([step, error_rate]) => ({ step, error_rate })),
};

async function inSql(query: (sql: string) => Promise<string>): Promise<object> {
  return { slow: parsed(await query(P99_OF_USER_CODE.sql)), rates: parsed(await query(ERROR_RATE_BY_STEP.sql)) };
}

const unavailable = await prometheusUnavailable();

test.runIf(process.env['CI'] === 'true')('Prometheus is there', () => expect(unavailable).toBeUndefined());

describe('how slow is the user code of each task, and how often does each step fail?', () => {
  let clickhouse: ClickHouseServer;
  beforeAll(async () => {
    clickhouse = await startClickHouse();
  });
  afterAll(async () => {
    await clickhouse?.stop();
  });

  test('the embedded store answers both in SQL while a run is writing to it', async () => {
    const state = await scratch();
    const running = start(['--state', state, '--metrics', 'none']);
    await running.write(ALL);
    const count = async (): Promise<string> => {
      try {
        return await askEmbedded(state, 'SELECT count() AS n FROM steps');
      } catch (error) {
        return String(error);
      }
    };
    let last = '';
    await until(
      async () => (last = await count()) === '{"n":1550}\n',
      () => last,
    );
    expect(await inSql((sql) => askEmbedded(state, sql))).toEqual(RIGHT);
    expect((await running.end()).code).toBe(0);
    expect(await inSql((sql) => askEmbedded(state, sql))).toEqual(RIGHT);
  });

  describe('a run that Prometheus scrapes', () => {
    let running: Running;
    let prometheus: PrometheusServer;

    beforeAll(async () => {
      if (unavailable !== undefined) return;
      const state = await scratch();
      running = start(['--state', state, '--metrics', '127.0.0.1:0', '--clickhouse', clickhouse.url]);
      prometheus = await startPrometheus({ targets: [await running.address()] });
      // A rate is seen only from one scrape to the next: what a series begins with is none. So all begin with a fifth.
      await running.write(lines(({ count }) => count / 5));
      await total(1550 / 5);
      await running.write(lines(({ count }) => (count / 5) * 4));
      await total(1550);
    });
    afterAll(async () => {
      running?.child.kill('SIGKILL');
      await running?.ended;
      await prometheus?.stop();
    });
    beforeEach(({ skip }) => {
      skip(unavailable !== undefined, unavailable);
    });

    async function total(steps: number): Promise<void> {
      const promql = 'sum(steptap_step_duration_seconds_count)';
      const seen = async (): Promise<number | undefined> => (await prometheus.query(promql))[0]?.value;
      let last: number | undefined;
      await until(
        async () => (last = await seen()) === steps,
        () => `Prometheus has ${last} of ${steps} steps`,
      );
    }

    const by = async (label: string, promql: string): Promise<Record<string, number>> =>
      Object.fromEntries((await prometheus.query(promql)).map(({ metric, value }) => [metric[label], value]));

    test('the p99 in PromQL is in the bucket of the true one', async () => {
      const p99 = await by('task', P99_OF_USER_CODE.promql);
      expect(Object.keys(p99).sort()).toEqual([SCORE, TRAIN]);
      // 30 s is in the bucket from 10 to 30 s, half of which is slower than 99 of a hundred; 4 s is in that from 2.5 to 5 s.
      expect(p99[TRAIN]).toBeCloseTo(20, 6);
      expect(p99[SCORE]).toBeCloseTo(4.975, 6);
    });

    test('the error rates in PromQL are right, and name the steps that fail alone', async () => {
      const rates = await by('step', ERROR_RATE_BY_STEP.promql);
      expect(Object.keys(rates).sort()).toEqual(['execute_user_code', 'load_task']);
      expect(rates['load_task']).toBeCloseTo(ERROR_RATES.load_task, 6);
      expect(rates['execute_user_code']).toBeCloseTo(ERROR_RATES.execute_user_code, 6);
    });

    test('the same run answers both in SQL over HTTP', async () => {
      await until(
        async () => settled(await running.metrics()),
        () => running.stderr(),
      );
      expect(await inSql((sql) => ask(clickhouse.url, `${sql} FORMAT JSONEachRow`))).toEqual(RIGHT);
    });

    test('promtool finds nothing to complain about in its metrics', async () => {
      const promtool = spawn('promtool', ['check', 'metrics']);
      const said = Promise.all([text(promtool.stdout), text(promtool.stderr)]);
      promtool.stdin.end(await running.metrics());
      expect(await said).toEqual(['', '']);
    });

    test('every step that was read is stored and none is left when the input ends', async () => {
      const metrics = await running.metrics();
      expect(sample(metrics, 'steptap_read_lines_total')).toBe(1550);
      // And their tasks, as far as they have ended.
      for (const sink of ['sink="clickhouse"', 'sink="prometheus"']) {
        const stored = sample(metrics, 'steptap_sink_stored_rows_total', sink);
        expect(stored).toBeGreaterThanOrEqual(1550);
        expect(stored).toBe(sample(metrics, 'steptap_sink_accepted_rows_total', sink));
      }
      expect((await running.end()).code).toBe(0);
    });
  });

  for (const kind of ['opensearch', 'elasticsearch'] as const) {
    describeWithServer(kind, (server) => {
      test('aggregations answer both', async () => {
        const args = ['--elasticsearch', server().url, '--metrics', 'none', '--state', await scratch()];
        await run(args, { input: ALL });
        await fetch(`${server().url}/steptap-steps-*/_refresh`, { method: 'POST' });
        const aggregations = async (body: object): Promise<Aggregations> => {
          const headers = { 'content-type': 'application/json' };
          const request = { method: 'POST', headers, body: JSON.stringify(body) };
          const answer = await fetch(`${server().url}/steptap-steps-*/_search`, request);
          return ((await answer.json()) as { aggregations: Aggregations }).aggregations;
        };
        const { task } = await aggregations(P99_OF_USER_CODE.search);
        const p99 = task!.buckets.map(({ key, wall_time_s }) => [key, wall_time_s!.values['99.0']]);
        expect(Object.fromEntries(p99)).toEqual(P99_S);
        const { step } = await aggregations(ERROR_RATE_BY_STEP.search);
        const rates = step!.buckets.map(({ key, doc_count, errors }) => [key, errors!.doc_count / doc_count]);
        expect(Object.fromEntries(rates)).toEqual(ERROR_RATES);
      });
    });
  }
});

type Aggregations = Readonly<
  Partial<
    Record<
      'task' | 'step',
      {
        buckets: readonly {
          key: string;
          doc_count: number;
          wall_time_s?: { values: Record<string, number> };
          errors?: { doc_count: number };
        }[];
      }
    >
  >
>;
