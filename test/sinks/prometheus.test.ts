import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { createPrometheusSink, type PrometheusOptions, StepRegistry } from '../../src/sinks/prometheus/index.ts';
import { STORED } from '../../src/sinks/sink.ts';
import { events, partOf, rowsOf, steps, tuple } from './prometheus-parts.ts';

const signal = new AbortController().signal;

function create(options: Partial<PrometheusOptions> = {}) {
  const registry = new StepRegistry();
  const sink = createPrometheusSink({ registry, workflow_label: false, steps: [], buckets: [0.1, 1, 10], ...options });
  return { registry, sink };
}

/** The sample lines of one metric: without its name, HELP and TYPE. */
async function samples(registry: Registry, name: string): Promise<string[]> {
  const lines = (await registry.getSingleMetricAsString(name)).split('\n');
  return lines.filter((line) => line.startsWith(name)).map((line) => line.slice(name.length));
}

const DURATION = 'steptap_step_duration_seconds';
const ERRORS = 'steptap_task_errors_total';
const FIT = 'step="fit",status="success",project="ml",domain="production",task="train.fit"';

describe('the step histogram', () => {
  test('shows how many steps took how long, and the sum, exactly', async () => {
    const { registry, sink } = create();
    const fit = tuple();
    const failed = tuple({ status: 'error' });
    await sink.send(
      steps({ tuple: fit, seconds: 0.05 }, { tuple: fit, seconds: 0.5 }, { tuple: failed, seconds: 99 }),
      signal,
    );
    await sink.send(steps({ tuple: fit, seconds: 0.25 }), signal);
    const text = await registry.metrics();
    expect(text).toContain(
      [
        `# HELP ${DURATION} Wall time of steps. Label values without room are __other__.`,
        `# TYPE ${DURATION} histogram`,
        `${DURATION}_bucket{le="0.1",${FIT}} 1`,
        `${DURATION}_bucket{le="1",${FIT}} 3`,
        `${DURATION}_bucket{le="10",${FIT}} 3`,
        `${DURATION}_bucket{le="+Inf",${FIT}} 3`,
        `${DURATION}_sum{${FIT}} 0.8`,
        `${DURATION}_count{${FIT}} 3`,
        '',
      ].join('\n'),
    );
    expect(text).toContain(`${DURATION}_bucket{le="10",${FIT.replace('success', 'error')}} 0\n`);
    expect(text).toContain(`${DURATION}_bucket{le="+Inf",${FIT.replace('success', 'error')}} 1\n`);
  });

  test('counts a duration that is exactly a bound in the bucket of that bound', async () => {
    const { registry, sink } = create();
    await sink.send(steps({ tuple: tuple(), seconds: 1 }, { tuple: tuple(), seconds: 0 }), signal);
    expect((await samples(registry, DURATION)).map((line) => line.at(-1))).toEqual(['1', '2', '2', '2', '1', '2']);
  });

  test('leaves out a step without a duration, and makes no series for it', async () => {
    const { registry, sink } = create();
    const odd = [Number.NaN, Number.POSITIVE_INFINITY, -1].map((seconds) => ({ tuple: tuple(), seconds }));
    expect(await sink.send(steps(...odd), signal)).toBe(STORED);
    expect(await samples(registry, DURATION)).toEqual([]);
  });

  test('observes the rows of the part only, and none that is settled', async () => {
    const { registry, sink } = create({ buckets: [1] });
    const rows = rowsOf(
      'steps',
      [1, 2, 4, 8, 16, 32].map((seconds) => ({ tuple: tuple(), seconds })),
    );
    // Rows of the part: 2 4 8 | 1 2; the second and the fourth are settled.
    await sink.send(
      partOf(
        [
          { rows, from: 1, to: 4 },
          { rows, to: 2 },
        ],
        Uint8Array.of(0, 1, 0, 1, 0),
      ),
      signal,
    );
    expect(await samples(registry, DURATION)).toContain(`_sum{${FIT}} 12`);
    expect(await samples(registry, DURATION)).toContain(`_count{${FIT}} 3`);
  });

  test('is one series for equal labels, whatever else differs and whichever object they come in', async () => {
    const { registry, sink } = create();
    for (const workflow of ['a', 'b']) await sink.send(steps({ tuple: tuple({ workflow }), seconds: 1 }), signal);
    expect(await samples(registry, DURATION)).toContain(`_count{${FIT}} 2`);
  });

  test('has the workflow as a label when asked for', async () => {
    const { registry, sink } = create({ workflow_label: true });
    await sink.send(steps({ tuple: tuple(), seconds: 1 }), signal);
    expect(await samples(registry, DURATION)).toContain(`_count{${FIT},workflow="train"} 1`);
  });

  test('reaches from a millisecond to a day when no buckets are given', async () => {
    const { registry, sink } = create({ buckets: undefined });
    await sink.send(steps({ tuple: tuple(), seconds: 1 }), signal);
    const lines = await samples(registry, DURATION);
    expect(lines).toHaveLength(27);
    expect(lines[0]).toMatch(/^_bucket\{le="0\.001",/);
    expect(lines[23]).toMatch(/^_bucket\{le="86400",/);
  });

  test('starts anew when the registry is reset', async () => {
    const { registry, sink } = create();
    await sink.send(steps({ tuple: tuple(), seconds: 1 }), signal);
    registry.resetMetrics();
    expect(await samples(registry, DURATION)).toEqual([]);
    await sink.send(steps({ tuple: tuple(), seconds: 1 }), signal);
    expect(await samples(registry, DURATION)).toContain(`_count{${FIT}} 1`);
  });
});

test('captured errors are counted once per failure, by what they were, and other events are not', async () => {
  const { registry, sink } = create();
  const error = { kind: 'error', step: '', error_kind: 'user', root_error_type: 'ValueError' };
  const part = events(tuple(error), tuple({ ...error, error_kind: 'system' }), tuple(error), tuple({ kind: 'run' }));
  expect(await sink.send(part, signal)).toBe(STORED);
  const rest = 'root_error_type="ValueError",project="ml",domain="production",task="train.fit"';
  expect(await samples(registry, ERRORS)).toEqual([`{error_kind="user",${rest}} 2`, `{error_kind="system",${rest}} 1`]);
});

test('the metrics are still there for the last scrape after the sink was closed', async () => {
  const { registry, sink } = create();
  await sink.open(signal);
  await sink.send(steps({ tuple: tuple(), seconds: 1 }), signal);
  await sink.close();
  await sink.close();
  expect(await samples(registry, DURATION)).toContain(`_count{${FIT}} 1`);
});

test.each([
  [{ max_series: 0 }, 'max_series is 0; give a whole number from 1'],
  [{ max_series: 1.5 }, 'max_series is 1.5'],
  [{ buckets: [] }, 'buckets are []; give finite seconds, each larger than the last'],
  [{ buckets: [1, 1] }, 'buckets are [1, 1]'],
  [{ buckets: [1, Number.POSITIVE_INFINITY] }, 'buckets are [1, Infinity]'],
])('an option that cannot be is refused: %j', (options, message) => {
  expect(() => create(options)).toThrow(message);
});
