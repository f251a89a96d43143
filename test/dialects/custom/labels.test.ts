import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Batch, Rows } from '../../../src/batch.ts';
import type { EventOptions } from '../../../src/dialects/custom/index.ts';
import { Decoder } from '../../../src/decode.ts';
import { createPrometheusSink, StepRegistry, type PrometheusOptions } from '../../../src/sinks/prometheus/index.ts';
import { openPrometheusStore } from '../../../src/sinks/prometheus/store.ts';
import type { Part } from '../../../src/sinks/sink.ts';
import { NOTHING } from '../../../src/spool/mark.ts';
import { decodePayload, encodePayload } from '../../../src/spool/payload.ts';
import { leave, LIMITS, never, open } from '../../spool/scenes.ts';
import { OPTIONS, source, stepLine, StillClock } from '../../support/decode.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { MemoryFs } from '../../support/memory-fs.ts';
import { compiled, epoch, EPOCH } from './events.ts';

const TRIAL = {
  match: { event: 'trial' },
  kind: 'step',
  fields: { wall_time_s: { const: 1 } },
  labels: [{ data: 'set' }, 'constructor'],
} satisfies EventOptions;
const events = compiled(EPOCH, TRIAL);
const trial = (values: object): string => JSON.stringify({ event: 'trial', ...values });

function batchOf(lines: readonly string[]): Batch {
  const decoder = new Decoder(source, { ...OPTIONS, events }, new StillClock());
  return decoder.feed({ bytes: Buffer.from(`${lines.join('\n')}\n`), offset: 0 }).batch;
}

/** The batch as a process reads it that did not write it. */
function readBack(batch: Batch): Batch {
  return decodePayload(Buffer.concat(encodePayload(batch)));
}

function partOf(rows: Rows): Part {
  const slice = { record: undefined as never, rows, base: 0, from: 0, to: rows.ends.length };
  return { table: rows.table, day: '', token: '', slices: [slice], count: slice.to, in_doubt: false };
}

/** The sink, and what a scrape shows of it. */
function metrics(options: Partial<PrometheusOptions> = {}) {
  const registry = new StepRegistry();
  const sink = createPrometheusSink({
    registry,
    workflow_label: false,
    steps: [],
    buckets: [1],
    labels: events.labels,
    ...options,
  });
  return {
    sink,
    send: async (batch: Batch) => {
      for (const rows of batch.rows) await sink.send(partOf(rows), never);
    },
    counts: async () =>
      (await registry.getSingleMetricAsString('steptap_step_duration_seconds'))
        .split('\n')
        .filter((line) => line.includes('_count{')),
    text: () => registry.metrics(),
  };
}

test('The histogram has the labels of all events, and those that a step has not are empty', async () => {
  const { send, counts } = metrics();
  await send(batchOf([epoch({ model: 'm "1"' }), trial({ set: 's' }), stepLine({ model: '"x"' })]));
  const mine = 'project="recommender",domain="",task=""';
  expect(await counts()).toEqual([
    `steptap_step_duration_seconds_count{step="epoch",status="success",${mine},constructor="",data="",model="m \\"1\\""} 1`,
    'steptap_step_duration_seconds_count{step="other1",status="success",project="",domain="",task="",constructor="",data="s",model=""} 1',
    'steptap_step_duration_seconds_count{step="pre_execute",status="success",project="ml",domain="production",' +
      'task="workflows.train.fit",constructor="",data="",model=""} 1',
  ]);
});

test('A label of one event is that of every event whose line has the key: rows say no more after a restart', async () => {
  const batch = batchOf([trial({ set: 's', model: 'own' })]);
  const { send, counts } = metrics();
  await send(batch);
  await send(readBack(batch));
  expect(await counts()).toEqual([expect.stringMatching(/constructor="",data="s",model="own"\} 2$/)]);
});

const value = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom(
    '',
    '\ud800',
    '\udfff\ud800',
    '"',
    '\\',
    '\n',
    '__other__',
    '\0',
    'x'.repeat(129),
    null,
    5,
    1e300,
    true,
    {},
    [1],
  ),
);
const line = fc.oneof(
  fc.record({ model: value, meta: fc.record({ dataset: value }), data: value }).map((values) => epoch(values)),
  fc.record({ name: value, model: value }).map((values) => epoch(values)),
  fc.record({ set: value, constructor: value, model: value }).map((values) => trial(values)),
  fc.constant(stepLine({ model: '"x"', data: '"y"' })),
);

