import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { openEmbedded } from '../../../src/sinks/clickhouse/embedded.ts';
import type { Sink } from '../../../src/sinks/sink.ts';
import { partOfRecords } from '../parts.ts';
import { failure, never, useClickHouse } from './engine.ts';
import { frontOf, refuse } from './front.ts';

const engine = useClickHouse();
const PART = partOfRecords([
  [7, 2],
  [8, 2],
]);

/** What an INSERT that somebody left behind came to, once it has ended. */
interface Left {
  readonly ended: Promise<string>;
}

/** An INSERT into `steps` that takes 0.2 seconds a row, by somebody who does not wait for it; resolves when it runs. */
async function leaveBehind(database: string, query_id: string, count = 10): Promise<Left> {
  const rows = `toString(sleepEachRow(0.2)), '2026-11-21', 'spool0-epoch0', 7, number FROM numbers(${count})`;
  const query = `INSERT INTO ${database}.steps (step, _day, _src, _seq, _i) SELECT ${rows} SETTINGS max_block_size = 1`;
  const url = `${engine.server.url}/?query_id=${encodeURIComponent(query_id)}`;
  const ended = fetch(url, { method: 'POST', body: query }).then((answer) => answer.text());
  await vi.waitFor(async () => expect(await running()).toContain(query_id), 5_000);
  return { ended };
}

/** Ids of the INSERTs that run. */
async function running(): Promise<unknown[]> {
  const rows = await engine.ask("SELECT query_id FROM system.processes WHERE query LIKE 'INSERT%'");
  return rows.map(({ query_id }) => query_id);
}

async function copies(sink: Sink): Promise<number[]> {
  return [...(await sink.find!(PART, never)).copies];
}

/** Makes every INSERT into `steps` take 0.7 seconds a row. */
const slowly = (database: string): string[] => [
  `CREATE TABLE ${database}.slow (n UInt8) ENGINE = MergeTree ORDER BY n`,
  `CREATE MATERIALIZED VIEW ${database}.mv TO ${database}.slow AS SELECT sleepEachRow(0.7) AS n FROM ${database}.steps`,
];

test('an INSERT that a killed process left behind has ended before rows are counted, and stores nothing afterwards', async () => {
  const { sink, database } = await engine.fresh();
  const left = await leaveBehind(database, 'steptap:steps:spool0-epoch9-7-8:1a2b');
  expect(await copies(sink)).toEqual([0, 0, 0, 0]);
  expect(await running()).toEqual([]);
  expect(await left.ended).toContain('QUERY_WAS_CANCELLED');
  expect(engine.told.at(-1)).toContain('ending an INSERT of an earlier try');
  await sleep(200);
  expect(await copies(sink)).toEqual([0, 0, 0, 0]);
});

test('control: a question alone comes too early', async () => {
  const { database } = await engine.fresh();
  const left = await leaveBehind(database, 'steptap:steps:spool0-epoch9-7-8:1a2b');
  const count = (): Promise<string> => engine.server.query(`SELECT count() FROM ${database}.steps`);
  expect(await count()).toBe('0\n');
  await left.ended;
  expect(await count()).toBe('10\n');
});

test('INSERTs of other spools, of other tables and of other people go on', async () => {
  const { sink, database } = await engine.fresh();
  const ids = ['steptap:steps:spool1-epoch0-7-8:1a', 'steptap:logs:spool0-epoch0-7-8:1a', 'steptap:steps:spool0', 'x'];
  const left = await Promise.all(ids.map((id) => leaveBehind(database, id)));
  await copies(sink);
  for (const { ended } of left) expect(await ended).toBe('');
});

test('a send that took too long is ended, and what it stored is known', async () => {
  const { sink, database } = await engine.fresh();
  for (const statement of slowly(database)) await engine.server.query(statement);
  const hasty = await engine.fresh({ database, timeout_ms: 1_200 });
  expect(await failure(hasty.sink.send(PART, never))).toMatchObject({ code: 'TIMEOUT', in_doubt: true });
  expect(await running()).toHaveLength(1);
  const first = await copies(sink);
  expect(await running()).toEqual([]);
  expect(new Set(first).size).toBe(1);
  await engine.server.query(`DROP TABLE ${database}.mv`);
  if (first[0] === 0) await sink.send(PART, never);
  expect(await copies(sink)).toEqual([1, 1, 1, 1]);
});

