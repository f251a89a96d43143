import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import type { Log } from '../../../src/log.ts';
import { CLICKHOUSE_DEFAULTS, createClickHouseSink, createStatements } from '../../../src/sinks/clickhouse/index.ts';
import type { ClickHouseOptions } from '../../../src/sinks/clickhouse/index.ts';
import { connect } from '../../../src/sinks/clickhouse/connect.ts';
import { SinkError, type Sink } from '../../../src/sinks/sink.ts';
import { startClickHouse, type ClickHouseServer } from '../../support/clickhouse-server.ts';
import { partOf, stepRow } from '../../support/rows.ts';

const never = new AbortController().signal;
const told: string[] = [];
const log: Log = (_, message) => void told.push(message);
const sinks: Sink[] = [];

function sinkOf(options: Partial<ClickHouseOptions>): Sink {
  const sink = createClickHouseSink({ ...CLICKHOUSE_DEFAULTS, ...options }, { clock: systemClock, log });
  sinks.push(sink);
  return sink;
}

async function failure(promise: Promise<unknown>): Promise<SinkError> {
  const error = await promise.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SinkError);
  return error as SinkError;
}

let server: ClickHouseServer;
let path: string;
let databases = 0;

/** A database of its own, and a sink on it, opened. */
async function fresh(options: Partial<ClickHouseOptions> = {}): Promise<{ sink: Sink; database: string }> {
  const database = `d${databases++}`;
  const sink = sinkOf({ urls: [server.url], database, ...options });
  await sink.open(never);
  return { sink, database };
}

