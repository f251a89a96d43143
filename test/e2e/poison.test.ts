import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startClickHouse, type ClickHouseServer } from '../support/clickhouse-server.ts';
import { ask, deadLetters, parsed, run, scratch, start, stepLine, type Ended, type Stored } from '../support/e2e.ts';
import { bringsRows, startProxy, type Proxy } from '../support/proxy.ts';
import { describeWithServer } from '../support/with-server.ts';

const ROWS = 10_000;
/** A request larger than this is refused by what stands in front of the stores. */
const LARGEST_BODY = 400_000;

/** What no dead letter may say of its row but in its bytes. */
const CANARY = 'canary-4711';

/** Rows that do not fit, by what refuses them. All others have an execution that is a number, and attributes that are. */
const POISON = {
  constraint: { task: `workflows.${'t'.repeat(60)}.${CANARY}`, execution_id: '900001', more: '"v": 1' },
  column: { execution_id: '900002', more: `"v": "${CANARY}"` },
  mapping: { execution_id: CANARY, more: '"v": 2' },
  large: { execution_id: '900003', more: `"v": 3, "blob": "${CANARY}${'9'.repeat(500_000)}"` },
} as const;

const INPUT = Array.from({ length: ROWS }, (_, n) => {
  const at = [1_234, 4_999, 5_000, 8_765].indexOf(n);
  const poison = Object.values(POISON)[at];
  return `${stepLine(poison ?? { execution_id: String(n), more: `"v": ${n}` })}\n`;
}).join('');

/** What an engine calls a value that its mapping does not take. */
const LETTERS = { opensearch: 'mapper_parsing_exception', elasticsearch: 'document_parsing_exception' };

