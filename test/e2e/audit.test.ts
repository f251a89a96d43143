import { fileURLToPath } from 'node:url';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startClickHouse, type ClickHouseServer } from '../support/clickhouse-server.ts';
import { ask, parsed, run, scratch, start, stepLine, until, type Ended, type Stored } from '../support/e2e.ts';
import { describeWithServer } from '../support/with-server.ts';

const NONE = ['--metrics', 'none'];
const IN_USE = expect.stringMatching(/in use by process \d+/) as string;
const RUNS = 3;
const ROWS = 40;
const input = (run_: number): string => `${stepLine({ execution_id: `run ${run_}` })}\n`.repeat(ROWS);

/** What an audit says, by --json: of each sink, and of each record that is not as it should be. */
async function audited(
  state: string,
  stores: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{
  ended: Ended;
  sinks: Stored[];
  records: Stored[];
}> {
  const ended = await start(['audit', '--json', '--state', state, ...stores], env).end();
  const said = parsed(ended.stdout);
  return {
    ended,
    sinks: said.filter(({ closed }) => closed !== undefined),
    records: said.filter(({ closed }) => closed === undefined),
  };
}

describe('an audit of ClickHouse', () => {
  let clickhouse: ClickHouseServer;
  let state: string;
  let env: Record<string, string>;
  let stores: string[];
  let record: Stored[];
  let number = 0;
  const sql = (query: string): Promise<string> =>
    ask(clickhouse.url, query, env['FLYTE_TELEMETRY_CLICKHOUSE_DATABASE']);
  const audit = (): ReturnType<typeof audited> => audited(state, stores, env);

  beforeAll(async () => {
    clickhouse = await startClickHouse();
  });
  afterAll(async () => {
    await clickhouse?.stop();
  });
  beforeEach(async () => {
    state = await scratch();
    env = { FLYTE_TELEMETRY_CLICKHOUSE_DATABASE: `audit_${++number}` };
    stores = ['--clickhouse', clickhouse.url];
    for (let n = 0; n < RUNS; n++) await run(['--state', state, ...stores, ...NONE], { input: input(n), env });
    record = parsed(
      await sql(
        'SELECT toString(_day) AS day, _src AS src, toUInt32(_seq) AS seq, toUInt32(count()) AS rows FROM steps GROUP BY ALL ORDER BY seq FORMAT JSONEachRow',
      ),
    );
  });

  const remove = async ({ seq }: Stored, i = 0): Promise<string> =>
    sql(`ALTER TABLE steps DELETE WHERE _seq = ${String(seq)} AND _i = ${i} SETTINGS mutations_sync = 2`);
  const repeat = async ({ seq }: Stored, i = 0): Promise<string> =>
    sql(
      `INSERT INTO steps SETTINGS insert_deduplication_token = 'another' SELECT * FROM steps WHERE _seq = ${String(seq)} AND _i = ${i}`,
    );

  test('is closed when every row is there once, and says how many', async () => {
    const { ended, sinks, records } = await audit();
    expect([ended.code, records]).toEqual([0, []]);
    expect(sinks).toMatchObject([
      { sink: 'clickhouse', closed: true, rows: RUNS * ROWS, accepted: RUNS * ROWS, missing: 0, duplicates: 0 },
    ]);
    const { stdout } = await start(['audit', '--state', state, ...stores], env).end();
    expect(stdout).toMatch(/^sink +records +rows +missing +duplicates +result\nclickhouse +\d+ +120 +0 +0 +closed\n$/);
  });

  test('names the record of a row that was deleted, and that of a row that is there twice', async () => {
    const [first, , last] = record;
    await remove(first!, 3);
    await repeat(last!, 5);
    const { ended, sinks, records } = await audit();
    expect(ended.code).toBe(1);
    expect(sinks).toMatchObject([{ closed: false, differing: 2, missing: 1, duplicates: 1 }]);
    const rows = Number(first!['rows']);
    const more = Number(last!['rows']);
    expect(records).toEqual([
      { sink: 'clickhouse', table: 'steps', ...first, stored: rows - 1, distinct: rows - 1 },
      { sink: 'clickhouse', table: 'steps', ...last, stored: more + 1, distinct: more },
    ]);
    const { code, stdout } = await start(['audit', '--state', state, ...stores], env).end();
    expect(code).toBe(1);
    expect(stdout).toContain('OPEN');
    for (const { src, seq } of [first!, last!]) expect(stdout).toMatch(new RegExp(`${String(src)} +${String(seq)} `));
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  test('is open too when one record has lost a row and has another twice', async () => {
    const [, middle] = record;
    await remove(middle!, 0);
    await repeat(middle!, 1);
    const { ended, records } = await audit();
    const rows = Number(middle!['rows']);
    expect([ended.code, records]).toEqual([
      1,
      [{ sink: 'clickhouse', table: 'steps', ...middle, stored: rows, distinct: rows - 1 }],
    ]);
  });

  test('is open when a row is deleted with a lightweight DELETE, and when a whole record is gone', async () => {
    const [first, middle] = record;
    await sql(`DELETE FROM steps WHERE _seq = ${String(first!['seq'])} AND _i = 0`);
    await sql(`ALTER TABLE steps DELETE WHERE _seq = ${String(middle!['seq'])} SETTINGS mutations_sync = 2`);
    const { ended, records } = await audit();
    expect([ended.code, records]).toMatchObject([
      1,
      [
        { ...first, stored: Number(first!['rows']) - 1 },
        { ...middle, stored: 0, distinct: 0 },
      ],
    ]);
  });

  test('is closed again and again while a run goes on', async () => {
    const running = start(['--state', state, ...stores, ...NONE], env);
    const written = new AbortController();
    const load = (async () => {
      while (!written.signal.aborted) await running.write(input(9));
    })();
    for (let n = 0; n < 4; n++) {
      const { ended, sinks, records } = await audit();
      expect({ ...ended, records }).toMatchObject({ code: 0, records: [] });
      expect(Number(sinks[0]!['rows'])).toBeGreaterThanOrEqual(RUNS * ROWS);
    }
    written.abort();
    await load;
    expect((await running.end()).code).toBe(0);
    const { ended, sinks } = await audit();
    expect([ended.code, sinks[0]!['rows']]).toEqual([0, Number(await sql('SELECT count() FROM steps'))]);
    expect(Number(sinks[0]!['rows'])).toBeGreaterThan(RUNS * ROWS);
  });

  test('knows the records of segments that were removed long ago', async () => {
    const lines = `${stepLine({ execution_id: 'many' })}\n`.repeat(60_000);
    await run(['--state', state, ...stores, '--spool-bytes', '8m', ...NONE], { input: lines, env });
    const names = await readdir(join(state, 'spool'));
    expect(names.filter((name) => name.endsWith('.seg'))).toHaveLength(2);
    expect(names.filter((name) => name.endsWith('.idx')).length).toBeGreaterThan(5);
    const sound = await audit();
    expect([sound.ended.code, sound.sinks]).toMatchObject([0, [{ rows: RUNS * ROWS + 60_000 }]]);
    const [first] = record;
    await remove(first!);
    const { ended, records } = await audit();
    expect([ended.code, records]).toMatchObject([1, [{ seq: first!['seq'] }]]);
  });
});

test.each([
  ['the embedded store', {}, 'clickhouse', { code: 2, stderr: IN_USE }],
  [
    'files',
    { NODE_OPTIONS: `--import=${fileURLToPath(new URL('../cli/without-chdb.mjs', import.meta.url))}` },
    'files',
    { code: 0 },
  ],
] as const)('an audit of %s is closed after the run, and open when a row is gone', async (_, env, sink, meanwhile) => {
  const state = await scratch();
  const running = start(['--state', state, ...NONE], env);
  await running.write(input(0));
  const ready = async (): Promise<boolean> => running.stderr().includes(`${sink} is ready`);
  await until(ready, () => running.stderr());
  // The embedded engine is the run's alone; files can be read meanwhile.
  let during = await audited(state, [], env);
  const answered = async (): Promise<boolean> => {
    during = await audited(state, [], env);
    return during.ended.code === meanwhile.code && (meanwhile.code !== 0 || during.sinks[0]?.['rows'] === ROWS);
  };
  await until(answered, () => during.ended.stderr + running.stderr());
  expect(during.ended).toMatchObject(meanwhile);
  expect((await running.end()).code).toBe(0);

  const { ended, sinks } = await audited(state, [], env);
  expect([ended.code, sinks]).toMatchObject([0, [{ sink, closed: true, rows: ROWS, missing: 0 }]]);

  if (sink === 'files') {
    const path = join(state, 'ndjson', 'steps-000001.ndjson');
    await writeFile(path, (await readFile(path, 'utf8')).split('\n').slice(1).join('\n'));
  } else {
    const gone = 'ALTER TABLE steps DELETE WHERE _i = 0 SETTINGS mutations_sync = 2';
    await run(['query', '--state', state, gone]);
  }
  const open = await audited(state, [], env);
  expect([open.ended.code, open.sinks]).toMatchObject([1, [{ sink, closed: false, missing: 1 }]]);
});

test('an audit where nothing is says what to do', async () => {
  const state = await scratch();
  const { ended } = await audited(state, [], {});
  expect([ended.code, ended.stderr]).toEqual([2, `steptap: --state ${state}: there is no spool; a run makes one\n`]);
});

for (const kind of ['opensearch', 'elasticsearch'] as const) {
  describeWithServer(kind, (server) => {
    test('an audit names the record of a document that was deleted, and that of one that is in another index too', async () => {
      const state = await scratch();
      const stores = ['--elasticsearch', server().url, '--elasticsearch-prefix', 'audited'];
      for (let n = 0; n < RUNS; n++) await run(['--state', state, ...stores, ...NONE], { input: input(n) });
      const sound = await audited(state, stores, {});
      expect([sound.ended.code, sound.sinks]).toMatchObject([0, [{ sink: 'elasticsearch', rows: RUNS * ROWS }]]);

      const ask_ = async (method: string, path: string, body?: unknown): Promise<Stored> => {
        const headers = { 'content-type': 'application/json' };
        const init = body === undefined ? {} : { body: JSON.stringify(body) };
        return (await (await fetch(`${server().url}/${path}`, { method, headers, ...init })).json()) as Stored;
      };
      await ask_('POST', 'audited-steps-*/_refresh');
      const found = (await ask_('GET', 'audited-steps-*/_search?size=1000&sort=_seq,_i')) as {
        hits: { hits: { _id: string; _index: string; _source: Stored }[] };
      };
      const [first, last] = [found.hits.hits[0]!, found.hits.hits.at(-1)!];
      await ask_('DELETE', `${first._index}/_doc/${first._id}`);
      await ask_('PUT', `${last._index.replace(/\d\d$/, '01')}-copy/_create/${last._id}`, last._source);
      const { ended, sinks, records } = await audited(state, stores, {});
      expect([ended.code, sinks]).toMatchObject([1, [{ differing: 2, missing: 1, duplicates: 1 }]]);
      expect(records).toMatchObject([{ seq: first._source['_seq'] }, { seq: last._source['_seq'] }]);
      const [gone, twice] = records;
      expect(Number(gone!['rows']) - Number(gone!['stored'])).toBe(1);
      expect([Number(twice!['stored']) - Number(twice!['rows']), twice!['distinct']]).toEqual([1, twice!['rows']]);
    });
  });
}
