import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EVENT_TABLES } from '../../src/fields.ts';
import { startClickHouse, type ClickHouseServer } from '../support/clickhouse-server.ts';
import { ask, clickhouseRows, run, scratch } from '../support/e2e.ts';

const FIXTURE = fileURLToPath(new URL('../fixtures/flyte-samples.log', import.meta.url));

let clickhouse: ClickHouseServer;
beforeAll(async () => {
  clickhouse = await startClickHouse();
});
afterAll(async () => {
  await clickhouse?.stop();
});

test('what spool export prints is, read into other tables, what the run has stored', async () => {
  const state = await scratch();
  const env = { FLYTE_TELEMETRY_CLICKHOUSE_DATABASE: 'stored' };
  const args = ['--input', FIXTURE, '--params', 'all', '--state', state, '--metrics', 'none'];
  await run([...args, '--clickhouse', clickhouse.url], { env });
  const again = { FLYTE_TELEMETRY_CLICKHOUSE_DATABASE: 'again' };
  await run(['ddl', '--apply', '--clickhouse', clickhouse.url], { env: again });
  for (const table of EVENT_TABLES) {
    const { stdout } = await run(['spool', 'export', '--state', state, '--table', table]);
    const query = encodeURIComponent(`INSERT INTO ${table} FORMAT JSONEachRow`);
    const url = `${clickhouse.url}/?database=again&date_time_input_format=best_effort&query=${query}`;
    const answer = await fetch(url, { method: 'POST', body: stdout });
    expect([answer.status, await answer.text()]).toEqual([200, '']);
  }
  const rows = await clickhouseRows((sql) => ask(clickhouse.url, sql, 'again'));
  expect(rows.length).toBeGreaterThan(40);
  expect(rows).toEqual(await clickhouseRows((sql) => ask(clickhouse.url, sql, 'stored')));
});
