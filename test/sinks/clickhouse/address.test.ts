import { describe, expect, test } from 'vitest';
import { startClickHouse } from '../../support/clickhouse-server.ts';
import { partOf, stepRow } from '../../support/rows.ts';
import { failure, never, useClickHouse } from './engine.ts';

const engine = useClickHouse();

describe('who may write', () => {
  test('a wrong password holds and is not repeated; one in the address is used', async () => {
    const guarded = await startClickHouse({ password: 'right-4111' });
    try {
      const url = guarded.url;
      const error = await failure(engine.sinkOf({ urls: [url], password: 'wrong-4111' }).open(never));
      expect(error).toMatchObject({ failure: 'hold', code: '516', in_doubt: false });
      expect(error.message).not.toContain('4111');
      const sink = engine.sinkOf({ urls: [url.replace('//', '//default:right-4111@')], password: 'wrong-4111' });
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
  const error = await failure(engine.sinkOf({ path: engine.server.path }).open(never));
  expect(error).toMatchObject({ failure: 'hold', code: 'CHDB_CONNECTION' });
  expect(error.message).toContain('in use by another process');
});

describe('several addresses', () => {
  test('the next one is used at once when the first cannot be reached', async () => {
    const database = engine.unused();
    const sink = engine.sinkOf({ urls: ['http://127.0.0.1:1', engine.server.url], database });
    engine.told.length = 0;
    await sink.open(never);
    expect(engine.told[0]).toMatch(/ECONNREFUSED.*going on with/);
    await sink.send(partOf([stepRow()]), never);
    expect(await engine.ask(`SELECT toUInt32(count()) AS n FROM ${database}.steps`)).toEqual([{ n: 1 }]);
    expect(sink.describe()).toContain(`at ${engine.server.url} and 1 more`);
  });
});
