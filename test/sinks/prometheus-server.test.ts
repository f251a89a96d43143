import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type HttpServer, startHttpServer } from '../../src/http-server.ts';
import { createPrometheusSink, StepRegistry } from '../../src/sinks/prometheus/index.ts';
import { type PrometheusServer, prometheusUnavailable, startPrometheus } from '../support/prometheus-server.ts';
import { events, type Row, steps, tuple } from './prometheus-parts.ts';

const unavailable = await prometheusUnavailable();
const signal = new AbortController().signal;
const DURATION = 'steptap_step_duration_seconds';
const NASTY = 'back\\slash "quoted"\nnew line \\n {a="b"} é😀\0';

test.runIf(process.env['CI'] === 'true')('Prometheus is there', () => expect(unavailable).toBeUndefined());

describe('a real Prometheus', () => {
  const registry = new StepRegistry();
  const sink = createPrometheusSink({ registry, workflow_label: false, steps: [] });
  let http: HttpServer | undefined;
  let prometheus: PrometheusServer | undefined;

  const ask = async (promql: string) => prometheus!.query(promql);
  /** Answers by task. */
  const byTask = async (promql: string) =>
    Object.fromEntries((await ask(promql)).map(({ metric, value }) => [metric['task'], value]));
  const until = async (promql: string, value: number) => {
    while ((await ask(promql))[0]?.value !== value) await sleep(200);
  };
  const times = (count: number, row: Row): Row[] => Array.from({ length: count }, () => row);

  beforeAll(async () => {
    if (unavailable !== undefined) return;
    http = await startHttpServer({ listen: '127.0.0.1:0', registry, readiness: () => ({ ready: true, sinks: {} }) });
    prometheus = await startPrometheus({ targets: [new URL(http.url).host] });
    // An increase is seen only from one scrape to the next: the series have to be there first.
    const first = ['train', 'score'].flatMap((task) => ['load', 'fit'].map((step) => tuple({ task, step })));
    await sink.send(steps(...first.map((own) => ({ tuple: own, seconds: 0 }))), signal);
    await sink.send(events(tuple({ kind: 'error', task: 'train', root_error_type: NASTY })), signal);
    await until(`sum(${DURATION}_count)`, 4);
    const more = [
      ...times(600, { tuple: tuple({ task: 'train', step: 'load' }), seconds: 0.3 }),
      ...times(385, { tuple: tuple({ task: 'train', step: 'fit' }), seconds: 0.3 }),
      ...times(15, { tuple: tuple({ task: 'train', step: 'fit' }), seconds: 45 }),
      ...times(250, { tuple: tuple({ task: 'score', step: 'fit' }), seconds: 2 }),
    ];
    await sink.send(steps(...more), signal);
    await until(`sum(${DURATION}_count)`, 1254);
    await until(`min(count_over_time(${DURATION}_count[1m]) >= bool 5)`, 1);
  });
  afterAll(async () => {
    await prometheus?.stop();
    await http?.close();
  });
  beforeEach((context) => {
    if (unavailable !== undefined) context.skip(unavailable);
  });

  test('answers how slow the slowest hundredth of the steps of each task are', async () => {
    const slowest = await byTask(`histogram_quantile(0.99, sum by (le, task) (rate(${DURATION}_bucket[1m])))`);
    // train: rank 990 of 1,000, and 985 are done below 30 s: a third of the way through the 15 between 30 and 60 s.
    expect(slowest['train']! / 40).toBeCloseTo(1, 2);
    // score: all 250 lie between 1 and 2.5 s.
    expect(slowest['score']! / (1 + 1.5 * 0.99)).toBeCloseTo(1, 2);
  });

  test('answers how many steps each task made', async () => {
    const made = await byTask(`sum by (task) (increase(${DURATION}_count[1m]))`);
    // It extends what it saw towards the edges of the window, by at most two intervals, and less where a counter was near zero.
    const [fewest] = await ask(`min(count_over_time(${DURATION}_count[1m]))`);
    const most = 1 + 2 / (fewest!.value - 2);
    expect(made['train']).toBeGreaterThanOrEqual(1000);
    expect(made['train']).toBeLessThanOrEqual(1000 * most);
    expect(made['train']! / made['score']!).toBeCloseTo(4, 1);
    expect(await byTask(`sum by (task) (${DURATION}_count)`)).toEqual({ train: 1002, score: 252 });
    expect((await byTask(`sum by (task) (${DURATION}_sum)`))['train']).toBeCloseTo(985 * 0.3 + 15 * 45, 6);
  });

  test('reads label values with quotes, backslashes, newlines and a NUL as they were written', async () => {
    const [error] = await ask('steptap_task_errors_total');
    expect(error).toMatchObject({ value: 1, metric: { root_error_type: NASTY, task: 'train' } });
  });

  test('finds nothing wrong with how the metrics are named and described', async () => {
    const answer = await (await fetch(`${http!.url}/metrics`)).text();
    expect(await lint(answer)).toEqual({ code: 0, said: '' });
    // The control: it does find something.
    expect((await lint('# TYPE a_total gauge\na_total 1\n')).code).not.toBe(0);
  });
});

async function lint(metrics: string): Promise<{ code: unknown; said: string }> {
  const promtool = spawn('promtool', ['check', 'metrics']);
  const said = Promise.all([text(promtool.stdout), text(promtool.stderr)]);
  promtool.stdin.end(metrics);
  const [code] = (await once(promtool, 'exit')) as [unknown];
  return { code, said: (await said).join('') };
}
