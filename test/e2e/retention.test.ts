import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startClickHouse, type ClickHouseServer } from '../support/clickhouse-server.ts';
import { ask, parsed, run, sample, scratch, settled, start, stepLine, until, type Ended } from '../support/e2e.ts';
import { bringsRows, startProxy } from '../support/proxy.ts';
import { describeWithServer } from '../support/with-server.ts';

const NONE = ['--metrics', 'none'];
const CLOCK = `--import=${fileURLToPath(new URL('days-ago.mjs', import.meta.url))}`;

/** Steps of six years: one for each ten days. */
const YEARS = Array.from({ length: 219 }, (_, n) => {
  const at = new Date(Date.UTC(2019, 0, 1) + n * 10 * 86_400_000).toISOString();
  const asctime = `${at.slice(0, 10)} ${at.slice(11, 19)},000`;
  return `${stepLine({ execution_id: at.slice(0, 10), more: `"asctime": "${asctime}"` })}\n`;
});

describe('a backfill of old events', () => {
  let clickhouse: ClickHouseServer;
  beforeAll(async () => {
    clickhouse = await startClickHouse();
  });
  afterAll(async () => {
    await clickhouse?.stop();
  });

  async function prepared(database: string, ttl: string): Promise<Readonly<Record<string, string>>> {
    const env = { FLYTE_TELEMETRY_CLICKHOUSE_DATABASE: database };
    await run(['ddl', '--apply', '--clickhouse', clickhouse.url], { env });
    await ask(clickhouse.url, `ALTER TABLE steps MODIFY TTL ${ttl}`, database);
    return env;
  }

  const audit = (state: string, env: Readonly<Record<string, string>>, ...args: string[]): Promise<Ended> =>
    start(['audit', '--json', '--state', state, '--clickhouse', clickhouse.url, ...args], env).end();

  test('is kept whole by a table whose TTL counts from _day, and an audit is closed', async () => {
    const env = await prepared('by_day', '_day + INTERVAL 30 DAY');
    const state = await scratch();
    await run(['--state', state, '--clickhouse', clickhouse.url, ...NONE], { input: YEARS.join(''), env });
    await ask(clickhouse.url, 'OPTIMIZE TABLE steps FINAL', 'by_day');
    const years = 'SELECT count(), min(toYear(ts)), max(toYear(ts)), uniqExact(_day) FROM steps FORMAT TSV';
    expect(await ask(clickhouse.url, years, 'by_day')).toBe(`${YEARS.length}\t2019\t2024\t1\n`);
    const { code, stdout } = await audit(state, env);
    expect([code, parsed(stdout)]).toMatchObject([0, [{ closed: true, rows: YEARS.length, missing: 0 }]]);
  });

  test('ends where the TTL of the operator removes its rows at once, and an audit says which are missing', async () => {
    const env = await prepared('by_ts', 'toDateTime(ts) + INTERVAL 30 DAY');
    const state = await scratch();
    const proxy = await startProxy(() => clickhouse.url);
    // Whatever is inserted is merged, and with that gone, before the answer; and the answer is lost, so that it is looked for.
    let inserts = 0;
    proxy.after = async (passing) => {
      if (!bringsRows(passing)) return;
      inserts += 1;
      await ask(clickhouse.url, 'OPTIMIZE TABLE steps FINAL', 'by_ts');
    };
    proxy.deed = (passing) => (bringsRows(passing) && inserts === 0 ? 'cut' : 'pass');
    const young = stepLine({
      execution_id: 'now',
      more: `"asctime": "${new Date().toISOString().slice(0, 10)} 00:00:00,000"`,
    });
    const running = start(['--state', state, '--clickhouse', proxy.url, '--metrics', '127.0.0.1:0'], env);
    await running.write(`${YEARS.join('')}${young}\n`);
    let metrics = '';
    await until(
      async () => settled((metrics = await running.metrics())),
      () => metrics + running.stderr(),
    );
    const { code, stderr } = await running.end();
    await proxy.leave();
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(sample(metrics, 'steptap_sink_unconfirmed_rows_total', 'clickhouse')).toBe(YEARS.length);
    expect(stderr).toContain('is there a TTL or a row policy on the table?');
    // Lost, sent again under its token, and what is missing twice more under tokens of its own.
    expect(inserts).toBeLessThanOrEqual(4);
    expect(await ask(clickhouse.url, 'SELECT execution_id FROM steps', 'by_ts')).toBe('now\n');

    const { code: open, stdout } = await audit(state, env);
    const [total, ...records] = parsed(stdout);
    expect([open, total]).toMatchObject([1, { closed: false, missing: YEARS.length, duplicates: 0 }]);
    expect(records.reduce((sum, { rows, stored }) => sum + Number(rows) - Number(stored), 0)).toBe(YEARS.length);
  });

  test('what a retention has removed is left out of an audit that is told of it, and nothing else is', async () => {
    const env = await prepared('old_days', '_day + INTERVAL 1000 DAY');
    const state = await scratch();
    const args = ['--state', state, '--clickhouse', clickhouse.url, ...NONE];
    for (const [days, rows] of [
      ['40', 7],
      ['10', 5],
      ['0', 3],
    ] as const) {
      const then = { ...env, NODE_OPTIONS: CLOCK, STEPTAP_DAYS_AGO: days };
      await run(args, { input: `${stepLine({ execution_id: `${days} days ago` })}\n`.repeat(rows), env: then });
    }
    const days =
      "SELECT dateDiff('day', _day, today()) AS ago, count() FROM steps GROUP BY ago ORDER BY ago FORMAT TSV";
    expect(await ask(clickhouse.url, days, 'old_days')).toBe('0\t3\n10\t5\n40\t7\n');
    expect((await audit(state, env)).code).toBe(0);

    await ask(clickhouse.url, 'ALTER TABLE steps MODIFY TTL _day + INTERVAL 30 DAY', 'old_days');
    await ask(clickhouse.url, 'OPTIMIZE TABLE steps FINAL', 'old_days');
    expect(await ask(clickhouse.url, days, 'old_days')).toBe('0\t3\n10\t5\n');
    const all = await audit(state, env);
    expect([all.code, parsed(all.stdout)[0]]).toMatchObject([1, { closed: false, missing: 7 }]);
    const kept = await audit(state, env, '--retention', '30');
    expect([kept.code, parsed(kept.stdout)]).toMatchObject([0, [{ closed: true, rows: 8, missing: 0 }]]);
    expect(Number(parsed(kept.stdout)[0]!['records_outside'])).toBeGreaterThan(0);

    await ask(
      clickhouse.url,
      "ALTER TABLE steps DELETE WHERE execution_id = '10 days ago' SETTINGS mutations_sync = 2",
      'old_days',
    );
    const lost = await audit(state, env, '--retention', '30');
    expect([lost.code, parsed(lost.stdout)[0]]).toMatchObject([1, { missing: 5 }]);
    const told = await start(
      ['audit', '--state', state, '--clickhouse', clickhouse.url, '--retention', '5'],
      env,
    ).end();
    expect([told.code, told.stdout]).toEqual([
      0,
      expect.stringMatching(/\d+ records are older than that, and were left out/),
    ]);
  });
});