for (const kind of ['opensearch', 'elasticsearch'] as const) {
  describeWithServer(kind, (server) => {
    describe(`rows that do not fit among ${ROWS} that do`, () => {
      let clickhouse: ClickHouseServer;
      let proxies: { clickhouse: Proxy; elasticsearch: Proxy };
      let state: string;

      const env = { FLYTE_TELEMETRY_CLICKHOUSE_DATABASE: 'poison' };
      const stores = (): string[] => [
        '--clickhouse',
        proxies.clickhouse.url,
        '--elasticsearch',
        proxies.elasticsearch.url,
        '--elasticsearch-prefix',
        'poison',
      ];
      const sql = (query: string): Promise<string> => ask(clickhouse.url, query, 'poison');
      const steptap = async (...args: string[]): Promise<Ended> => start([...args, '--state', state], env).end();
      const replay = (...args: string[]): Promise<Ended> => steptap('dead-letters', 'replay', ...stores(), ...args);
      const audit = async (): Promise<Stored[]> => {
        const { code, stdout, stderr } = await steptap('audit', '--json', ...stores());
        const results = parsed(stdout);
        expect({ code, results, stderr }).toMatchObject({ code: 0, results: [{ closed: true }, { closed: true }] });
        return results;
      };

      const search = async (method: string, path: string, body?: object): Promise<Stored> => {
        const init = body === undefined ? {} : { body: JSON.stringify(body) };
        const headers = { 'content-type': 'application/json' };
        const answer = await fetch(`${server().url}/${path}`, { method, headers, ...init });
        return (await answer.json()) as Stored;
      };
      /** How often a row is in each store. */
      const copies = async (execution_id: string): Promise<{ clickhouse: number; elasticsearch: number }> => {
        await search('POST', 'poison-steps-*/_refresh');
        // Not every execution is indexed, but each is in its document.
        const found = await search('POST', 'poison-steps-*/_search?size=10000', {
          query: { terms: { _seq: await seqs(execution_id) } },
          _source: ['execution_id'],
        });
        const { hits } = (found as { hits: { hits: { _source: Stored }[] } }).hits;
        return {
          clickhouse: Number(await sql(`SELECT count() FROM steps WHERE execution_id = '${execution_id}'`)),
          elasticsearch: hits.filter(({ _source }) => _source['execution_id'] === execution_id).length,
        };
      };
      const seqs = async (execution_id: string): Promise<number[]> => {
        const { stdout } = await steptap('spool', 'export');
        return parsed(stdout)
          .filter((row) => row['execution_id'] === execution_id)
          .map(({ _seq }) => Number(_seq));
      };

      beforeAll(async () => {
        clickhouse = await startClickHouse();
        proxies = {
          clickhouse: await startProxy(() => clickhouse.url),
          elasticsearch: await startProxy(() => server().url),
        };
        for (const proxy of Object.values(proxies)) {
          proxy.deed = (passing) =>
            bringsRows(passing) && passing.body.length > LARGEST_BODY ? { status: 413 } : 'pass';
        }
        state = await scratch();
        await run(['ddl', '--apply', '--clickhouse', clickhouse.url], { env });
        await sql('ALTER TABLE steps ADD CONSTRAINT short_task CHECK length(task) < 60');
        await sql('ALTER TABLE steps MODIFY COLUMN attributes Map(String, UInt32)');
        const properties = {
          '@timestamp': { type: 'date_nanos' },
          execution_id: { type: 'long' },
          _src: { type: 'keyword' },
          _seq: { type: 'long' },
          _i: { type: 'integer' },
        };
        await search('PUT', '_index_template/strict', {
          index_patterns: ['poison-steps-*'],
          priority: 900,
          template: { mappings: { dynamic: false, properties } },
        });
      });
      afterAll(async () => {
        for (const proxy of Object.values(proxies ?? {})) await proxy.leave();
        await clickhouse?.stop();
      });

      test('their neighbours are stored in every store, and each is a dead letter of the store that refused it, without its values', async () => {
        const args = ['--state', state, '--metrics', 'none', '--grace', '80'];
        const running = start([...stores(), ...args], env);
        await running.write(INPUT);
        const { code, stderr } = await running.end();
        expect({ code, stderr }).toMatchObject({ code: 0 });

        const letters = deadLetters(state);
        const refused = (sink: string): string[] =>
          letters.filter((letter) => letter['sink'] === sink).map(({ code: of }) => String(of));
        expect(refused('clickhouse').sort()).toEqual(['27', '469', 'HTTP 413']);
        expect(refused('elasticsearch').sort()).toEqual(['HTTP 413', LETTERS[kind]]);
        for (const { raw, detail, ...letter } of letters) {
          expect(String(raw)).toContain(CANARY);
          expect(detail).toEqual(expect.any(String));
          expect(JSON.stringify({ ...letter, detail })).not.toContain(CANARY);
          expect(letter).toMatchObject({ reason: 'sink', table: 'steps', row: expect.stringMatching(/-\d+-\d+$/) });
        }
        expect(stderr).not.toContain(CANARY);
        expect(Number(await sql('SELECT count() FROM steps'))).toBe(ROWS - 3);
        expect(Number(await sql('SELECT uniqExact(_src, _seq, _i) FROM steps'))).toBe(ROWS - 3);
        await search('POST', 'poison-steps-*/_refresh');
        expect(await search('GET', 'poison-steps-*/_count')).toMatchObject({ count: ROWS - 2 });
      });

      test('the audit is closed: what is a dead letter is not missed', async () => {
        const [clickhouse_, elasticsearch] = await audit();
        expect(clickhouse_).toMatchObject({ sink: 'clickhouse', rows: ROWS - 3, missing: 0, dead_lettered: 3 });
        expect(elasticsearch).toMatchObject({ sink: 'elasticsearch', rows: ROWS - 2, missing: 0, dead_lettered: 2 });
      });

      test('a replay before anything is mended stores nothing, and says why', async () => {
        const { code, stdout } = await replay('--sink', 'clickhouse', '--reason', '469');
        expect([code, stdout]).toEqual([
          1,
          'clickhouse: 0 of 1 row is stored\nclickhouse: 1 row is refused again, with code 469\n',
        ]);
        await audit();
      });

      test('when the table is mended, a replay stores the row once, in that store alone', async () => {
        await sql('ALTER TABLE steps DROP CONSTRAINT short_task');
        const { code, stdout } = await replay('--sink', 'clickhouse', '--reason', '469');
        expect([code, stdout]).toEqual([0, 'clickhouse: 1 of 1 row is stored\n']);
        expect(await copies('900001')).toEqual({ clickhouse: 1, elasticsearch: 1 });
        await audit();
      });

      test('a replay again changes nothing', async () => {
        const { code, stdout } = await replay('--sink', 'clickhouse', '--reason', '469');
        expect([code, stdout]).toEqual([0, 'clickhouse: 0 of 0 rows are stored\n']);
        expect(await copies('900001')).toEqual({ clickhouse: 1, elasticsearch: 1 });
      });

      test.each([
        ['clickhouse', '900002'],
        ['elasticsearch', CANARY],
      ] as const)(
        'a replay into %s that is killed when the row is stored and not written down stores it no second time',
        async (sink, execution_id) => {
          if (sink === 'clickhouse') {
            await sql('ALTER TABLE steps MODIFY COLUMN attributes Map(LowCardinality(String), String)');
          } else {
            await search('PUT', 'poison-steps-*/_mapping', {
              properties: { execution_id: { type: 'long', ignore_malformed: true } },
            });
          }
          const proxy = proxies[sink];
          const before = proxy.deed;
          proxy.deed = (passing) => (bringsRows(passing) && before(passing) === 'pass' ? 'swallow' : before(passing));
          const swallowed = proxy.swallowed();
          const killed = start(['dead-letters', 'replay', '--state', state, '--sink', sink, ...stores()], env);
          await Promise.race([swallowed, killed.ended]);
          killed.child.kill('SIGKILL');
          expect((await killed.ended).signal).toBe('SIGKILL');
          proxy.deed = before;
          const both = { clickhouse: 1, elasticsearch: 1 };
          expect(await copies(execution_id)).toEqual(both);
          for (const rows of [1, 0]) {
            const { stdout } = await replay('--sink', sink, '--reason', sink === 'clickhouse' ? '27' : LETTERS[kind]);
            expect(stdout).toBe(`${sink}: ${rows} of ${rows === 1 ? '1 row is' : '0 rows are'} stored\n`);
            expect(await copies(execution_id)).toEqual(both);
          }
          await audit();
        },
      );

      test('a replay of all stores the large row too when larger requests are let through, while a run goes on', async () => {
        for (const proxy of Object.values(proxies)) proxy.deed = () => 'pass';
        const running = start([...stores(), '--state', state, '--metrics', 'none'], env);
        await running.write(`${stepLine({ execution_id: '900100' })}\n`);
        const { code, stdout, stderr } = await replay();
        expect({ code, stdout, stderr }).toMatchObject({
          code: 0,
          stdout: 'clickhouse: 1 of 1 row is stored\nelasticsearch: 1 of 1 row is stored\n',
        });
        await running.write(`${stepLine({ execution_id: '900101' })}\n`);
        expect((await running.end()).code).toBe(0);
        for (const execution_id of ['900003', '900100', '900101'])
          expect(await copies(execution_id)).toEqual({ clickhouse: 1, elasticsearch: 1 });
        for (const result of await audit()) expect(result).toMatchObject({ rows: ROWS + 2, missing: 0, duplicates: 0 });
        const { stdout: listed } = await steptap('dead-letters', 'ls', '--json');
        for (const { letters, replayed } of parsed(listed)) expect(replayed).toBe(letters);
      });
    });
  });
}

