import { describe, expect, test } from 'vitest';
import { createPrometheusSink, type PrometheusOptions, StepRegistry } from '../../src/sinks/prometheus/index.ts';
import { events, type Row, steps, tuple } from './prometheus-parts.ts';

const signal = new AbortController().signal;
const DURATION = 'steptap_step_duration_seconds';
const ERRORS = 'steptap_task_errors_total';

/** The labels of a series, and how often it was observed. */
interface Counted extends Readonly<Record<string, unknown>> {
  readonly count: number;
}

function create(options: Partial<PrometheusOptions> = {}) {
  const registry = new StepRegistry();
  const sink = createPrometheusSink({ registry, workflow_label: false, steps: [], buckets: [1], ...options });
  /** Label sets of the metric, with how often each was observed. */
  const counts = async (name: string) => {
    const metric = (await registry.getMetricsAsJSON()).find((entry) => entry.name === name)!;
    const values: { metricName?: string; labels: Record<string, unknown>; value: number }[] = metric.values;
    const own = values.filter(({ metricName }) => metricName === undefined || metricName === `${name}_count`);
    return own.map(({ labels, value }): Counted => ({ ...labels, count: value }));
  };
  const folded = async (metric: string) => {
    const all = await counts('steptap_label_overflow_total');
    return Object.fromEntries(
      all
        .filter((entry) => entry['metric'] === metric && entry.count > 0)
        .map((entry) => [entry['label'], entry.count]),
    );
  };
  return { registry, sink, counts, folded };
}

const row = (labels: Parameters<typeof tuple>[0]): Row => ({ tuple: tuple(labels), seconds: 0.5 });

describe('a label value becomes __other__ and is counted', () => {
  test('when it is longer than 128 characters', async () => {
    const { sink, counts, folded } = create();
    const long = row({ task: 'x'.repeat(129) });
    await sink.send(steps(row({ task: 'x'.repeat(128) }), long, long), signal);
    expect((await counts(DURATION)).map(({ task, count }) => [task, count])).toEqual([
      ['x'.repeat(128), 1],
      ['__other__', 2],
    ]);
    expect(await folded(DURATION)).toEqual({ task: 2 });
  });

  test('when it is half a character, which no scrape could tell from another', async () => {
    const { sink, counts, folded } = create();
    await sink.send(steps(row({ step: '\ud800' }), row({ step: 'a\udc00' }), row({ step: '😀' })), signal);
    expect((await counts(DURATION)).map(({ step, count }) => [step, count])).toEqual([
      ['__other__', 2],
      ['😀', 1],
    ]);
    expect(await folded(DURATION)).toEqual({ step: 2 });
  });

  test('when the step is not in the list of steps', async () => {
    const { sink, counts, folded } = create({ steps: ['fit', 'load'] });
    await sink.send(
      steps(row({ step: 'fit' }), row({ step: 'other' }), row({ step: 'load' }), row({ step: '' })),
      signal,
    );
    expect((await counts(DURATION)).map(({ step }) => step)).toEqual(['fit', '__other__', 'load']);
    expect(await folded(DURATION)).toEqual({ step: 2 });
  });

  test('and a step that calls itself __other__ is not', async () => {
    const { sink, folded } = create();
    await sink.send(steps(row({ step: '__other__' })), signal);
    expect(await folded(DURATION)).toEqual({});
  });
});

test('the overflow counter is there from the start, at 0, so that its first increase is seen', async () => {
  const { registry } = create();
  expect(await registry.metrics()).toContain(`steptap_label_overflow_total{metric="${DURATION}",label="task"} 0\n`);
});

describe('past the bound', () => {
  test('the step goes first, and the tasks stay apart', async () => {
    const { sink, counts, folded } = create({ max_series: 100 });
    const rows = ['a', 'b'].flatMap((task) => Array.from({ length: 200 }, (_, n) => row({ task, step: `${n}` })));
    await sink.send(steps(...rows), signal);
    const series = await counts(DURATION);
    const byTask = (task: string) => series.filter((entry) => entry['task'] === task);
    // 90 in 100, less the one that is kept for the last resort, are for labels as they were written.
    expect(byTask('a')).toHaveLength(90);
    expect(byTask('a').at(-1)).toMatchObject({ step: '__other__', status: 'success', project: 'ml', count: 111 });
    expect(byTask('b')).toMatchObject([{ step: '__other__', count: 200 }]);
    expect(await folded(DURATION)).toEqual({ step: 311 });
  });

  test('then the task, then everything; nothing is lost and a series that exists keeps counting', async () => {
    const { sink, counts, folded } = create({ max_series: 100 });
    const rows: Row[] = [];
    for (const part of ['step', 'task', 'project'] as const) {
      for (let n = 0; n < 500; n++)
        rows.push(row({ step: `${n}`, task: part === 'step' ? 't' : `${n}`, [part]: `${part}${n}` }));
    }
    await sink.send(steps(...rows), signal);
    await sink.send(steps(rows[0]!), signal);
    const series = await counts(DURATION);
    expect(series).toHaveLength(100);
    expect(series[0]!.count).toBe(2);
    expect(series.reduce((sum, { count }) => sum + count, 0)).toBe(1501);
    const shapes = new Set(
      series.map((entry) =>
        ['step', 'task', 'project', 'domain'].filter((label) => entry[label] === '__other__').join(),
      ),
    );
    expect([...shapes]).toEqual(['', 'step', 'step,task', 'step,task,project,domain']);
    const { step, task, project, status } = await folded(DURATION);
    expect(step).toBe(1500 - 89);
    expect(task).toBeLessThan(step);
    expect(project).toBeLessThan(task);
    expect(status).toBe(project);
  });

  test('an error loses its class before its task', async () => {
    const { sink, counts, folded } = create({ max_series: 20 });
    const errors = Array.from({ length: 50 }, (_, n) => tuple({ kind: 'error', root_error_type: `E${n}`, step: '' }));
    await sink.send(events(...errors), signal);
    expect((await counts(ERRORS)).at(-1)).toMatchObject({ root_error_type: '__other__', task: 'train.fit', count: 33 });
    expect(await folded(ERRORS)).toEqual({ root_error_type: 33 });
    expect(await folded(DURATION)).toEqual({});
  });

  test('one series is enough for everything', async () => {
    const { sink, counts } = create({ max_series: 1, workflow_label: true });
    await sink.send(steps(row({}), row({ step: 'b' })), signal);
    const [only, ...others] = await counts(DURATION);
    expect(others).toEqual([]);
    expect(Object.values(only!)).toEqual([...Array.from({ length: 6 }, () => '__other__'), 2]);
  });

  test('a million steps of different names cost no more series than the bound, and every one is counted', async () => {
    const { registry, sink, counts, folded } = create({ max_series: 1000 });
    const rest = tuple();
    for (let first = 0; first < 1_000_000; first += 10_000) {
      const rows = Array.from({ length: 10_000 }, (_, n) => ({
        tuple: { ...rest, step: `step ${first + n}` },
        seconds: 2,
      }));
      await sink.send(steps(...rows), signal);
    }
    const series = await counts(DURATION);
    expect(series).toHaveLength(900);
    expect(series.reduce((sum, { count }) => sum + count, 0)).toBe(1_000_000);
    expect(await folded(DURATION)).toEqual({ step: 1_000_000 - 899 });
    expect((await registry.metrics()).length).toBeLessThan(1_000_000);
  });
});