for (const kind of ['opensearch', 'elasticsearch'] as const) {
  describeWithServer(kind, (server) => {
    test('indices of old days that were deleted are left out of an audit that is told of it', async () => {
      const state = await scratch();
      const stores = ['--elasticsearch', server().url, '--elasticsearch-prefix', 'kept'];
      for (const [days, rows] of [
        ['40', 7],
        ['0', 3],
      ] as const) {
        const env = { NODE_OPTIONS: CLOCK, STEPTAP_DAYS_AGO: days };
        const args = ['--state', state, ...stores, ...NONE];
        await run(args, { input: `${stepLine({ execution_id: days })}\n`.repeat(rows), env });
      }
      const day = new Date(Date.now() - 40 * 86_400_000).toISOString().slice(0, 10).replaceAll('-', '.');
      expect((await fetch(`${server().url}/kept-steps-${day}`, { method: 'DELETE' })).status).toBe(200);
      const audit = (...args: string[]): Promise<Ended> =>
        start(['audit', '--json', '--state', state, ...stores, ...args]).end();
      expect(parsed((await audit()).stdout)[0]).toMatchObject({ closed: false, missing: 7 });
      const kept = await audit('--retention', '30');
      expect([kept.code, parsed(kept.stdout)]).toMatchObject([0, [{ closed: true, rows: 3 }]]);
    });
  });
}
