import { expect, test } from 'vitest';
import { EVENT_TABLES, fieldsOf, type Field } from '../../../src/fields.ts';
import type { Sink } from '../../../src/sinks/sink.ts';
import { FRAMEWORK, types } from '../../event-types/parts.ts';
import { partOf, stepRow } from '../../support/rows.ts';
import { keyOf, taskRow } from '../../support/tasks.ts';
import { describeWithServer } from '../../support/with-server.ts';
import { cut, partOfRecords } from '../parts.ts';
import { failure, never, sinkOf } from './faulty-server.ts';

type Json = Readonly<Record<string, unknown>>;

const DAY = '2026-11-21';
let prefixes = 0;

/** A value for a field, as a dialect writes it. */
function valueOf({ name, search, clickhouse }: Field): unknown {
  if (name === 'task_key') return keyOf(1);
  if (name === 'ts') return '2026-02-19T10:31:12.640123Z';
  if (clickhouse.startsWith('Array')) return ['task.000001', 'task.000002'];
  if (clickhouse === 'Date') return DAY;
  switch (search) {
    case 'date_nanos':
      return '2026-02-19T10:31:12.640123Z';
    case 'double':
      return 1.234567;
    case 'integer':
    case 'long':
      return 3;
    case 'boolean':
      return true;
    case 'phases':
      return { execution: 1.5, queue: 0.25, one_that_is_new: 1 };
    case 'stored':
      return { steps: [{ step: 'load_task', depth: 1 }, { step: 7 }] };
    case 'object':
      if (clickhouse.includes('Float64')) return { load_task: 1.5, execute_user_code: 9 };
      return { 'app.kubernetes.io/name': `value of ${name}` };
    default:
      return `value of ${name}`;
  }
}

