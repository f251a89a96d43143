import { expect, test } from 'vitest';
import { EVENT_TABLES } from '../../../src/fields.ts';
import type { CheckItem } from '../../../src/check/item.ts';
import { lackedIn, lackedRights } from '../../../src/sinks/clickhouse/rights.ts';
import { SinkError } from '../../../src/sinks/sink.ts';
import { never, useClickHouse } from './engine.ts';

const engine = useClickHouse();

async function found(options: Parameters<typeof engine.sinkOf>[0]): Promise<readonly CheckItem[]> {
  return engine.sinkOf({ urls: [engine.server.url], ...options }).check!(never);
}

const words = (items: readonly CheckItem[]): string[] =>
  items.map(({ what, where, state, found: text }) => `${state}: ${what} ${where}: ${text}`);

async function names(): Promise<unknown[]> {
  const there = await engine.ask(
    "SELECT database, name FROM system.tables WHERE database NOT IN ('system') ORDER BY 1, 2",
  );
  return [there, await engine.ask('SELECT name FROM system.databases ORDER BY 1')];
}

test('a new database is made by a run and not by looking', async () => {
  const database = engine.unused();
  const before = await names();
  const items = await found({ database });
  expect(words(items).slice(1)).toEqual([
    `ok: database ${database}: is not there yet; a run makes it`,
    ...EVENT_TABLES.map((table) => `ok: table ${database}.${table}: is not there yet; a run makes it`),
    'ok: rights user default: may SELECT, INSERT, CREATE DATABASE, CREATE TABLE',
  ]);
  expect(words(items)[0]).toMatch(/^ok: server http:\/\/127\.0\.0\.1:\d+: ClickHouse 26\.\d/);
  expect(await names()).toEqual(before);
});

test('the statements that it gives are those that a run needs: after them all is as it should be', async () => {
  const database = engine.unused();
  const lacking = await found({ database, create: 'never' });
  expect(lacking.filter(({ state }) => state === 'problem')).toHaveLength(1 + EVENT_TABLES.length);
  for (const statement of lacking.flatMap(({ statements = [] }) => statements)) await engine.server.query(statement);
  const items = await found({ database, create: 'never' });
  expect(items.every(({ state }) => state === 'ok')).toBe(true);
  await engine.sinkOf({ urls: [engine.server.url], database, create: 'never' }).open(never);
});

test('tables that a run has made are as they should be', async () => {
  const { database } = await engine.fresh();
  expect(words(await found({ database })).slice(1)).toEqual([
    ...EVENT_TABLES.map((table) => `ok: table ${database}.${table}: is there, as it should be`),
    'ok: rights user default: may SELECT, INSERT',
  ]);
});

test('a table that differs is told of with its differences, and stays as it is', async () => {
  const { database } = await engine.fresh();
  await engine.server.query(`ALTER TABLE ${database}.steps DROP COLUMN status, DROP COLUMN step_raw`);
  await engine.server.query(`ALTER TABLE ${database}.logs RESET SETTING non_replicated_deduplication_window`);
  await engine.server.query(`DROP TABLE ${database}.events`);
  await engine.server.query(`CREATE TABLE ${database}.events (_day Date) ENGINE = Memory`);
  const columns = (): Promise<Record<string, unknown>[]> =>
    engine.ask(
      `SELECT table, count() AS n FROM system.columns WHERE database = '${database}' GROUP BY table ORDER BY table`,
    );
  const before = await columns();
  expect(words(await found({ database })).slice(1, 4)).toEqual([
    `warning: table ${database}.steps: lacks columns step_raw, status; a run adds that`,
    `warning: table ${database}.logs: lacks the deduplication window; a run adds that`,
    expect.stringMatching(/^problem: table d\d+\.events: has the engine Memory, which cannot tell a repeated insert/),
  ]);
  const never_ = await found({ database, create: 'never' });
  expect(never_.find(({ where }) => where.endsWith('.logs'))).toMatchObject({
    state: 'problem',
    statements: [`ALTER TABLE \`${database}\`.\`logs\` MODIFY SETTING non_replicated_deduplication_window = 10000`],
  });
  expect(await columns()).toEqual(before);
});

test("flytekit's own table is looked for in its database, which a run does not make", async () => {
  const database = engine.unused();
  const [, lacking] = await found({ database, table: 'telemetry' });
  expect(lacking).toMatchObject({
    state: 'problem',
    found: `the database ${database} is not there, and is not made for \`table\``,
  });
  await engine.server.query(`CREATE DATABASE ${database}`);
  expect(words(await found({ database, table: 'telemetry' })).slice(1)).toEqual([
    `ok: table ${database}.telemetry: is not there yet; a run makes it`,
    'ok: rights user default: may INSERT, CREATE TABLE',
  ]);
});

const RIGHTS = [
  { right: 'INSERT', database: 'd', table: 'steps' },
  { right: 'ALTER ADD COLUMN', database: 'd', table: 'steps' },
];

test('the engine tells what its user may, in both ways', async () => {
  const asked: string[] = [];
  let knows = true;
  const run = async (query: string): Promise<string> => {
    asked.push(query);
    if (!knows && query.startsWith('CHECK')) throw new SinkError('hold', '62', 'a syntax error');
    return engine.server.query(query);
  };
  expect(await lackedRights(run, RIGHTS)).toEqual([]);
  expect(asked).toEqual(['CHECK GRANT INSERT ON `d`.`steps`', 'CHECK GRANT ALTER ADD COLUMN ON `d`.`steps`']);
  knows = false;
  expect(await lackedRights(run, RIGHTS)).toEqual([]);
  expect(asked.at(-1)).toBe('SHOW GRANTS FORMAT TSVRaw');
});

test.each([
  ['all of it', ['GRANT ALL ON *.* TO ada WITH GRANT OPTION'], []],
  ['the database', ['GRANT SELECT, INSERT, ALTER ON d.* TO ada'], []],
  ['the table', ['GRANT INSERT, ALTER COLUMN ON `d`.`steps` TO ada'], []],
  ['less', ['GRANT SELECT, INSERT ON d.steps TO ada'], [RIGHTS[1]]],
  ['another database', ['GRANT ALL ON e.* TO ada'], RIGHTS],
  ['some columns', ['GRANT INSERT(a, b), ALTER ON d.steps TO ada'], [RIGHTS[0]]],
  ['nothing', [], RIGHTS],
  ['all, and a role', ['GRANT INSERT, ALTER ON d.* TO ada', 'GRANT writer TO ada'], []],
  ['a role', ['GRANT writer TO ada'], undefined],
  ['a prefix', ['GRANT INSERT, ALTER ON d*.* TO ada'], undefined],
  ['all but a part', ['GRANT ALL ON *.* TO ada', 'REVOKE INSERT ON d.steps FROM ada'], undefined],
])('of grants as they are shown, %s gives what it gives and no more', (_, grants, lacked) => {
  expect(lackedIn(grants, RIGHTS)).toEqual(lacked);
});

test('a server that answers neither is not believed to allow or to forbid anything', async () => {
  const run = async (): Promise<string> => {
    throw new SinkError('hold', '497', 'not allowed');
  };
  expect(await lackedRights(run, RIGHTS)).toBe(undefined);
});
