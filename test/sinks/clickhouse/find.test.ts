import { describe, expect, test } from 'vitest';
import type { Part, Sink } from '../../../src/sinks/sink.ts';
import { cut, partOfRecords } from '../parts.ts';
import { failure, never, useClickHouse } from './engine.ts';
import { frontOf, refuse, type Front } from './front.ts';

const engine = useClickHouse();

/** Three records of 2, 3 and 1 rows; what came before them in their records has the numbers below 4. */
const PART = partOfRecords(
  [
    [7, 2],
    [8, 3],
    [12, 1],
  ],
  {},
  4,
);

async function found(sink: Sink, part: Part): Promise<number[]> {
  const { copies } = await sink.find!(part, never);
  return [...copies];
}

/** Stores rows of the part, however often they are stored. */
let attempts = 0;
async function store(sink: Sink, part: Part): Promise<void> {
  await sink.send({ ...part, token: `other-${attempts++}` }, never);
}

const engines: [string, () => Promise<{ sink: Sink; database: string }>][] = [
  ['a server', () => engine.fresh()],
  ['the embedded engine', () => engine.fresh({ urls: [], path: engine.path, database: `e${attempts++}` })],
];

describe.each(engines)('%s is asked for the rows of a part', (_, fresh) => {
  test('and has none of them, or all of them', async () => {
    const { sink } = await fresh();
    expect(await sink.find!(PART, never)).toEqual({ copies: new Uint8Array(6), lags: false });
    await sink.send(PART, never);
    expect(await found(sink, PART)).toEqual([1, 1, 1, 1, 1, 1]);
  });

  test('and has some of them, and some more than once', async () => {
    const { sink } = await fresh();
    await store(sink, cut(PART, 1, 4));
    await store(sink, cut(PART, 3, 5));
    expect(await found(sink, PART)).toEqual([0, 1, 1, 2, 1, 0]);
  });

  test('after a split: of each half what is in it, whatever is stored of the other', async () => {
    const { sink } = await fresh();
    const [left, right] = [cut(PART, 0, 3), cut(PART, 3, 6)];
    await sink.send(left, never);
    expect(await found(sink, left)).toEqual([1, 1, 1]);
    expect(await found(sink, right)).toEqual([0, 0, 0]);
    await store(sink, cut(right, 1, 2));
    expect(await found(sink, right)).toEqual([0, 1, 0]);
    expect(await found(sink, PART)).toEqual([1, 1, 1, 0, 1, 0]);
  });

  test('and tells of rows that are settled as of the others', async () => {
    const { sink } = await fresh();
    const part = { ...PART, settled: Uint8Array.of(1, 0, 0, 1, 0, 0) };
    await sink.send(part, never);
    expect(await found(sink, part)).toEqual([0, 1, 1, 0, 1, 1]);
  });

  test('and takes nothing else for them: other tables, days, epochs, spools, records, numbers', async () => {
    const { sink } = await fresh();
    const records = [
      [7, 2],
      [8, 3],
      [12, 1],
    ] as const;
    await store(sink, partOfRecords(records, { table: 'events' }, 4));
    await store(sink, partOfRecords(records, { day: '2026-11-22' }, 4));
    await store(sink, partOfRecords(records, { src: 'spool0-epoch1' }, 4));
    await store(sink, partOfRecords(records, { src: 'spool1-epoch0' }, 4));
    await store(
      sink,
      partOfRecords(
        [
          [6, 9],
          [9, 9],
          [13, 9],
        ],
        {},
        4,
      ),
    );
    // Of the same records: numbers before the first row and behind the last one, and between.
    await store(sink, partOfRecords([[7, 4]]));
    await store(sink, partOfRecords([[12, 3]], {}, 5));
    await store(sink, partOfRecords([[8, 2]], {}, 7));
    expect(await found(sink, PART)).toEqual([0, 0, 0, 0, 0, 0]);
    await sink.send(PART, never);
    expect(await found(sink, PART)).toEqual([1, 1, 1, 1, 1, 1]);
  });

  test('of ten thousand rows in as many records, one missing', async () => {
    const { sink } = await fresh();
    const seqs = Array.from({ length: 10_000 }, (_, seq) => [2 ** 50 + seq, 1] as const);
    const part = partOfRecords(seqs, {}, 4_000_000_000);
    await sink.send({ ...part, settled: Uint8Array.from(seqs, (_, row) => (row === 4_321 ? 1 : 0)) }, never);
    const { copies } = await sink.find!(part, never);
    expect([copies.indexOf(0), copies.lastIndexOf(0)]).toEqual([4_321, 4_321]);
  });

  test('record by record, for an audit', async () => {
    const { sink } = await fresh();
    await sink.send(PART, never);
    await store(sink, cut(PART, 1, 3));
    await sink.send(partOfRecords([[30_000, 2]]), never);
    const range = { table: 'steps', day: PART.day, src: 'spool0-epoch0', from: 0, to: 40_000 } as const;
    const records = new Map([
      [7, { rows: 3, distinct: 2 }],
      [8, { rows: 4, distinct: 3 }],
      [12, { rows: 1, distinct: 1 }],
      [30_000, { rows: 2, distinct: 2 }],
    ]);
    expect(await sink.stored!(range, never)).toEqual(records);
    expect(await sink.stored!({ ...range, from: 8, to: 8 }, never)).toEqual(new Map([[8, records.get(8)!]]));
    for (const other of [{ table: 'logs' }, { day: '2026-11-20' }, { src: 'spool0-epoch1' }] as const)
      expect(await sink.stored!({ ...range, ...other }, never)).toEqual(new Map());
  });
});

