import fc from 'fast-check';
import { Counter, Histogram, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import type { Tuple } from '../../src/batch.ts';
import { createPrometheusSink, StepRegistry } from '../../src/sinks/prometheus/index.ts';
import { partOf, type Row, rowsOf, tuple } from './prometheus-parts.ts';

const signal = new AbortController().signal;
const buckets = [0.001, 0.25, 1, 2.5, 60];

// No commas or colons: prom-client joins label values with them, and takes two different label sets for one.
const value = fc.oneof(
  fc.constantFrom('', 'fit', '\\', '"', '\n', '\\n', '\\"', '}', ' 1', 'é', '😀', '\0', '\r', '__other__'),
  fc.string({ unit: fc.constantFrom('a', '\\', '"', '\n', '='), maxLength: 6 }),
);
const tuples = fc
  .array(fc.record({ step: value, status: value, project: value, task: value, error_kind: value }), {
    minLength: 1,
    maxLength: 8,
  })
  .map((labels) => labels.map((own) => tuple({ ...own, kind: 'error' })));
const seconds = fc.oneof(
  fc.constantFrom(...buckets, 0, 5e-324, 1e308),
  fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
  fc.double({ min: 0, max: 100, noNaN: true }),
  fc.constant(Number.NaN),
);

/** Parts of rows, of which some are outside the slice and some settled. */
const plan = tuples.chain((known) => {
  const row = fc.record({ tuple: fc.constantFrom(...known), seconds });
  const slice = fc.record({
    rows: fc.array(fc.tuple(row, fc.boolean()), { minLength: 1, maxLength: 12 }),
    skip: fc.nat(3),
    drop: fc.nat(3),
  });
  return fc.array(fc.array(slice, { minLength: 1, maxLength: 3 }), { maxLength: 4 });
});

function labelsOf(names: readonly Exclude<keyof Tuple, 'id' | 'user'>[], row: Row): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, row.tuple[name]]));
}

const STEP_LABELS = ['step', 'status', 'project', 'domain', 'task'] as const;
const ERROR_LABELS = ['error_kind', 'root_error_type', 'project', 'domain', 'task'] as const;

test('the text is, byte for byte, what prom-client writes after the same observations', async () => {
  let observed = 0;
  await fc.assert(
    fc.asyncProperty(plan, async (parts) => {
      const fast = new StepRegistry();
      const stock = new Registry();
      const sinks = [fast, stock].map((registry) =>
        createPrometheusSink({ registry, workflow_label: false, steps: [], buckets }),
      );
      const own = new Registry();
      const [help, errorHelp] = await Promise.all(
        ['steptap_step_duration_seconds', 'steptap_task_errors_total'].map(async (name) => helpOf(fast, name)),
      );
      const histogram = new Histogram({
        name: 'steptap_step_duration_seconds',
        help: help!,
        labelNames: STEP_LABELS,
        buckets,
        registers: [own],
      });
      const counter = new Counter({
        name: 'steptap_task_errors_total',
        help: errorHelp!,
        labelNames: ERROR_LABELS,
        registers: [own],
      });
      for (const slices of parts) {
        const settled: number[] = [];
        const cut = slices.map(({ rows, skip, drop }) => {
          const from = Math.min(skip, rows.length);
          const to = Math.max(from, rows.length - drop);
          for (const [row, done] of rows.slice(from, to)) {
            settled.push(done ? 1 : 0);
            if (done) continue;
            counter.inc(labelsOf(ERROR_LABELS, row));
            if (Number.isNaN(row.seconds)) continue;
            histogram.observe(labelsOf(STEP_LABELS, row), row.seconds);
            observed += 1;
          }
          return { rows: rows.map(([row]) => row), from, to };
        });
        for (const sink of sinks) {
          for (const table of ['steps', 'events'] as const) {
            const part = cut.map(({ rows, ...bounds }) => ({ rows: rowsOf(table, rows), ...bounds }));
            await sink.send(partOf(part, Uint8Array.from(settled)), signal);
          }
        }
      }
      const expected = (await own.metrics()).slice(0, -1);
      expect((await fast.metrics()).startsWith(`${expected}\n\n`)).toBe(true);
      expect(await fast.metrics()).toBe(await stock.metrics());
      expect(await fast.getMetricsAsJSON()).toEqual(await stock.getMetricsAsJSON());
    }),
    { numRuns: 300 },
  );
  expect(observed).toBeGreaterThan(1000);
});

test('default labels of the registry are on every line', async () => {
  const registry = new StepRegistry();
  const sink = createPrometheusSink({ registry, workflow_label: false, steps: [], buckets: [1] });
  registry.setDefaultLabels({ cluster: 'a' });
  await sink.send(partOf([{ rows: rowsOf('steps', [{ tuple: tuple(), seconds: 1 }]) }]), signal);
  const lines = (await registry.metrics()).split('\n').filter((line) => line.startsWith('steptap_'));
  expect(lines.length).toBeGreaterThan(4);
  for (const line of lines) expect(line).toContain('cluster="a"');
});

async function helpOf(registry: Registry, name: string): Promise<string> {
  const [metric] = (await registry.getMetricsAsJSON()).filter((entry) => entry.name === name);
  return metric!.help;
}
