import { expect, test } from 'vitest';
import type { Sink } from '../../src/sinks/sink.ts';
import { HTTP_FAULTS, type Fault } from '../support/faulty-server.ts';
import type { RowObject } from '../support/rows.ts';
import { taskRow } from '../support/tasks.ts';
import { startClickHouseBench } from './clickhouse-bench.ts';
import { onCourse, type Course } from './course.ts';
import { startElasticsearchBench } from './elasticsearch-bench.ts';
import type { HttpBench } from './http-contract.ts';
import { closes, sentAlike } from './sink-contract.ts';

/** Nobody may look for rows that a merge has perhaps removed. */
const unasked = (sink: Sink): Sink => {
  sink.find = async () => {
    throw new Error('it was asked for tasks');
  };
  return sink;
};

const BENCHES: readonly [string, () => Promise<HttpBench>, (bench: HttpBench, step: string) => void][] = [
  [
    'clickhouse',
    () => startClickHouseBench({}, unasked),
    (bench, step) => {
      (bench as Awaited<ReturnType<typeof startClickHouseBench>>).backend.poison = step;
    },
  ],
  [
    'elasticsearch',
    startElasticsearchBench,
    (bench, step) => {
      const { backend } = bench as Awaited<ReturnType<typeof startElasticsearchBench>>;
      backend.verdict = (own) => (own === step ? { status: 400, type: 'mapper_parsing_exception' } : undefined);
    },
  ],
];

const task = (key: number, version: number): RowObject => taskRow(key, version, { step: `${key} ${version}` });

/** The highest version that is there of each task: a ReplacingMergeTree may hold others, too. */
async function newest(bench: HttpBench): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const name of (await bench.stored()).keys()) {
    const [key = '', version = ''] = name.split(' ');
    found[key] = Math.max(found[key] ?? 0, Number(version));
  }
  return found;
}

function accounted(course: Course, rows: { readonly stored: number; readonly dead_lettered: number }): void {
  expect(course.counted.totals()).toMatchObject(rows);
  expect(course.lane.pending()).toBe(0);
  closes(course);
  sentAlike(course);
}

const { hang, reset, truncated, status } = HTTP_FAULTS;
const FAULTS: readonly [string, (bench: HttpBench, stored: boolean) => Fault][] = [
  ['hangs', (bench, stored) => hang(() => bench.waited(), stored)],
  ['resets the connection', (_, stored) => reset(stored)],
  ['cuts its answer', (_, stored) => truncated(stored)],
  ['says 502', (_, stored) => status({ status: 502 }, stored)],
];

for (const [name, start, poison] of BENCHES) {
  test.each(FAULTS)(
    `${name}: when the server %s, each task counts by its newest version, and the ledger closes`,
    async (_, fault) => {
      for (const stored of [false, true]) {
        await onCourse(start, async (bench, course) => {
          bench.server.fault = fault(bench, stored);
          await course.give({ tasks: [task(1, 1), task(2, 1)] });
          await course.give({ tasks: [task(1, 2), task(3, 1)] });
          course.begin();
          await course.failed(3);
          await course.give({ tasks: [task(3, 2), task(2, 0)] });
          bench.server.fault = undefined;
          await course.finish();
          expect(await newest(bench)).toEqual({ 1: 2, 2: 1, 3: 2 });
          accounted(course, { stored: 6, dead_lettered: 0 });
        });
      }
    },
  );

  test(`${name}: a task that is refused for good is a dead letter, and its neighbours are stored`, async () => {
    await onCourse(start, async (bench, course) => {
      poison(bench, '2 1');
      await course.give({ tasks: [task(1, 1), task(2, 1), task(3, 1)] });
      await course.finish();
      expect(await newest(bench)).toEqual({ 1: 1, 3: 1 });
      accounted(course, { stored: 2, dead_lettered: 1 });
      expect(await course.deadLetters()).toMatchObject([{ reason: 'sink', table: 'tasks' }]);
    });
  });
}