test('Whatever labels say, rows that were read back are counted as those that were just made', async () => {
  let labelled = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { minLength: 1, maxLength: 20 }),
      fc.constantFrom(3, 20, 5_000),
      async (lines, max_series) => {
        const batch = batchOf(lines);
        const [fresh, again] = [metrics({ max_series }), metrics({ max_series })];
        await fresh.send(batch);
        await again.send(readBack(batch));
        expect(await again.text()).toBe(await fresh.text());
        for (const { dictionary } of batch.rows) labelled += dictionary.filter(({ user }) => user.size > 0).length;
      },
    ),
    { numRuns: 150 },
  );
  expect(labelled).toBeGreaterThan(150);
});

test('Over a kill counts go on under their labels, with the records that were not counted; other labels start anew', async () => {
  const batches = ['a', 'b', 'a', 'c'].map((model) => batchOf([epoch({ model, meta: { dataset: `d-${model}` } })]));
  const kept = new MemoryFs();
  const life = async (count: readonly Batch[], options: Partial<PrometheusOptions> = {}): Promise<string[]> => {
    const { sink, send, counts } = metrics(options);
    const store = await openPrometheusStore(kept, '/state', sink, new FakeClock(), () => {});
    for (const batch of count) await send(batch);
    const totals = { accepted: 4, stored: 4, dead_lettered: 0, lost: 0, dropped: 0 };
    await store.save({ settled: 4, at: NOTHING, base: NOTHING, since: 1, totals }, false, () => {});
    await store.close();
    return counts();
  };
  await life(batches.slice(0, 2));
  const { directory } = await leave(batches, 'killed');
  const { spool } = await open(directory);
  const reader = spool.reader('prometheus');
  const found: Batch[] = [];
  while (found.length < 4) for (const { batch } of await reader.take(LIMITS, never)) found.push(batch);
  const whole = metrics();
  for (const batch of batches) await whole.send(batch);
  expect(await life(found.slice(2))).toEqual(await whole.counts());
  await spool.dispose();
  expect(await life([], { labels: ['model'] })).toEqual([]);
});

test('Labels of a user fold first, and the steps stay apart', async () => {
  const { send, counts, text } = metrics({ max_series: 100 });
  const names = ['load', 'fit'].flatMap((name) =>
    Array.from({ length: 200 }, (_, n) => epoch({ name, model: `m${n}` })),
  );
  await send(batchOf(names));
  const all = await counts();
  expect(all.length).toBeLessThanOrEqual(100);
  expect(all).toContainEqual(expect.stringMatching(/step="load".*model="__other__"\} \d+$/));
  expect(all).toContainEqual(expect.stringMatching(/step="fit".*model="__other__"\} 200$/));
  expect(all.join()).not.toContain('step="__other__"');
  expect(await text()).toMatch(/overflow_total\{metric="steptap_step_duration_seconds",label="model"\} 30\d/);
});

test('More series than can be told apart under so many labels are refused', () => {
  const labels = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
  const options = { labels, workflow_label: true };
  expect(() => metrics({ ...options, max_series: 131_072 })).not.toThrow();
  expect(() => metrics({ ...options, max_series: 131_073 })).toThrow(
    'prometheus: max_series is 131073; with 14 labels at most 131072 can be told apart',
  );
});

test('The last series of as many as there may be is counted where it belongs', async () => {
  const labels = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
  const { sink } = metrics({ labels, workflow_label: true, max_series: 131_072, buckets: [1] });
  const { durations } = sink.dump();
  expect(durations.labels).toHaveLength(14);
  const values = Array.from({ length: 131_071 }, (_, n) => [`${n}`, ...Array.from({ length: 13 }, () => '')]);
  sink.load({
    ...sink.dump(),
    durations: { ...durations, values, cells: Array.from({ length: values.length * 3 }, () => 0) },
  });
  // It is the last, and all labels but one are folded in it.
  for (const rows of batchOf([epoch(), epoch()]).rows) await sink.send(partOf(rows), never);
  expect(sink.dump().durations.cells.slice(-3)).toEqual([0, 2, 2.002]);
});
