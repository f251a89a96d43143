import { expect, test } from 'vitest';
import type { Pods } from '../../src/kubernetes/pods.ts';
import { NOTHING_KNOWN } from '../../src/kubernetes/pods.ts';
import { NOWHERE, type OriginFields } from '../../src/origin.ts';
import { FlyteTasks } from '../../src/tasks/flyte/index.ts';
import { decode, stepLine, type Fields } from '../support/decode.ts';
import { Bench } from './bench.ts';
import { samples } from './parts.ts';
import { Table } from './rhapsody-rows.ts';

const HOUR_MS = 3_600_000;

function bench(pods: Pick<Pods, 'get' | 'state'> = NOTHING_KNOWN): Bench {
  return new Bench(new FlyteTasks({ idle_s: 60, pods }));
}

function say(to: Bench, lines: readonly string[], origin: OriginFields = NOWHERE): void {
  const { rows } = decode(Buffer.from(`${lines.join('\n')}\n`, 'latin1'), { origin });
  for (const { table, fields } of rows) if (table === 'steps' || table === 'events') to.take(table, fields);
}

/** What counts of each task. */
function last(told: readonly Fields[]): Fields[] {
  return [...new Map(told.map((task) => [task['task_key'], task])).values()];
}

/** A step that ended so many seconds behind noon. */
function said(step: string, end_s: number, wall_s: number): string {
  const at = new Date(Date.parse('2026-02-19T12:00:00Z') + end_s * 1000).toISOString();
  const asctime = at.slice(0, -1).replace('T', ' ').replace('.', ',');
  return stepLine({ asctime: `"${asctime}"`, step: JSON.stringify(step), wall_time_s: String(wall_s) });
}

/** A task by itself, as one process writes it. */
function run(at_s: number): string[] {
  return [
    said('pre_execute', at_s + 0.1, 0.00001),
    said('Execute user level code', at_s + 2, 1.5),
    said('task_dispatch_execute', at_s + 2.1, 2.1),
  ];
}

test('a task of which no pod is known is another when it ran at another time, and the same when its lines are read again', () => {
  const [one, later, again] = [0, 60, 60].map((at_s) => {
    const at = bench();
    say(at, run(at_s));
    at.over();
    expect(at.told).toHaveLength(1);
    return at.told[0]!['task_key'];
  });
  expect(later).toBe(again);
  expect(later).not.toBe(one);
});

test('a task whose code takes half a day is one, though it was told as idle meanwhile', () => {
  const at = bench();
  say(at, samples(1, 10));
  for (let hour = 0; hour < 12; hour++) at.pass(HOUR_MS);
  expect(at.told).toMatchObject([{ end_reason: 'idle', steps: 10 }]);
  say(at, samples(11, 21, [12]));
  at.over();
  expect(last(at.told)).toMatchObject([{ end_reason: 'completed', steps: 20 }]);
  expect(at.lates).toBe(0);
});

test('of tasks that are remembered those go first that are over, and not those that may go on', () => {
  const table = new Table(() => new FlyteTasks({ idle_s: 60, pods: NOTHING_KNOWN }));
  const rows = decode(Buffer.from(`${run(0).join('\n')}\n`, 'latin1')).rows;
  const take = (pod: string, from: number, to: number): void => {
    table.block((assembler, tasks) => {
      for (const { fields } of rows.slice(from, to)) {
        const ts_us = Date.parse(String(fields['ts'])) * 1000;
        const told = { ...fields, namespace: 'ml', pod };
        assembler.take({ table: 'steps', source: 'test', ts_us, fields: told, about: told, committed_ms: 0 }, tasks);
      }
    });
  };
  const pass = (ms: number): unknown => table.block((assembler, tasks) => assembler.tick(ms, tasks));
  take('silent', 0, 2);
  pass(HOUR_MS);
  for (let n = 0; n < 4_100; n++) take(`pod-${n}`, 0, 3);
  pass(HOUR_MS + 20_000);
  pass(HOUR_MS + 40_000);
  const closed = (): string[] => [...table.kept.keys()].filter((key) => key.startsWith('flyte closed '));
  expect(closed()).toHaveLength(4_001);
  expect(closed()[0]).toContain('silent');
});

const POD: OriginFields = { ...NOWHERE, namespace: 'ml', pod: 'exec-n0-0', container: 'exec-n0-0', k8s_enriched: true };

test('a pod that was made again under its name has a task of its own from its first line on, also when the one before is forgotten', () => {
  const at = bench();
  const [before, after] = ['a', 'b'].map((pod_uid) => ({ ...POD, pod_uid }));
  say(at, samples(1, 7), before);
  at.pass(61_000);
  say(at, samples(1, 10), after);
  for (let day = 0; day < 9; day++) {
    at.pass(24 * HOUR_MS);
    say(at, [said('mine', 0, 0.1)], after);
  }
  say(at, samples(11, 21, [12]), after);
  at.over();
  expect(last(at.told).map(({ pod_uid, steps, status }) => ({ pod_uid, steps, status }))).toEqual([
    { pod_uid: 'a', steps: 7, status: 'unknown' },
    { pod_uid: 'b', steps: 29, status: 'success' },
  ]);
});

test('a container that is killed while it uploads what its code gave has not completed', () => {
  const pods: Pick<Pods, 'get' | 'state'> = {
    state: { state: 'synced', pods: 1 },
    get: (uid) => ({
      uid,
      namespace: 'ml',
      name: 'exec-n0-0',
      node: '',
      labels: new Map(),
      annotations: new Map(),
      owner: undefined,
      containers: new Map(),
      addresses: [],
      terminated: new Map([
        [
          'exec-n0-0',
          uid === 'killed' ? { reason: 'OOMKilled', exit_code: 137 } : { reason: 'Completed', exit_code: 0 },
        ],
      ]),
    }),
  };
  const at = bench(pods);
  say(at, run(0), { ...POD, pod_uid: 'killed' });
  say(at, run(0), { ...POD, pod: 'other', pod_uid: 'well' });
  at.pass(5_000);
  expect(at.told).toEqual([]);
  at.pass(30_000);
  expect(at.told).toMatchObject([
    { pod_uid: 'killed', status: 'error', end_reason: 'pod_gone', termination_reason: 'OOMKilled', exit_code: 137 },
    { pod_uid: 'well', status: 'success', end_reason: 'completed' },
  ]);
});
