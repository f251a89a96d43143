import { readFileSync } from 'node:fs';
import { Registry } from 'prom-client';
import type { Batch } from '../../src/batch.ts';
import type { Clock } from '../../src/clock.ts';
import type { Pods } from '../../src/kubernetes/pods.ts';
import { NOTHING_KNOWN } from '../../src/kubernetes/pods.ts';
import type { OriginFields } from '../../src/origin.ts';
import { Slabs } from '../../src/slabs.ts';
import { MemorySpool } from '../../src/spool/memory.ts';
import type { Spool } from '../../src/spool/spool.ts';
import { FlyteTasks } from '../../src/tasks/flyte/index.ts';
import type { Most } from '../../src/tasks/kept.ts';
import { TaskStage } from '../../src/tasks/stage.ts';
import { decode, type Fields } from '../support/decode.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { rowsOf, type RowObject } from '../support/rows.ts';

/** The lines of the samples, as the producers write them: number 1 is the first. */
export const SAMPLES = readFileSync(new URL('../fixtures/flyte-samples.log', import.meta.url), 'latin1').split('\n');

/** Those lines of the samples. */
export function samples(from: number, to: number, without: readonly number[] = []): string[] {
  return SAMPLES.slice(from - 1, to).filter((_, n) => !without.includes(from + n));
}

/** What the lines of one source become, as a source appends it. */
export function batchOf(lines: readonly string[], origin?: OriginFields, position = {}): Batch {
  const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''), 'latin1');
  const { rows } = decode(bytes, origin === undefined ? {} : { origin });
  const told = (['steps', 'events', 'logs'] as const).flatMap((table) => {
    const texts = rows.filter((row) => row.table === table).map(({ fields }) => fields as RowObject);
    return texts.length === 0 ? [] : [rowsOf(table, texts)];
  });
  return { source: 'test', position, lines: lines.length, rows: told };
}

export interface Desk {
  readonly clock: FakeClock;
  readonly spool: MemorySpool;
  readonly registry: Registry;
  /** Appends what lines become, and lets the stage take it. */
  readonly say: (lines: readonly string[], origin?: OriginFields) => Promise<void>;
  /** All that was told of tasks by now, in order. */
  readonly told: () => Promise<Fields[]>;
  /** The sources come to their ends: what was told by then. */
  readonly end: () => Promise<Fields[]>;
  /** The run is stopped instead. */
  readonly stop: () => Promise<Fields[]>;
}

/** A stage at work, in memory. */
export function desk(pods: Pick<Pods, 'get' | 'state'> = NOTHING_KNOWN, idle_s = 3600, most?: Most): Desk {
  const clock = new FakeClock();
  const spool = new MemorySpool({ clock, max_bytes: 64 << 20 });
  const registry = new Registry();
  const reader = spool.reader('told', { until: 'stages' });
  const stage = stageOf(spool, clock, registry, most);
  stage.assemblers = [new FlyteTasks({ idle_s, pods })];
  const running = stage.run(new AbortController().signal);
  const told: Fields[] = [];
  const take = async (): Promise<Fields[]> => {
    const at_once = AbortSignal.abort('over');
    const limits = { max_rows: 1e9, max_bytes: 1e9, linger_ms: 0 };
    for (const record of await reader.take(limits, at_once)) told.push(...tasksIn(record.batch));
    return told;
  };
  return {
    clock,
    spool,
    registry,
    async say(lines, origin) {
      await spool.append(batchOf(lines, origin));
      await clock.advance(600);
    },
    told: take,
    async end() {
      stage.complete();
      spool.end('sources');
      await running;
      return take();
    },
    async stop() {
      spool.end('sources');
      await running;
      return take();
    },
  };
}

export function stageOf(spool: Spool, clock: Clock, registry = new Registry(), most?: Most): TaskStage {
  return new TaskStage({ spool, clock, slabs: new Slabs(), registry, ...(most === undefined ? {} : { most }) });
}

export function tasksIn({ rows }: Batch): Fields[] {
  return rows
    .filter(({ table }) => table === 'tasks')
    .flatMap(({ bytes }) => bytes.toString('utf8').split('\n').slice(0, -1))
    .map((text) => JSON.parse(text) as Fields);
}

/** What counts of each task: the row of its highest version, less what tells when it was said and how often. */
export function tableOf(rows: readonly Fields[]): Map<string, Fields> {
  const best = new Map<string, Fields>();
  for (const row of rows) {
    const key = String(row['task_key']);
    if (Number(best.get(key)?.['version'] ?? 0) < Number(row['version'])) best.set(key, row);
  }
  const said = ({ version: _version, revision: _revision, ...rest }: Fields): Fields => rest;
  return new Map(
    [...best].map(([key, row]): [string, Fields] => [key, said(row)]).sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

/** The waterfall of a task as text: indented by depth, seconds from the start, duration and self time. */
export function drawn(task: Fields): string[] {
  const { steps } = task['waterfall'] as { steps: Fields[] };
  return steps.map(
    ({ step, depth, start_s, wall_s, self_s, status }) =>
      `${'  '.repeat(Number(depth))}${String(step)} ${String(start_s)} ${String(wall_s)} ${String(self_s)}${status === 'success' ? '' : ` ${String(status)}`}`,
  );
}

/** Microseconds of all values of a map of seconds. */
export function sum_us(seconds: unknown): number {
  return Object.values(seconds as Record<string, number>).reduce((sum, each) => sum + Math.round(each * 1e6), 0);
}