test('where a proxy gives queries ids of its own, an INSERT is known by its token', async () => {
  const { sink, database } = await engine.fresh();
  for (const statement of slowly(database)) await engine.server.query(statement);
  const front = await frontOf(engine.server.url);
  front.instead = ({ url }) => {
    url.searchParams.set('query_id', `proxy-${url.searchParams.get('query_id')}`);
  };
  const hasty = await engine.fresh({ urls: [front.url], database, timeout_ms: 1_200 });
  await failure(hasty.sink.send(PART, never));
  expect(await running()).toEqual([expect.stringMatching(/^proxy-steptap:steps:/)]);
  await copies(sink);
  expect(await running()).toEqual([]);
});

test('an INSERT that may not be ended is waited for', async () => {
  const { database } = await engine.fresh();
  const front = await frontOf(engine.server.url);
  front.instead = ({ query }, response) =>
    query.startsWith('KILL') ? refuse(response, 497, 'Not enough privileges') : undefined;
  const { sink } = await engine.fresh({ urls: [front.url], database });
  const left = await leaveBehind(database, 'steptap:steps:spool0-epoch9-7-8:1a2b');
  expect(await copies(sink)).toEqual([1, 1, 0, 0]);
  expect(await left.ended).toBe('');
  expect(engine.told.at(-1)).toContain('it may not be ended, so it is waited for');
  const hasty = await engine.fresh({ urls: [front.url], database, timeout_ms: 1_200 });
  await leaveBehind(database, 'steptap:steps:spool0-epoch9-7-8:3c4d', 20);
  const error = await failure(hasty.sink.find!(PART, never));
  expect(error).toMatchObject({ failure: 'retry', code: 'STILL_RUNNING' });
  await vi.waitFor(async () => expect(await running()).toEqual([]), 5_000);
});

test('a user who may not see what runs is told which right is missing, and nothing is counted', async () => {
  const front = await frontOf(engine.server.url);
  front.instead = ({ query }, response) =>
    query.includes('system.processes') ? refuse(response, 497, 'Not enough privileges') : undefined;
  const { sink } = await engine.fresh({ urls: [front.url] });
  const error = await failure(sink.find!(PART, never));
  expect(error).toMatchObject({ failure: 'hold', code: '497' });
  expect(error.message).toContain('GRANT SELECT ON system.processes');
});

test('of several addresses, one at which nothing listens runs nothing', async () => {
  const { sink, database } = await engine.fresh();
  await sink.send(PART, never);
  const two = await engine.fresh({ urls: [engine.server.url, 'http://127.0.0.1:1'], database });
  const left = await leaveBehind(database, 'steptap:steps:spool0-epoch9-7-8:1a2b');
  expect(await copies(two.sink)).toEqual([1, 1, 1, 1]);
  expect(await left.ended).toContain('QUERY_WAS_CANCELLED');
});

test('one that does not answer is waited for, but not where replicas keep the tokens', async () => {
  const { sink, database } = await engine.fresh();
  await sink.send(PART, never);
  const front = await frontOf(engine.server.url);
  const silent = await frontOf(engine.server.url);
  silent.instead = () => true;
  const two = await engine.fresh({ urls: [front.url, silent.url], database, timeout_ms: 1_200 });
  expect(await failure(two.sink.find!(PART, never))).toMatchObject({ failure: 'retry', code: 'TIMEOUT' });
  // The engine here has no Keeper: what it says of its table is replaced.
  front.change = ({ query }, answer) =>
    answer.replace('MergeTree', query.includes('engine') ? 'ReplicatedMergeTree' : '');
  expect(await two.sink.find!(PART, never)).toEqual({ copies: Uint8Array.of(1, 1, 1, 1), lags: true });
});

test('in the embedded engine, an INSERT that nobody waits for any more is waited for', async () => {
  const { sink } = await engine.fresh({ urls: [], path: engine.path, database: 'slowly' });
  const embedded = await openEmbedded(engine.path);
  for (const statement of slowly('slowly')) await embedded.query(statement);
  await embedded.close();
  const hasty = await engine.fresh({ urls: [], path: engine.path, database: 'slowly', timeout_ms: 1_200 });
  expect(await failure(hasty.sink.send(PART, never))).toMatchObject({ code: 'TIMEOUT' });
  expect(await failure(hasty.sink.find!(PART, never))).toMatchObject({ failure: 'retry', code: 'TIMEOUT' });
  const stopping = new AbortController();
  stopping.abort();
  expect(await failure(sink.find!(PART, stopping.signal))).toMatchObject({ failure: 'retry', code: 'ABORTED' });
  expect(await copies(sink)).toEqual([1, 1, 1, 1]);
});
