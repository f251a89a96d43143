import { describe, expect, test } from 'vitest';
import { EVENT_TABLES, type Field } from '../../../src/fields.ts';
import { createStatements } from '../../../src/sinks/clickhouse/index.ts';
import { types } from '../../event-types/parts.ts';
import { partOf, stepRow } from '../../support/rows.ts';
import { failure, never, useClickHouse } from './engine.ts';

const engine = useClickHouse();

describe('tables', () => {
  test('are made once, however often steptap starts', async () => {
    engine.told.length = 0;
    const { sink, database } = await engine.fresh();
    expect(engine.told).toEqual([
      `ClickHouse: CREATE DATABASE IF NOT EXISTS \`${database}\``,
      ...EVENT_TABLES.map((table) => `ClickHouse: CREATE TABLE IF NOT EXISTS \`${database}\`.\`${table}\``),
    ]);
    const statements = createStatements({ database });
    for (const statement of [...statements, ...statements]) await engine.server.query(statement);
    engine.told.length = 0;
    await sink.open(never);
    expect(engine.told).toEqual([]);
    expect(
      (await engine.ask(`SELECT name FROM system.tables WHERE database = '${database}' ORDER BY name`)).map(
        (row) => row['name'],
      ),
    ).toEqual([...EVENT_TABLES, 'flytekit_telemetry'].sort());
  });

  test('of an older steptap get the columns and the window that they lack', async () => {
    const { database } = await engine.fresh();
    await engine.server.query(`ALTER TABLE ${database}.steps DROP COLUMN process_time_s`);
    await engine.server.query(`DROP TABLE ${database}.logs`);
    await engine.server.query(`ALTER TABLE ${database}.events RESET SETTING non_replicated_deduplication_window`);
    const sink = engine.sinkOf({ urls: [engine.server.url], database });
    await sink.open(never);
    await sink.send(partOf([stepRow()]), never);
    expect(await engine.ask(`SELECT process_time_s AS p FROM ${database}.steps`)).toEqual([{ p: 0.89 }]);
    const [after] = await engine.ask(
      `SELECT groupArray(name) AS names FROM (SELECT name FROM system.columns WHERE database = '${database}' AND table = 'steps' ORDER BY position)`,
    );
    const names = after!['names'] as string[];
    expect(names.indexOf('process_time_s')).toBe(names.indexOf('wall_time_s') + 1);
    expect(
      await engine.ask(
        `SELECT position(engine_full, 'non_replicated_deduplication_window = 10000') > 0 AS w FROM system.tables WHERE database = '${database}' AND name = 'events'`,
      ),
    ).toEqual([{ w: 1 }]);
  });

  test('of an older steptap hold with the ALTER to run when steptap may not', async () => {
    const { database } = await engine.fresh();
    await engine.server.query(`ALTER TABLE ${database}.steps DROP COLUMN process_time_s`);
    const sink = engine.sinkOf({ urls: [engine.server.url], database, create: 'never' });
    const error = await failure(sink.open(never));
    expect(error.failure).toBe('hold');
    const alter = /ALTER TABLE [^;]*/.exec(error.message)![0];
    expect(alter).toBe(
      `ALTER TABLE \`${database}\`.\`steps\` ADD COLUMN IF NOT EXISTS \`process_time_s\` Nullable(Float64) AFTER \`wall_time_s\``,
    );
    await engine.server.query(alter);
    await sink.open(never);
    await sink.send(partOf([stepRow()]), never);
  });

  test('get thousands of declared columns, in few statements that are longer than a server takes of itself', async () => {
    const { database } = await engine.fresh();
    const about = 'what it measured when it was looked at, once an hour, by whom, and why; '.repeat(18);
    const fields = Array.from({ length: 250 }, (_, n) => `f${n}: { type: float, description: '${about}' }`);
    const declared = types(`my.Wide: { fields: { ${fields.join(', ')} } }`).columns;
    engine.told.length = 0;
    await engine.sinkOf({ urls: [engine.server.url], database }, declared).open(never);
    expect(engine.told).toHaveLength(3);
    await engine.sinkOf({ urls: [engine.server.url], database: engine.unused() }, declared).open(never);
    await engine.sinkOf({ urls: [engine.server.url], database }, declared).open(never);
    const columns = `SELECT count() AS n FROM system.columns WHERE database = '${database}' AND name LIKE 'f%'`;
    expect((await engine.ask(columns))[0]!['n']).toBe(250);
  });

  test('hold when a declared column is there with a type that would refuse its rows, and say what helps', async () => {
    const { database } = await engine.fresh();
    const declared = (type: string): readonly Field[] => types(`my.E: { fields: { x: ${type} } }`).columns;
    await engine.sinkOf({ urls: [engine.server.url], database }, declared('int')).open(never);
    const sink = engine.sinkOf({ urls: [engine.server.url], database }, declared('float'));
    const error = await failure(sink.open(never));
    const alter = `ALTER TABLE \`${database}\`.\`events\` MODIFY COLUMN \`x\` Nullable(Float64)`;
    expect([error.failure, error.message]).toEqual([
      'hold',
      `ClickHouse: \`${database}\`.\`events\` has a column x of type Nullable(Int64), and the pipeline declares Nullable(Float64): run ${alter}, or give the field another column`,
    ]);
    await engine.server.query(alter);
    await sink.open(never);
    // A number is an int, too.
    await engine.sinkOf({ urls: [engine.server.url], database }, declared('int')).open(never);
  });

  test('that are missing hold with the statements to run when steptap may not make them', async () => {
    const sink = engine.sinkOf({ urls: [engine.server.url], database: 'nobody', create: 'never' });
    const error = await failure(sink.open(never));
    expect(error).toMatchObject({ failure: 'hold', code: 'schema' });
    for (const statement of error.message.slice(error.message.indexOf('run:\n') + 5).split(';')) {
      if (statement.trim() !== '') await engine.server.query(statement);
    }
    await sink.open(never);
    await sink.send(partOf([stepRow()]), never);
  });

  test('that cannot deduplicate, or are partitioned otherwise, hold and say why', async () => {
    await engine.server.query('CREATE DATABASE unfit');
    await engine.server.query(
      'CREATE TABLE unfit.steps (ts DateTime) ENGINE = MergeTree PARTITION BY toYYYYMM(ts) ORDER BY ts',
    );
    await engine.server.query('CREATE TABLE unfit.logs (ts DateTime) ENGINE = Memory');
    const error = await failure(engine.sinkOf({ urls: [engine.server.url], database: 'unfit' }).open(never));
    expect(error).toMatchObject({ failure: 'hold', code: 'schema' });
    expect(error.message).toContain('`unfit`.`steps` is not PARTITION BY _day');
    expect(error.message).toContain('`unfit`.`logs` has the engine Memory');
  });

  test('that vanish while steptap runs hold, and are made again at the next open', async () => {
    const { sink, database } = await engine.fresh();
    await engine.server.query(`DROP TABLE ${database}.steps`);
    const error = await failure(sink.send(partOf([stepRow()]), never));
    expect(error).toMatchObject({ failure: 'hold', code: '60', in_doubt: false });
    expect(error.message).toContain('UNKNOWN_TABLE');
    await sink.open(never);
    await sink.send(partOf([stepRow()]), never);
    expect(await engine.ask(`SELECT toUInt32(count()) AS n FROM ${database}.steps`)).toEqual([{ n: 1 }]);
  });

  test("are shown in flytekit's own columns by the view", async () => {
    const { sink, database } = await engine.fresh();
    const own = stepRow({
      task_project: 'shared',
      task_domain: 'staging',
      params: { x: '"5"' },
      error_type: 'ValueError',
    });
    await sink.send(partOf([own, stepRow({ ts: '2026-02-19T10:31:13.000000Z' })]), never);
    expect(await engine.ask(`SELECT * FROM ${database}.flytekit_telemetry ORDER BY timestamp`)).toEqual([
      {
        event: 'flytekit_step',
        step: 'Execute user level code',
        wall_time_s: 1.234,
        process_time_s: 0.89,
        status: 'success',
        error_type: 'ValueError',
        execution_id: 'f12abc',
        task_name: 'workflows.train.fit',
        project: 'shared',
        domain: 'staging',
        timestamp: '2026-02-19 10:31:12.640123',
        params: '{"x":"\\"5\\""}',
      },
      expect.objectContaining({ project: 'ml', domain: 'production', params: '', error_type: '' }),
    ]);
  });
});