for (const kind of ['elasticsearch', 'opensearch'] as const) {
  describeWithServer(kind, (server) => {
    async function call(method: string, path: string, body?: unknown): Promise<Json> {
      const request = body === undefined ? {} : { body: JSON.stringify(body) };
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(server().url + path, { method, headers, ...request });
      return (await answer.json()) as Json;
    }

    /** A sink with indices of its own, opened. */
    async function fresh(options = {}): Promise<{ sink: Sink; prefix: string; index: (table?: string) => string }> {
      const prefix = `try${prefixes++}`;
      const sink = sinkOf([server().url], { prefix, replicas: 0, ...options });
      await sink.open(never);
      return { sink, prefix, index: (table = 'steps') => `${prefix}-${table}-2026.11.21` };
    }

    async function count(index: string, query: Json = { match_all: {} }): Promise<unknown> {
      await call('POST', `/${index}/_refresh`);
      return (await call('POST', `/${index}/_count`, { query }))['count'];
    }

    async function source(index: string, id: string): Promise<unknown> {
      return (await call('GET', `/${index}/_doc/${id}`))['_source'];
    }

    test.each(EVENT_TABLES)('every field of a row of %s comes back as it was and can be searched', async (table) => {
      const { sink, index } = await fresh();
      const row = Object.fromEntries(fieldsOf(table).map((field) => [field.name, valueOf(field)]));
      const part = partOf([{ ts: '', ...row }], { table, seq: 42 });
      expect(await sink.send(part, never)).toEqual({ rejected: [], again: [] });
      const place = { '@timestamp': row['ts'], _src: 'spool0-epoch0', _seq: 42, _i: 0 };
      const id = table === 'tasks' ? keyOf(1) : 'spool0-epoch0-42-0';
      expect(await source(index(table), id)).toEqual({ ...row, ...place });
      const searched = fieldsOf(table).filter(({ search }) => search !== 'stored');
      for (const name of [...searched.map((field) => field.name), ...Object.keys(place)]) {
        expect([name, await count(index(table), { exists: { field: name } })]).toEqual([name, 1]);
      }
      expect(await count(index(table), { exists: { field: '_ignored' } })).toBe(0);
      expect(await count(index(table), { term: { _src: 'spool0-epoch0' } })).toBe(1);
      expect(await count(index(table), { term: { 'labels.app.kubernetes.io/name': 'value of labels' } })).toBe(1);
      await sink.close();
    });

    test('of a task the row of the highest version is there, once, whenever and in whichever order they come', async () => {
      const { sink, prefix, index } = await fresh({ max_body_bytes: 1_500 });
      const good = { rejected: [], again: [] };
      const first = partOf([taskRow(1, 2), taskRow(2, 1), taskRow(3, 1), taskRow(3, 2)], { table: 'tasks' });
      // The next day: a correction, one that comes too late, and a new task.
      const rows = [taskRow(2, 3), taskRow(1, 1), taskRow(4, 1, { task_day: '2026-11-22' })];
      const second = partOf(rows, { table: 'tasks', seq: 2, day: '2026-11-22', in_doubt: true });
      for (const part of [first, second, first, second]) expect(await sink.send(part, never)).toEqual(good);
      const newest = [
        [1, 2, DAY],
        [2, 3, DAY],
        [3, 2, DAY],
        [4, 1, '2026-11-22'],
      ] as const;
      for (const [key, revision, day] of newest) {
        const stored = await source(`${prefix}-tasks-${day.replaceAll('-', '.')}`, keyOf(key));
        expect(stored).toMatchObject({ task_key: keyOf(key), revision, task_day: day });
      }
      expect(await count(`${prefix}-tasks-*`)).toBe(4);
      const sums = {
        size: 0,
        aggs: { queue: { sum: { field: 'phases.execution' } }, ratio: { avg: { field: 'overhead_ratio' } } },
      };
      const { aggregations } = await call('POST', `/${index('tasks')}/_search`, sums);
      expect(aggregations).toMatchObject({ queue: { value: 27 }, ratio: { value: 0.25 } });
      await sink.close();
    });

    test('declared fields are indexed as what they are; what is not finite is kept, and not indexed', async () => {
      const declared = types(FRAMEWORK).columns;
      const prefix = `try${prefixes++}`;
      // A template that knew nothing of them.
      for (const more of [{}, { declared }]) {
        const sink = sinkOf([server().url], { prefix, replicas: 0 }, more);
        await sink.open(never);
        await sink.close();
      }
      const sink = sinkOf([server().url], { prefix, replicas: 0 }, { declared });
      await sink.open(never);
      const row = {
        ts: '2026-02-19T10:31:12.640123Z',
        loss: 'Infinity',
        checkpoint_step: -7,
        metric: 'acc',
        final: false,
        shape: '[1]',
      };
      expect(await sink.send(partOf([row], { table: 'events', seq: 1 }), never)).toEqual({ rejected: [], again: [] });
      const index = `${prefix}-events-2026.11.21`;
      expect(await count(index, { range: { checkpoint_step: { lt: 0 } } })).toBe(1);
      expect(await count(index, { term: { final: false } })).toBe(1);
      expect(await count(index, { term: { _ignored: 'loss' } })).toBe(1);
      expect(await source(index, 'spool0-epoch0-1-0')).toMatchObject({ loss: 'Infinity', shape: '[1]' });
      await sink.close();
    });

    test('a part that is sent a second time stores nothing twice', async () => {
      const { sink, index } = await fresh({ max_body_bytes: 20_000 });
      const part = partOf(Array.from({ length: 500 }, (_, row) => stepRow({ process_time_s: row })));
      for (let times = 0; times < 3; times++) {
        expect(await sink.send(part, never)).toEqual({ rejected: [], again: [] });
      }
      expect(await count(index())).toBe(500);
      expect(sink.describe()).toMatch(kind === 'opensearch' ? /^OpenSearch 2\./ : /^Elasticsearch 8\./);
      await sink.close();
    });

    test('a part that is sent in other pieces the second time, from another process, stores nothing twice', async () => {
      const { sink, prefix, index } = await fresh({ max_body_bytes: 5_000 });
      const part = partOfRecords([
        [7, 30],
        [8, 1],
        [9, 69],
      ]);
      const good = { rejected: [], again: [] };
      // The first attempt came so far: half of it whole, of the other half some.
      expect(await sink.send(cut(part, 0, 50), never)).toEqual(good);
      expect(await sink.send(cut(part, 75, 80), never)).toEqual(good);
      const other = sinkOf([server().url], { prefix, max_body_bytes: 20_000 });
      await other.open(never);
      for (const [from, to] of [
        [0, 33],
        [33, 77],
        [77, 100],
        [0, 100],
      ] as const)
        expect(await other.send(cut(part, from, to), never)).toEqual(good);
      expect(await count(index())).toBe(100);
      expect('find' in sink).toBe(false);
      await other.close();
      await sink.close();
    });

    test('what is stored is counted record by record, and copies in another index are found', async () => {
      const { sink, index } = await fresh();
      const range = { table: 'steps', day: DAY, src: 'spool0-epoch0', from: 0, to: 2 ** 50 } as const;
      expect(await sink.stored!(range, never)).toEqual(new Map());
      const far = 2 ** 50 - 1;
      const part = partOfRecords([
        [7, 2],
        [8, 12_000],
        [far, 1],
      ]);
      expect(await sink.send(part, never)).toEqual({ rejected: [], again: [] });
      await sink.send(partOfRecords([[8, 3]], { src: 'spool0-epoch1' }), never);
      await sink.send(partOfRecords([[8, 3]], { table: 'events' }), never);
      const records = new Map([
        [7, { rows: 2, distinct: 2 }],
        [8, { rows: 12_000, distinct: 12_000 }],
        [far, { rows: 1, distinct: 1 }],
      ]);
      // At once: nobody has refreshed anything.
      expect(await sink.stored!(range, never)).toEqual(records);
      expect(await sink.stored!({ ...range, from: 8, to: 9 }, never)).toEqual(new Map([[8, records.get(8)!]]));
      const copies = cut(part, 1, 5);
      await sink.send({ ...copies, day: '2026-11-22' }, never);
      expect(await sink.stored!({ ...range, to: 100 }, never)).toEqual(
        new Map([
          [7, { rows: 3, distinct: 2 }],
          [8, { rows: 12_003, distinct: 12_000 }],
        ]),
      );
      await call('POST', `/${index()}/_close`);
      expect(await failure(sink.stored!(range, never))).toMatchObject({ failure: 'hold', code: 'HTTP 400' });
      await sink.close();
    });

    test('opening again changes nothing, and a newer steptap replaces the template of an older one', async () => {
      const { sink, prefix } = await fresh();
      const path = `/_index_template/${prefix}-steps`;
      const first = await call('GET', path);
      await sink.open(never);
      expect(await call('GET', path)).toEqual(first);
      await call('PUT', path, { index_patterns: [`${prefix}-steps-*`], priority: 250, version: 0 });
      await sink.open(never);
      expect(await call('GET', path)).toEqual(first);
      await sink.close();
    });

    test('a poison row is rejected alone, and nothing of it is told', async () => {
      const { sink, index } = await fresh();
      const bad = { k8s_enriched: 'canary-1', attributes: { a: 'canary-2' } };
      const part = partOf([stepRow(), stepRow(bad), stepRow(), stepRow({ step: { a: 'canary-3' } }), stepRow()]);
      const outcome = await sink.send(part, never);
      expect(outcome.again).toEqual([]);
      expect(outcome.rejected.map(({ row }) => row)).toEqual([1, 3]);
      expect(outcome.rejected[0]?.code).toMatch(/^(?:document|mapper)_parsing_exception$/);
      expect(JSON.stringify(outcome)).not.toContain('canary');
      expect(await count(index())).toBe(3);
      await sink.close();
    });

    test('hostile rows are stored, every byte of them', async () => {
      const { sink, index } = await fresh();
      const hostile: Json[] = [
        { attributes: { big: 'x'.repeat(40_000) } },
        { attributes: { umlauts: 'ü'.repeat(40_000), other: 'y' } },
        { attributes: { ['k'.repeat(40_000)]: 'v' } },
        { attributes: { '': 'empty' }, params: { '': '' } },
        { attributes: { a: '1', 'a.b': '2', 'a.b.c': '3', '..': '4', '.a': '5', 'a.': '6', ' ': '7' } },
        { attributes: { nul: 'a\u0000b', 'nul\u0000key': 'c' } },
        { attributes: { 'ключ-🙂': 'значение \u202e \u2028 \ufffe' }, labels: { _id: 'x', '@timestamp': 'y' } },
        { attributes: Object.fromEntries(Array.from({ length: 3_000 }, (_, at) => [`k${at}`, `v${at}`])) },
        {
          params: {
            deep: JSON.parse(`${'{"a":'.repeat(60)}1${'}'.repeat(60)}`) as unknown,
            list: [1, [2, { b: null }]],
          },
        },
        { step: 's'.repeat(40_000), step_raw: '🙂'.repeat(9_000), task: 'a\u0000b' },
        { wall_time_s: 1e308, attempt: 99_999_999_999 },
        { ts: '1815-12-10T00:00:00.000000Z' },
        { ts: '9999-12-31T23:59:59.999999Z' },
      ];
      const outcome = await sink.send(partOf(hostile.map((fields) => stepRow(fields))), never);
      expect(outcome).toEqual({ rejected: [], again: [] });
      for (const [at, fields] of hostile.entries()) {
        const stored = (await source(index(), `spool0-epoch0-1-${at}`)) as Json;
        for (const [name, value] of Object.entries(fields)) {
          expect([at, name, stored[name] ?? stored[`${name}_unindexed`]]).toEqual([at, name, value]);
        }
        expect(stored['_i']).toBe(at);
      }
      // Again, as after a reset: what was stored in its second form is not stored in its first one as well.
      expect(await sink.send(partOf(hostile.map((fields) => stepRow(fields))), never)).toEqual(outcome);
      expect(await count(index())).toBe(hostile.length);
      await sink.close();
    });

    test('the seed asks: p99 of the time in user code by task, and the error rate of each step', async () => {
      const { sink, index } = await fresh();
      const rows = ['workflows.train.fit', 'workflows.score.run'].flatMap((task, which) =>
        Array.from({ length: 200 }, (_, at) =>
          stepRow({ task, step: 'execute_user_code', wall_time_s: (at + 1) * (which + 1) }),
        ),
      );
      const load = Array.from({ length: 40 }, (_, at) =>
        stepRow({ step: 'load_task', wall_time_s: 9_999, status: at % 4 === 0 ? 'error' : 'success' }),
      );
      expect(await sink.send(partOf([...rows, ...load]), never)).toEqual({ rejected: [], again: [] });
      await call('POST', `/${index()}/_refresh`);
      const p99 = await call('POST', `/${index()}/_search`, P99_BY_TASK);
      const slow = Object.fromEntries(
        buckets(p99, 'task').map((bucket) => [bucket.key, bucket.wall_time_s!.values['99.0']]),
      );
      // Of 1, 2, ... 200 and of 2, 4, ... 400 seconds: between the 198th and the 199th value.
      expect(slow['workflows.train.fit']).toBeGreaterThanOrEqual(198);
      expect(slow['workflows.train.fit']).toBeLessThanOrEqual(199);
      expect(slow['workflows.score.run']).toBeGreaterThanOrEqual(396);
      expect(slow['workflows.score.run']).toBeLessThanOrEqual(398);
      expect(Object.keys(slow)).toHaveLength(2);
      const rate = await call('POST', `/${index()}/_search`, ERROR_RATE_BY_STEP);
      const rates = buckets(rate, 'step').map(({ key, doc_count, errors }) => [key, errors!.doc_count / doc_count]);
      expect(rates).toEqual([
        ['execute_user_code', 0],
        ['load_task', 0.25],
      ]);
      await sink.close();
    });

    test('an index that may not be written is a matter for the operator, and the rows are all there afterwards', async () => {
      const { sink, index } = await fresh();
      const part = partOf([stepRow(), stepRow()]);
      await call('PUT', `/${index()}`, {});
      await call('PUT', `/${index()}/_settings`, { 'index.blocks.write': true });
      expect(await failure(sink.send(part, never))).toMatchObject({ failure: 'hold', code: 'HTTP 403' });
      await call('PUT', `/${index()}/_settings`, {
        'index.blocks.write': null,
        'index.blocks.read_only_allow_delete': true,
      });
      expect((await sink.send(part, never)).again).toEqual([0, 1]);
      await call('PUT', `/${index()}/_settings`, { 'index.blocks.read_only_allow_delete': null });
      await call('POST', `/${index()}/_close`);
      expect(await failure(sink.send(part, never))).toMatchObject({ failure: 'hold', code: 'HTTP 400' });
      await call('POST', `/${index()}/_open`);
      expect(await sink.send(part, never)).toEqual({ rejected: [], again: [] });
      expect(await count(index())).toBe(2);
      await sink.close();
    });

    test('an alias without a write index refuses all rows and loses none', async () => {
      const { sink, prefix, index } = await fresh();
      for (const name of ['a', 'b']) await call('PUT', `/${prefix}-${name}`, { aliases: { [index()]: {} } });
      expect(await failure(sink.send(partOf([stepRow(), stepRow()]), never))).toMatchObject({ failure: 'hold' });
      await sink.close();
    });

    test('rows go to the index of their record, whatever their own time says', async () => {
      const { sink, prefix } = await fresh();
      await sink.send(partOf([stepRow({ ts: '2001-01-01T00:00:00.000000Z' })], { day: DAY, table: 'logs' }), never);
      await sink.send(partOf([stepRow()], { day: '2027-01-02', seq: 2 }), never);
      const names = Object.keys(await call('GET', `/${prefix}-*/_alias`)).sort();
      expect(names).toEqual([`${prefix}-logs-2026.11.21`, `${prefix}-steps-2027.01.02`]);
      await sink.close();
    });
  });
}

const P99_BY_TASK = {
  size: 0,
  query: { term: { step: 'execute_user_code' } },
  aggs: {
    task: {
      terms: { field: 'task', size: 100 },
      aggs: { wall_time_s: { percentiles: { field: 'wall_time_s', percents: [99] } } },
    },
  },
};

const ERROR_RATE_BY_STEP = {
  size: 0,
  aggs: {
    step: { terms: { field: 'step', size: 100 }, aggs: { errors: { filter: { term: { status: 'error' } } } } },
  },
};

interface Bucket {
  readonly key: string;
  readonly doc_count: number;
  readonly wall_time_s?: { readonly values: Readonly<Record<string, number>> };
  readonly errors?: { readonly doc_count: number };
}

function buckets(answer: Json, name: string): readonly Bucket[] {
  const { aggregations } = answer as { aggregations: Readonly<Record<string, { buckets: Bucket[] }>> };
  return aggregations[name]!.buckets;
}
