import { expect, test } from 'vitest';
import { createStatements } from '../../../src/sinks/clickhouse/index.ts';
import type { Sink } from '../../../src/sinks/sink.ts';
import { partOf } from '../../support/rows.ts';
import { keyOf, taskRow } from '../../support/tasks.ts';
import { failure, never, useClickHouse } from './engine.ts';

const engine = useClickHouse();
const TASKS = { table: 'tasks' } as const;

/** What counts of each task, by FINAL: its number and the revision. */
async function final(database: string, settings = ''): Promise<unknown> {
  const rows = await engine.ask(
    `SELECT task_key AS key, revision FROM ${database}.tasks FINAL ORDER BY key ${settings}`,
  );
  return rows.map(({ key, revision }) => [Number.parseInt(String(key), 16), revision]);
}

async function count(database: string): Promise<unknown> {
  return (await engine.ask(`SELECT toUInt32(count()) AS n FROM ${database}.tasks`))[0]!['n'];
}

test('of a task the row of the highest version counts, in whichever order and on whichever days they came', async () => {
  const { sink, database } = await engine.fresh();
  await sink.send(partOf([taskRow(1, 2), taskRow(2, 1), taskRow(3, 1)], TASKS), never);
  await sink.send(partOf([taskRow(1, 1), taskRow(2, 3)], { ...TASKS, seq: 2, day: '2026-11-22' }), never);
  await sink.send(partOf([taskRow(2, 2)], { ...TASKS, seq: 3, day: '2026-11-23' }), never);
  const newest = [
    [1, 2],
    [2, 3],
    [3, 1],
  ];
  expect(await final(database)).toEqual(newest);
  await engine.server.query(`OPTIMIZE TABLE ${database}.tasks FINAL`);
  expect(await final(database)).toEqual(newest);
  // Merges are of one day each: without FINAL, those of other days are there still.
  expect(await count(database)).toBe(6);
  // What a profile must not set: README.
  expect(await final(database, 'SETTINGS do_not_merge_across_partitions_select_final = 1')).not.toEqual(newest);
});

test('every column of a task and of a resource is stored as it is, in a server and in the embedded engine', async () => {
  const { sink, database } = await engine.fresh();
  const embedded = engine.sinkOf({ urls: [], path: engine.path, database: 'tasks_embedded' });
  await embedded.open(never);
  const cpu = { resource_scope: 'per_node', node_id: 'node-a01', cpu_percent: 3.5, disk_read_bytes: 8192 };
  const resource = {
    ts: '2026-11-21T10:31:12.640123Z',
    dialect: 'rhapsody',
    event: 'ResourceUpdate',
    kind: 'resource',
    ...cpu,
  };
  for (const each of [sink, embedded]) {
    await each.send(partOf([taskRow(1, 1)], TASKS), never);
    await each.send(partOf([resource], { table: 'resources' }), never);
  }
  expect(await embedded.stored!({ ...RANGE, table: 'resources' }, never)).toEqual(
    new Map([[1, { rows: 1, distinct: 1 }]]),
  );
  const [task] = await engine.ask(
    `SELECT toString(task_day) AS day, depends_on, phases, self_time_s, waterfall, steps, exit_code, toString(ts_started) AS started, ts_created FROM ${database}.tasks FINAL`,
  );
  const { task_day: day, depends_on, phases, self_time_s, waterfall, steps, exit_code } = taskRow(1, 1);
  expect({ ...task, waterfall: JSON.parse(String(task!['waterfall'])) as unknown }).toEqual({
    day,
    depends_on,
    phases,
    self_time_s,
    waterfall,
    steps,
    exit_code,
    started: '2026-11-21 10:31:01.000000',
    ts_created: null,
  });
  expect(
    await engine.ask(`SELECT cpu_percent, disk_read_bytes, gpu_percent, gpu_id FROM ${database}.resources`),
  ).toEqual([{ cpu_percent: 3.5, disk_read_bytes: 8192, gpu_percent: null, gpu_id: null }]);
});

const RANGE = { day: '2026-11-21', src: 'spool0-epoch0', from: 0, to: 10 } as const;

test('a part of tasks in doubt is stored, though the server knows its token and has lost its rows', async () => {
  const { sink, database } = await engine.fresh();
  const part = partOf([taskRow(1, 1), taskRow(2, 1)], TASKS);
  await sink.send(part, never);
  await sink.send(part, never);
  expect(await count(database)).toBe(2);
  await engine.server.query(`ALTER TABLE ${database}.tasks DELETE WHERE 1 SETTINGS mutations_sync = 2`);
  await sink.send(part, never);
  // The control: its token is known, and that is all that is left of it.
  expect(await count(database)).toBe(0);
  for (let times = 0; times < 3; times++) await sink.send({ ...part, in_doubt: true }, never);
  expect(await final(database)).toEqual([
    [1, 1],
    [2, 1],
  ]);
});

test('tables of tasks that keep something else than the newest of a key hold, and say why', async () => {
  const [, , , , , make = ''] = createStatements({ database: 'keyed' });
  const change = async (table: string): Promise<Sink> => {
    await engine.server.query('CREATE DATABASE IF NOT EXISTS keyed');
    await engine.server.query('DROP TABLE IF EXISTS keyed.tasks');
    await engine.server.query(table);
    return engine.sinkOf({ urls: [engine.server.url], database: 'keyed' });
  };
  const wrong: [string, string, string][] = [
    ['ReplacingMergeTree(version)', 'MergeTree', 'has the engine MergeTree, which cannot replace a row by a newer one'],
    ['(version)', '', 'does not keep the highest version of each task_key'],
    ['(version)', '(_seq)', 'does not keep the highest version of each task_key'],
    ['ORDER BY (task_key)', 'ORDER BY (task_key, ts)', 'does not keep the highest version of each task_key'],
  ];
  expect(make).toContain('ENGINE = ReplacingMergeTree(version)\nPARTITION BY _day\nORDER BY (task_key)');
  for (const [from, to, why] of wrong) {
    const error = await failure((await change(make.replace(from, to))).open(never));
    expect(error).toMatchObject({ failure: 'hold', code: 'schema' });
    expect(error.message).toContain(`\`keyed\`.\`tasks\` ${why}`);
  }
  await (await change(make)).open(never);
});

test('replicated tables of tasks replace rows, too', () => {
  expect(createStatements({ database: 'd', cluster: '{cluster}' }).join('\n')).toContain(
    'ENGINE = ReplicatedReplacingMergeTree(version)',
  );
  expect(keyOf(255)).toHaveLength(32);
});
