import { describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { connect } from '../../../src/sinks/clickhouse/connect.ts';
import { CLICKHOUSE_DEFAULTS } from '../../../src/sinks/clickhouse/index.ts';
import { partOf, stepRow } from '../../support/rows.ts';
import { failure, never, useClickHouse } from './engine.ts';

const engine = useClickHouse();

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
    const { sink, database } = await engine.fresh();
    const embedded = engine.sinkOf({ path: engine.path, database: 'same' });
    await embedded.open(never);
    const part = partOf(HARD_ROWS);
    await sink.send(part, never);
    await embedded.send(part, never);
    const [connection] = await connect(
      { ...CLICKHOUSE_DEFAULTS, path: engine.path },
      { clock: systemClock, log: () => {} },
    );
    const query = (db: string): string => `SELECT * FROM ${db}.steps ORDER BY _i`;
    const settings = 'FORMAT JSONEachRow SETTINGS output_format_json_quote_64bit_integers = 1';
    const here = await connection!.ask({ query: `${query('same')} ${settings}` }, never);
    const there = await engine.server.query(`${query(database)} ${settings}`);
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
    const { sink, database } = await engine.fresh();
    const ts = '2026-02-19T10:31:12.640123Z';
    await sink.send(partOf([stepRow(), stepRow()], { seq: 7, day: '2026-11-22' }), never);
    await sink.send(partOf([{ ts, message: 'hello', level: 'INFO' }], { table: 'logs' }), never);
    await sink.send(partOf([{ ts, kind: 'error', root_error_type: 'ValueError' }], { table: 'events' }), never);
    expect(await engine.ask(`SELECT _day, _src, toUInt32(_seq) AS seq, _i FROM ${database}.steps ORDER BY _i`)).toEqual(
      [
        { _day: '2026-11-22', _src: 'spool0-epoch0', seq: 7, _i: 0 },
        { _day: '2026-11-22', _src: 'spool0-epoch0', seq: 7, _i: 1 },
      ],
    );
    expect(await engine.ask(`SELECT message, level FROM ${database}.logs`)).toEqual([
      { message: 'hello', level: 'INFO' },
    ]);
    expect(await engine.ask(`SELECT root_error_type AS r FROM ${database}.events`)).toEqual([{ r: 'ValueError' }]);
  });

  test('ten thousand rows of eight megabytes are one insert, and the sums agree', async () => {
    const { sink, database } = await engine.fresh();
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
      await engine.ask(
        `SELECT toUInt32(count()) AS n, sum(wall_time_s) AS s, toUInt32(uniqExact(_seq, _i)) AS u FROM ${database}.steps`,
      ),
    ).toEqual([{ n: 10_005, s: (9_999 * 10_000) / 2 / 8 + 5, u: 10_005 }]);
    expect(
      await engine.ask(
        `SELECT toUInt32(max(rows)) AS n FROM system.parts WHERE database = '${database}' AND table = 'steps' AND level = 0`,
      ),
    ).toEqual([{ n: 10_000 }]);
  });

  test('rows that are settled already are not sent', async () => {
    const { sink, database } = await engine.fresh();
    await sink.send(partOf([stepRow(), stepRow(), stepRow()], { settled: Uint8Array.of(1, 0, 1) }), never);
    await sink.send(partOf([stepRow()], { settled: Uint8Array.of(1), seq: 2 }), never);
    expect(await engine.ask(`SELECT _i FROM ${database}.steps`)).toEqual([{ _i: 1 }]);
  });

  test('compressed requests store the same', async () => {
    for (const compression of ['gzip', 'br'] as const) {
      const { sink, database } = await engine.fresh({ compression });
      await sink.send(partOf([stepRow(), stepRow()]), never);
      expect(await engine.ask(`SELECT toUInt32(count()) AS n FROM ${database}.steps`)).toEqual([{ n: 2 }]);
    }
  });
});

describe('a part that is sent again', () => {
  test('is stored once, also after the server was killed', async () => {
    const { sink, database } = await engine.fresh();
    const part = partOf([stepRow({ wall_time_s: 2 }), stepRow({ wall_time_s: 3 })], { in_doubt: true });
    await sink.send(part, never);
    await sink.send(part, never);
    await engine.server.kill();
    const down = await failure(sink.send(part, never));
    expect(down).toMatchObject({ failure: 'retry' });
    await engine.server.restart();
    await sink.send(part, never);
    expect(await engine.ask(`SELECT toUInt32(count()) AS n, sum(wall_time_s) AS s FROM ${database}.steps`)).toEqual([
      { n: 2, s: 5 },
    ]);
  });

  test('control: with another token it would be stored twice', async () => {
    const { sink, database } = await engine.fresh();
    const rows = [stepRow()];
    await sink.send(partOf(rows, { token: 'one' }), never);
    await sink.send(partOf(rows, { token: 'two' }), never);
    expect(await engine.ask(`SELECT toUInt32(count()) AS n FROM ${database}.steps`)).toEqual([{ n: 2 }]);
  });

  test('is stored once by the embedded engine too', async () => {
    const sink = engine.sinkOf({ path: engine.path, database: 'again' });
    await sink.open(never);
    await sink.send(partOf([stepRow()]), never);
    await sink.send(partOf([stepRow()]), never);
    const [connection] = await connect(
      { ...CLICKHOUSE_DEFAULTS, path: engine.path },
      { clock: systemClock, log: () => {} },
    );
    expect(await connection!.ask({ query: 'SELECT count() FROM again.steps FORMAT TSV' }, never)).toBe('1\n');
    await connection!.close();
  });
});

describe('a row that ClickHouse cannot take', () => {
  const CANARY = 'canary-4111 (while pushing to view default.x. (CANARYNAME)) (at row 9999) __exception__';
  const poison = [stepRow(), stepRow({ attributes: CANARY }), stepRow()];

  test('asks for the part to be split, stores nothing of it, and is not quoted', async () => {
    for (const options of [{}, { path: engine.path, urls: [], database: 'poison' }]) {
      const { sink } = await engine.fresh(options);
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
    const { database } = await engine.fresh();
    const row = `{"ts":"2026-02-19T10:31:12Z","attributes":"${CANARY}"}`;
    await expect(engine.server.query(`INSERT INTO ${database}.steps FORMAT JSONEachRow ${row}`)).rejects.toThrow(
      'CANARYNAME',
    );
  });

  test('leaves nothing of its part behind, so that the halves can be sent', async () => {
    const { sink, database } = await engine.fresh();
    await failure(sink.send(partOf(poison), never));
    expect(await engine.ask(`SELECT toUInt32(count()) AS n FROM ${database}.steps`)).toEqual([{ n: 0 }]);
  });

  test('which a materialized view cannot take holds instead: the rows are not at fault', async () => {
    const { sink, database } = await engine.fresh();
    await engine.server.query(`CREATE TABLE ${database}.target (t DateTime) ENGINE = MergeTree ORDER BY t`);
    await engine.server.query(
      `CREATE MATERIALIZED VIEW ${database}.mv TO ${database}.target AS SELECT parseDateTime(step_raw, '%Y') AS t FROM ${database}.steps`,
    );
    const error = await failure(sink.send(partOf([stepRow()]), never));
    expect(error).toMatchObject({ failure: 'hold', code: '41', in_doubt: true });
    expect(error.message).toContain('materialized view');
  });
});