test('copies beyond what a byte can say are 255', async () => {
  const { sink, database } = await engine.fresh();
  await sink.send(PART, never);
  for (let times = 0; times < 9; times++)
    await engine.server.query(`INSERT INTO ${database}.steps SELECT * FROM ${database}.steps`);
  expect(await found(sink, PART)).toEqual([255, 255, 255, 255, 255, 255]);
});

describe('an answer is not believed', () => {
  const counting = (query: string): boolean => query.includes('GROUP BY');

  /** How asking fails when the answer goes through this. */
  async function through(change: (front: Front) => void): Promise<unknown> {
    const { sink, database } = await engine.fresh();
    await sink.send(PART, never);
    const front = await frontOf(engine.server.url);
    const { sink: fronted } = await engine.fresh({ urls: [front.url], database });
    expect(await found(fronted, PART)).toEqual([1, 1, 1, 1, 1, 1]);
    change(front);
    const range = { table: 'steps', day: PART.day, src: 'spool0-epoch0', from: 0, to: 9 } as const;
    const { code } = await failure(fronted.stored!(range, never));
    const error = await failure(fronted.find!(PART, never));
    expect(error.code).toBe(code);
    return error;
  }

  test('when something cuts it, wherever', async () => {
    const cuts = [
      () => '',
      (answer: string) => answer.slice(0, -1),
      (answer: string) => answer.slice(0, answer.indexOf('\n') + 1),
      (answer: string) => answer.slice(answer.indexOf('\n') + 1),
      (answer: string) => answer.slice(0, answer.indexOf('\n\n') + 1),
      (answer: string) => `<html>${answer}</html>`,
    ];
    for (const change of cuts) {
      const error = await through((front) => {
        front.change = ({ query }, answer) => (counting(query) ? change(answer) : answer);
      });
      expect(error).toMatchObject({ failure: 'retry', code: 'BAD_ANSWER' });
    }
  });

  test('when a limit cuts it, though the server says that all is well', async () => {
    const error = await through((front) => {
      front.instead = ({ url }) => {
        url.searchParams.set('limit', '1');
      };
    });
    expect(error).toMatchObject({ failure: 'retry', code: 'BAD_ANSWER' });
  });

  test('when it is longer than it can be', async () => {
    const error = await through((front) => {
      front.change = ({ query }, answer) => (counting(query) ? '7\t0\t1\n'.repeat(1 << 19) : answer);
    });
    expect(error).toMatchObject({ failure: 'hold', code: 'ANSWER_TOO_LONG' });
  });

  test('when it is an error: that of the server counts', async () => {
    for (const [code, failure] of [
      [241, 'retry'],
      [497, 'hold'],
      [158, 'hold'],
    ] as const) {
      const error = await through((front) => {
        front.instead = ({ query }, response) => (counting(query) ? refuse(response, code, 'because') : undefined);
      });
      expect(error).toMatchObject({ failure, code: String(code) });
    }
  });
});

test("flytekit's own table has no columns to find rows by, so nobody is offered to", () => {
  const sink = engine.sinkOf({ urls: [engine.server.url], table: 'flytekit_telemetry' });
  expect(sink).toMatchObject({ find: undefined, stored: undefined });
});

test('rows in a table that is not there are a matter for the operator', async () => {
  const { sink, database } = await engine.fresh();
  await engine.server.query(`DROP TABLE ${database}.steps`);
  expect(await failure(sink.find!(PART, never))).toMatchObject({ failure: 'hold', code: '60' });
});