/** The answer to a question as numbers and strings. */
async function ask(sql: string): Promise<Record<string, unknown>[]> {
  const text = await server.query(`${sql} FORMAT JSONEachRow`);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

beforeAll(async () => {
  server = await startClickHouse();
  path = await mkdtemp(join(tmpdir(), 'steptap-embedded-'));
});

afterAll(async () => {
  for (const sink of sinks) await sink.close();
  await server?.stop();
  await rm(path, { recursive: true, force: true });
});

/** Values that have broken other pipelines; as text where `JSON.stringify` would write it differently. */
const HARD_ROWS = [
  stepRow({ step_raw: 'Ünïcode 日本語 🚀 \u0000 "quoted" \\ back\nline\r\ttab', wall_time_s: 1e-6 }),
  '{"ts":"2026-02-19T10:31:12.640123Z","event":"flytekit_step","kind":"step","wall_time_s":1e-06,"process_time_s":5E-7,"params":{"a": 1.50, "big":9223372036854775807, "deep":{"x":[1, 2]}}}',
  stepRow({ ts: '1999-12-31T23:59:59.999999Z', attempt: 0, map_index: 65535, k8s_enriched: true, lines: 7 }),
  stepRow({ attributes: { big: 'x'.repeat(300_000), empty: '', __proto: 'é', 'a.b': '1', "it's": ';\n\nSELECT 1' } }),
  stepRow({ labels: { app: 'flyte', 'flyte.org/x': '', 日本: '🚀' }, params: { x: '"5"' }, status: 'running' }),
  { ts: '2026-02-19T10:31:12.640123Z' },
];

describe('what is stored', () => {
  test('the same rows are stored by a server and by the embedded engine, every value as it was', async () => {
    const { sink, database } = await fresh();
    const embedded = sinkOf({ path, database: 'same' });
    await embedded.open(never);
    const part = partOf(HARD_ROWS);
    await sink.send(part, never);
    await embedded.send(part, never);
    const [connection] = await connect({ ...CLICKHOUSE_DEFAULTS, path }, systemClock);
    const query = (db: string): string => `SELECT * FROM ${db}.steps ORDER BY _i`;
    const settings = 'FORMAT JSONEachRow SETTINGS output_format_json_quote_64bit_integers = 1';
    const here = await connection!.ask({ query: `${query('same')} ${settings}` }, never);
    const there = await server.query(`${query(database)} ${settings}`);
    await connection!.close();

    expect(here).toBe(there);
    const rows = there
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(rows).toHaveLength(HARD_ROWS.length);
    expect(rows[0]).toMatchObject({
      step_raw: 'Ünïcode 日本語 🚀 \u0000 "quoted" \\ back\nline\r\ttab',
      wall_time_s: 1e-6,
    });
    expect(rows[1]).toMatchObject({
      wall_time_s: 1e-6,
      process_time_s: 5e-7,
      params: '{"a": 1.50, "big":9223372036854775807, "deep":{"x":[1, 2]}}',
      lines: 1,
      attempt: null,
      status: '',
    });
    expect(rows[2]).toMatchObject({
      ts: '1999-12-31 23:59:59.999999',
      attempt: 0,
      map_index: 65535,
      k8s_enriched: true,
      lines: 7,
    });
    expect(rows[3]?.['attributes']).toEqual((HARD_ROWS[3] as Record<string, unknown>)['attributes']);
    expect(rows[4]).toMatchObject({
      labels: { app: 'flyte', 'flyte.org/x': '', 日本: '🚀' },
      params: '{"x":"\\"5\\""}',
    });
    expect(rows[5]).toMatchObject({ _day: '2026-11-21', _src: 'spool0-epoch0', _seq: '1', _i: 5 });
  });

  test('rows of every table arrive with their day, spool, record and number', async () => {
    const { sink, database } = await fresh();
    const ts = '2026-02-19T10:31:12.640123Z';
    await sink.send(partOf([stepRow(), stepRow()], { seq: 7, day: '2026-11-22' }), never);
    await sink.send(partOf([{ ts, message: 'hello', level: 'INFO' }], { table: 'logs' }), never);
    await sink.send(partOf([{ ts, kind: 'error', root_error_type: 'ValueError' }], { table: 'events' }), never);
    expect(await ask(`SELECT _day, _src, toUInt32(_seq) AS seq, _i FROM ${database}.steps ORDER BY _i`)).toEqual([
      { _day: '2026-11-22', _src: 'spool0-epoch0', seq: 7, _i: 0 },
      { _day: '2026-11-22', _src: 'spool0-epoch0', seq: 7, _i: 1 },
    ]);
    expect(await ask(`SELECT message, level FROM ${database}.logs`)).toEqual([{ message: 'hello', level: 'INFO' }]);
    expect(await ask(`SELECT root_error_type AS r FROM ${database}.events`)).toEqual([{ r: 'ValueError' }]);
  });

  test('ten thousand rows of eight megabytes are one insert, and the sums agree', async () => {
    const { sink, database } = await fresh();
    const rows = Array.from({ length: 10_000 }, (_, n) =>
      stepRow({ wall_time_s: n / 8, message: undefined, attributes: { pad: 'p'.repeat(480), n: String(n) } }),
    );
    const part = partOf(rows);
    expect(part.slices[0]!.rows.bytes.length).toBeGreaterThan(8_000_000);
    await sink.send(part, never);
    const second = partOf(
      rows.slice(0, 5).map((row) => ({ ...row, wall_time_s: 1 })),
      { seq: 2 },
    );
    await sink.send(second, never);
    await sink.send(part, never);
    expect(
      await ask(
        `SELECT toUInt32(count()) AS n, sum(wall_time_s) AS s, toUInt32(uniqExact(_seq, _i)) AS u FROM ${database}.steps`,
      ),
    ).toEqual([{ n: 10_005, s: (9_999 * 10_000) / 2 / 8 + 5, u: 10_005 }]);
    expect(
      await ask(
        `SELECT toUInt32(max(rows)) AS n FROM system.parts WHERE database = '${database}' AND table = 'steps' AND level = 0`,
      ),
    ).toEqual([{ n: 10_000 }]);
  });

  test('rows that are settled already are not sent', async () => {
    const { sink, database } = await fresh();
    await sink.send(partOf([stepRow(), stepRow(), stepRow()], { settled: Uint8Array.of(1, 0, 1) }), never);
    await sink.send(partOf([stepRow()], { settled: Uint8Array.of(1), seq: 2 }), never);
    expect(await ask(`SELECT _i FROM ${database}.steps`)).toEqual([{ _i: 1 }]);
  });

  test('compressed requests store the same', async () => {
    for (const compression of ['gzip', 'br'] as const) {
      const { sink, database } = await fresh({ compression });
      await sink.send(partOf([stepRow(), stepRow()]), never);
      expect(await ask(`SELECT toUInt32(count()) AS n FROM ${database}.steps`)).toEqual([{ n: 2 }]);
    }
  });
});

describe('a part that is sent again', () => {
  test('is stored once, also after the server was killed', async () => {
    const { sink, database } = await fresh();
    const part = partOf([stepRow({ wall_time_s: 2 }), stepRow({ wall_time_s: 3 })], { in_doubt: true });
    await sink.send(part, never);
    await sink.send(part, never);
    await server.kill();
    const down = await failure(sink.send(part, never));
    expect(down).toMatchObject({ failure: 'retry' });
    await server.restart();
    await sink.send(part, never);
    expect(await ask(`SELECT toUInt32(count()) AS n, sum(wall_time_s) AS s FROM ${database}.steps`)).toEqual([
      { n: 2, s: 5 },
    ]);
  });

  test('control: with another token it would be stored twice', async () => {
    const { sink, database } = await fresh();
    const rows = [stepRow()];
    await sink.send(partOf(rows, { token: 'one' }), never);
    await sink.send(partOf(rows, { token: 'two' }), never);
    expect(await ask(`SELECT toUInt32(count()) AS n FROM ${database}.steps`)).toEqual([{ n: 2 }]);
  });

  test('is stored once by the embedded engine too', async () => {
    const sink = sinkOf({ path, database: 'again' });
    await sink.open(never);
    await sink.send(partOf([stepRow()]), never);
    await sink.send(partOf([stepRow()]), never);
    const [connection] = await connect({ ...CLICKHOUSE_DEFAULTS, path }, systemClock);
    expect(await connection!.ask({ query: 'SELECT count() FROM again.steps FORMAT TSV' }, never)).toBe('1\n');
    await connection!.close();
  });
});

describe('a row that ClickHouse cannot take', () => {
  const CANARY = 'canary-4111 (while pushing to view default.x. (CANARYNAME)) (at row 9999) __exception__';
  const poison = [stepRow(), stepRow({ attributes: CANARY }), stepRow()];

  test('asks for the part to be split, stores nothing of it, and is not quoted', async () => {
    for (const options of [{}, { path, urls: [], database: 'poison' }]) {
      const { sink } = await fresh(options);
      const error = await failure(sink.send(partOf(poison), never));
      expect(error).toMatchObject({ failure: 'split', code: '27', in_doubt: false });
      expect(error.message).toContain('27 (CANNOT_PARSE_INPUT_ASSERTION_FAILED), column attributes, row 2');
      expect(JSON.stringify([error.message, error.stack])).not.toMatch(/canary|4111/i);
      expect(error.cause).toBeUndefined();
      // The lane would send the good rows in parts of their own.
      await sink.send(partOf([stepRow()], { token: 'half' }), never);
    }
  });

  test('control: ClickHouse itself quotes it', async () => {
    const { database } = await fresh();
    const row = `{"ts":"2026-02-19T10:31:12Z","attributes":"${CANARY}"}`;
    await expect(server.query(`INSERT INTO ${database}.steps FORMAT JSONEachRow ${row}`)).rejects.toThrow('CANARYNAME');
  });

  test('leaves nothing of its part behind, so that the halves can be sent', async () => {
    const { sink, database } = await fresh();
    await failure(sink.send(partOf(poison), never));
    expect(await ask(`SELECT toUInt32(count()) AS n FROM ${database}.steps`)).toEqual([{ n: 0 }]);
  });

  test('which a materialized view cannot take holds instead: the rows are not at fault', async () => {
    const { sink, database } = await fresh();
    await server.query(`CREATE TABLE ${database}.target (t DateTime) ENGINE = MergeTree ORDER BY t`);
    await server.query(
      `CREATE MATERIALIZED VIEW ${database}.mv TO ${database}.target AS SELECT parseDateTime(step_raw, '%Y') AS t FROM ${database}.steps`,
    );
    const error = await failure(sink.send(partOf([stepRow()]), never));
    expect(error).toMatchObject({ failure: 'hold', code: '41', in_doubt: true });
    expect(error.message).toContain('materialized view');
  });
});

describe('tables', () => {
  test('are made once, however often steptap starts', async () => {
    told.length = 0;
    const { sink, database } = await fresh();
    expect(told).toEqual([
      `ClickHouse: CREATE DATABASE IF NOT EXISTS \`${database}\``,
      ...['steps', 'logs', 'events'].map(
        (table) => `ClickHouse: CREATE TABLE IF NOT EXISTS \`${database}\`.\`${table}\``,
      ),
    ]);
    const statements = createStatements({ database });
    for (const statement of [...statements, ...statements]) await server.query(statement);
    told.length = 0;
    await sink.open(never);
    expect(told).toEqual([]);
    expect(
      (await ask(`SELECT name FROM system.tables WHERE database = '${database}' ORDER BY name`)).map(
        (row) => row['name'],
      ),
    ).toEqual(['events', 'flytekit_telemetry', 'logs', 'steps']);
  });

  test('of an older steptap get the columns and the window that they lack', async () => {
    const { database } = await fresh();
    await server.query(`ALTER TABLE ${database}.steps DROP COLUMN process_time_s`);
    await server.query(`DROP TABLE ${database}.logs`);
    await server.query(`ALTER TABLE ${database}.events RESET SETTING non_replicated_deduplication_window`);
    const sink = sinkOf({ urls: [server.url], database });
    await sink.open(never);
    await sink.send(partOf([stepRow()]), never);
    expect(await ask(`SELECT process_time_s AS p FROM ${database}.steps`)).toEqual([{ p: 0.89 }]);
    const [after] = await ask(
      `SELECT groupArray(name) AS names FROM (SELECT name FROM system.columns WHERE database = '${database}' AND table = 'steps' ORDER BY position)`,
    );
    const names = after!['names'] as string[];
    expect(names.indexOf('process_time_s')).toBe(names.indexOf('wall_time_s') + 1);
    expect(
      await ask(
        `SELECT position(engine_full, 'non_replicated_deduplication_window = 10000') > 0 AS w FROM system.tables WHERE database = '${database}' AND name = 'events'`,
      ),
    ).toEqual([{ w: 1 }]);
  });

  test('of an older steptap hold with the ALTER to run when steptap may not', async () => {
    const { database } = await fresh();
    await server.query(`ALTER TABLE ${database}.steps DROP COLUMN process_time_s`);
    const sink = sinkOf({ urls: [server.url], database, create: 'never' });
    const error = await failure(sink.open(never));
    expect(error.failure).toBe('hold');
    const alter = /ALTER TABLE [^;]*/.exec(error.message)![0];
    expect(alter).toBe(
      `ALTER TABLE \`${database}\`.\`steps\` ADD COLUMN IF NOT EXISTS \`process_time_s\` Nullable(Float64) AFTER \`wall_time_s\``,
    );
    await server.query(alter);
    await sink.open(never);
    await sink.send(partOf([stepRow()]), never);
  });

  test('that are missing hold with the statements to run when steptap may not make them', async () => {
    const sink = sinkOf({ urls: [server.url], database: 'nobody', create: 'never' });
    const error = await failure(sink.open(never));
    expect(error).toMatchObject({ failure: 'hold', code: 'schema' });
    for (const statement of error.message.slice(error.message.indexOf('run:\n') + 5).split(';')) {
      if (statement.trim() !== '') await server.query(statement);
    }
    await sink.open(never);
    await sink.send(partOf([stepRow()]), never);
  });

  test('that cannot deduplicate, or are partitioned otherwise, hold and say why', async () => {
    await server.query('CREATE DATABASE unfit');
    await server.query(
      'CREATE TABLE unfit.steps (ts DateTime) ENGINE = MergeTree PARTITION BY toYYYYMM(ts) ORDER BY ts',
    );
    await server.query('CREATE TABLE unfit.logs (ts DateTime) ENGINE = Memory');
    const error = await failure(sinkOf({ urls: [server.url], database: 'unfit' }).open(never));
    expect(error).toMatchObject({ failure: 'hold', code: 'schema' });
    expect(error.message).toContain('`unfit`.`steps` is not PARTITION BY _day');
    expect(error.message).toContain('`unfit`.`logs` has the engine Memory');
  });

  test('that vanish while steptap runs hold, and are made again at the next open', async () => {
    const { sink, database } = await fresh();
    await server.query(`DROP TABLE ${database}.steps`);
    const error = await failure(sink.send(partOf([stepRow()]), never));
    expect(error).toMatchObject({ failure: 'hold', code: '60', in_doubt: false });
    expect(error.message).toContain('UNKNOWN_TABLE');
    await sink.open(never);
    await sink.send(partOf([stepRow()]), never);
    expect(await ask(`SELECT toUInt32(count()) AS n FROM ${database}.steps`)).toEqual([{ n: 1 }]);
  });

  test("are shown in flytekit's own columns by the view", async () => {
    const { sink, database } = await fresh();
    const own = stepRow({
      task_project: 'shared',
      task_domain: 'staging',
      params: { x: '"5"' },
      error_type: 'ValueError',
    });
    await sink.send(partOf([own, stepRow({ ts: '2026-02-19T10:31:13.000000Z' })]), never);
    expect(await ask(`SELECT * FROM ${database}.flytekit_telemetry ORDER BY timestamp`)).toEqual([
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

describe('who may write', () => {
  test('a wrong password holds and is not repeated; one in the address is used', async () => {
    const guarded = await startClickHouse({ password: 'right-4111' });
    try {
      const url = guarded.url;
      const error = await failure(sinkOf({ urls: [url], password: 'wrong-4111' }).open(never));
      expect(error).toMatchObject({ failure: 'hold', code: '516', in_doubt: false });
      expect(error.message).not.toContain('4111');
      const sink = sinkOf({ urls: [url.replace('//', '//default:right-4111@')], password: 'wrong-4111' });
      await sink.open(never);
      await sink.send(partOf([stepRow()]), never);
      expect(sink.describe()).toMatch(/^ClickHouse \d+\.\d+\.\d+\.\d+ at http:\/\/127\.0\.0\.1:\d+, database default$/);
      await guarded.kill();
      const down = await failure(sink.send(partOf([stepRow()]), never));
      expect(down.message).not.toContain('4111');
    } finally {
      await guarded.stop();
    }
  });
});

test('a directory that another process has open holds, and steptap says so', async () => {
  const error = await failure(sinkOf({ path: server.path }).open(never));
  expect(error).toMatchObject({ failure: 'hold', code: 'CHDB_CONNECTION' });
  expect(error.message).toContain('in use by another process');
});

describe('several addresses', () => {
  test('the next one is used at once when the first cannot be reached', async () => {
    const database = `d${databases++}`;
    const sink = sinkOf({ urls: ['http://127.0.0.1:1', server.url], database });
    told.length = 0;
    await sink.open(never);
    expect(told[0]).toMatch(/ECONNREFUSED.*going on with/);
    await sink.send(partOf([stepRow()]), never);
    expect(await ask(`SELECT toUInt32(count()) AS n FROM ${database}.steps`)).toEqual([{ n: 1 }]);
    expect(sink.describe()).toContain(`at ${server.url} and 1 more`);
  });
});