describe('lines that were no events', () => {
  const broken = '{"event": "flytekit_step", "step": "x"';
  const schema = stepLine({ execution_id: 'schema', more: '"status": "maybe"' });
  const long = stepLine({ execution_id: 'long', more: `"v": "${'x'.repeat(4_000)}"` });
  let clickhouse: ClickHouseServer;
  let state: string;

  const env = { FLYTE_TELEMETRY_CLICKHOUSE_DATABASE: 'lines' };
  const sql = (query: string): Promise<string> => ask(clickhouse.url, query, 'lines');
  const replay = async (...args: string[]): Promise<Ended> =>
    start(['dead-letters', 'replay', '--state', state, '--clickhouse', clickhouse.url, ...args], env).end();
  const audit = async (): Promise<number | null> =>
    (await start(['audit', '--state', state, '--clickhouse', clickhouse.url], env).end()).code;

  beforeAll(async () => {
    clickhouse = await startClickHouse();
    state = await scratch();
    const args = ['--state', state, '--clickhouse', clickhouse.url, '--metrics', 'none', '--max-line-bytes', '2k'];
    await run(args, { input: `${stepLine()}\n${broken}\n${schema}\n${long}\n${stepLine()}\n`, env });
  });
  afterAll(async () => {
    await clickhouse?.stop();
  });

  test('stay dead letters while nothing has changed, and each says why', async () => {
    expect(deadLetters(state).map(({ reason }) => reason)).toEqual(['json_syntax', 'schema', 'line_too_long']);
    const { code, stdout, stderr } = await replay();
    expect([code, stdout]).toEqual([0, 'clickhouse: 0 of 0 rows are stored\n']);
    for (const why of ['json_syntax, as before', 'schema, as before', 'only its beginning was kept'])
      expect(stderr).toContain(`1 dead letter is no event still: ${why}`);
    expect(Number(await sql('SELECT count() FROM steps'))).toBe(2);
    expect(await audit()).toBe(0);
  });

  test('a line that was too long stays one under a larger --max-line-bytes, since only its beginning was kept', async () => {
    const { stdout, stderr } = await replay('--reason', 'line_too_long', '--max-line-bytes', '1m');
    expect(stdout).toBe('clickhouse: 0 of 0 rows are stored\n');
    expect(stderr).toContain('only its beginning was kept');
  });

  test('are stored once, with what the options say, when steptap has learned to read them', async () => {
    // What this steptap would not have refused: a letter of an older one.
    const path = join(state, 'dead-letters', 'rejections-000001.ndjson');
    const letters = await readFile(path, 'utf8');
    await writeFile(
      path,
      letters.replace('\\"status\\": \\"maybe\\"', '\\"status\\": \\"error\\", \\"error_type\\": \\"E\\"'),
    );
    for (const rows of [1, 0]) {
      const { code, stdout } = await replay('--reason', 'schema', '--set', 'project=late');
      expect([code, stdout]).toEqual([0, `clickhouse: ${rows} of ${rows === 1 ? '1 row is' : '0 rows are'} stored\n`]);
      const found = await sql(`SELECT project, status, error_type FROM steps WHERE execution_id = 'schema' FORMAT CSV`);
      expect(found).toBe('"late","error","E"\n');
      expect(await audit()).toBe(0);
    }
    expect(Number(await sql('SELECT uniqExact(_src, _seq, _i) FROM steps'))).toBe(3);
  });
});
