import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startClickHouse, type ClickHouseServer } from '../support/clickhouse-server.ts';
import {
  ask,
  askEmbedded,
  clickhouseRows,
  contents,
  deadLetters,
  parsed,
  run,
  scratch,
  searchRows,
  type Stored,
} from '../support/e2e.ts';
import { describeWithServer } from '../support/with-server.ts';

const FIXTURE = fileURLToPath(new URL('../fixtures/flyte-samples.log', import.meta.url));
const INPUT = ['--input', FIXTURE, '--metrics', 'none'];

/** The example in the documentation of flytekit's telemetry, as it is written to ClickHouse. */
const EXAMPLE =
  '{"event": "flytekit_step", "step": "execute_user_code", "wall_time_s": 1.234, "process_time_s": 0.89, "status": "success", ' +
  '"task_name": "my_task", "execution_id": "f12abc", "project": "ml", "domain": "production", "timestamp": "2025-02-12 10:30:45.123"}';

describe('one log in every store', () => {
  let clickhouse: ClickHouseServer;
  let embedded: string;

  beforeAll(async () => {
    clickhouse = await startClickHouse();
    embedded = await scratch();
    await run([...INPUT, '--state', embedded]);
  });
  afterAll(async () => {
    await clickhouse?.stop();
  });

  const inEmbedded = (sql: string): Promise<string> => askEmbedded(embedded, sql);

  test('the embedded store has the steps, the logs and the errors of a log, and answers questions about them', async () => {
    const [counts] = parsed(
      await inEmbedded(`SELECT count() AS steps, countIf(status = 'error') AS failed, uniqExact(_seq, _i) AS distinct,
        (SELECT count() FROM logs) > 0 AS logs, (SELECT groupArray(root_error_type) FROM events) AS errors FROM steps`),
    );
    expect(counts).toEqual({ steps: 39, failed: 3, distinct: 39, logs: 1, errors: ['ValueError', 'ValueError'] });
  });

  test('what cannot be a step is a dead letter, with its reason, its place and its bytes', () => {
    const letters = deadLetters(embedded).map(({ reason, source, offset, lines, raw }) => [
      reason,
      source,
      offset,
      lines,
      String(raw).slice(0, 60),
    ]);
    expect(letters).toEqual([
      ['schema', FIXTURE, 13_150, 1, '{"event": "flytekit_step", "step": "", "wall_time_s": "1.2",'],
      ['json_syntax', FIXTURE, 13_227, 1, '{"asctime": "2026-02-19 10:31:12,640", "name": "flytekit.tel'],
    ]);
  });

  test('rows that went to a server over HTTP are those of the embedded store', async () => {
    const env = { FLYTE_TELEMETRY_CLICKHOUSE_DATABASE: 'alone' };
    await run([...INPUT, '--state', await scratch(), '--clickhouse', clickhouse.url], { env });
    const rows = await clickhouseRows((sql) => ask(clickhouse.url, sql, 'alone'));
    expect(contents(rows)).toEqual(contents(await clickhouseRows(inEmbedded)));
  });

  test("the view flytekit_telemetry has flytekit's own columns and values", async () => {
    const state = await scratch();
    await run(['--metrics', 'none', '--state', state], { input: `${EXAMPLE}\n` });
    const [row] = parsed(await askEmbedded(state, 'SELECT * FROM flytekit_telemetry'));
    const written = JSON.parse(EXAMPLE) as Stored;
    expect(row).toEqual({ ...written, error_type: '', params: '', timestamp: '2025-02-12 10:30:45.123000' });

    const columns = parsed(await inEmbedded('DESCRIBE flytekit_telemetry')).map(({ name }) => name);
    const own =
      'event step wall_time_s process_time_s status error_type execution_id task_name project domain timestamp params';
    expect(columns).toEqual(own.split(' '));
    const failed = await inEmbedded(
      "SELECT step, error_type, execution_id, task_name, params FROM flytekit_telemetry WHERE status = 'error' ORDER BY timestamp, step",
    );
    expect(parsed(failed)).toEqual([
      {
        step: 'Execute user level code',
        error_type: 'FlyteUserRuntimeException',
        execution_id: 'f1c0b5a2e93d4c7f8a61',
        task_name: 'workflows.train.fit',
        params: '{"x":"[redacted]"}',
      },
      {
        step: 'task_dispatch_execute',
        error_type: 'FlyteUserRuntimeException',
        execution_id: 'f1c0b5a2e93d4c7f8a61',
        task_name: 'workflows.train.fit',
        params: '',
      },
      {
        step: 'load_task',
        error_type: 'ModuleNotFoundError',
        execution_id: 'a9vprh4xgk8q7n2txzbj',
        task_name: 'workflows.train.fit',
        params: '',
      },
    ]);
  });

  for (const kind of ['opensearch', 'elasticsearch'] as const) {
    describeWithServer(kind, (server) => {
      test('rows that went to ClickHouse and to the index in one run are the same, field by field', async () => {
        const args = [
          ...INPUT,
          '--params',
          'epochs,lr',
          '--set',
          'namespace=ml-production',
          '--state',
          await scratch(),
        ];
        const to = ['--clickhouse', clickhouse.url, '--elasticsearch', server().url];
        const env = { FLYTE_TELEMETRY_CLICKHOUSE_DATABASE: kind };
        await run([...args, ...to], { env });
        const rows = await clickhouseRows((sql) => ask(clickhouse.url, sql, kind));
        expect(rows.filter(({ table }) => table === 'steps')).toHaveLength(39);
        expect(rows.filter(({ params }) => params !== undefined)).not.toHaveLength(0);
        expect(await searchRows(server().url, 'steptap')).toEqual(rows);
      });

      test('rows in the index are those of the embedded store', async () => {
        const args = [...INPUT, '--state', await scratch(), '--elasticsearch-prefix', 'alone'];
        await run([...args, '--elasticsearch', server().url]);
        const rows = await searchRows(server().url, 'alone');
        expect(contents(rows)).toEqual(contents(await clickhouseRows(inEmbedded)));
      });
    });
  }
});
