import { expect, test } from 'vitest';
import { SinkError, STORED, type Part, type Sink } from '../../src/sinks/sink.ts';
import { startClickHouseBench, type ClickHouseBench } from './clickhouse-bench.ts';
import { httpCases, type HttpSinkContract } from './http-contract.ts';
import { CANARY, PASSWORD, sinkCases, type Bench, type Case } from './sink-contract.ts';

/*
 * The suite itself, on sinks that are broken in one way each: a suite that nothing fails proves nothing.
 */

/** Titles of the cases that fail. */
async function failing(cases: readonly Case[]): Promise<string[]> {
  const failed: string[] = [];
  for (const { title, run } of cases) await run().catch(() => failed.push(title));
  return failed;
}

const steps = (part: Part): string[] =>
  part.slices.flatMap(({ rows, from, to }) =>
    Array.from({ length: to - from }, (_, at) => {
      const row = from + at;
      const text = rows.bytes.toString('utf8', row === 0 ? 0 : rows.ends[row - 1], rows.ends[row]);
      return (JSON.parse(text) as { step: string }).step;
    }),
  );

/** A sink in memory; `keep` says which rows of a part it stores. */
function memory(keep: (part: Part) => string[], what: Partial<Sink> = {}): () => Promise<Bench> {
  return async () => {
    const stored: string[] = [];
    const sink: Sink = {
      name: 'memory',
      tables: new Set(['steps', 'logs']),
      async open() {},
      async send(part) {
        stored.push(...keep(part));
        return STORED;
      },
      describe: () => 'memory',
      async close() {},
      ...what,
    };
    const count = (step: string): number => stored.filter((each) => each === step).length;
    return { sink, stored: async () => new Map(stored.map((step) => [step, count(step)])), async stop() {} };
  };
}

const unsettled = (part: Part): string[] => steps(part).filter((_, row) => part.settled?.[row] !== 1);

test('a sink that does what it should passes', async () => {
  expect(await failing(sinkCases({ name: 'memory', start: memory(unsettled) }))).toEqual([]);
});

test('a sink that loses a row fails', async () => {
  const start = memory((part) => unsettled(part).slice(0, -1));
  expect(await failing(sinkCases({ name: 'memory', start }))).toContain(
    'every row of every record is stored once, and the ledger closes',
  );
});

test('a sink that stores a row twice fails', async () => {
  const start = memory((part) => [...unsettled(part), ...unsettled(part).slice(0, 1)]);
  expect(await failing(sinkCases({ name: 'memory', start }))).toContain(
    'every row of every record is stored once, and the ledger closes',
  );
});

test('a sink that sends rows again that are settled fails', async () => {
  expect(await failing(sinkCases({ name: 'memory', start: memory(steps) }))).toEqual([
    'rows that are settled are not stored again',
  ]);
});

test('a sink that says its password fails', async () => {
  const start = memory(unsettled, { describe: () => `memory at http://someone:${PASSWORD}@host` });
  expect(await failing(sinkCases({ name: 'memory', start }))).toEqual(['what it says of itself has no password in it']);
});

/** The cases of the ClickHouse sink that fail when it is wrapped like this. */
async function broken(
  wrap: (sink: Sink) => Sink,
  change: (bench: ClickHouseBench) => void = () => undefined,
): Promise<string[]> {
  const contract: HttpSinkContract = {
    name: 'clickhouse',
    async start() {
      const bench = await startClickHouseBench({}, wrap);
      change(bench);
      return bench;
    },
    malformed: 'holding',
    poison(bench, step) {
      (bench as ClickHouseBench).backend.poison = step;
    },
    poisonCode: '27',
  };
  const quick = httpCases(contract).filter(({ title }) => !/goes away|not there|hangs ends/.test(title));
  return failing(quick);
}

/** The same sink, with another `send`. */
function sending(
  send: (sink: Sink, part: Part, signal: AbortSignal) => ReturnType<Sink['send']>,
): (sink: Sink) => Sink {
  return (sink) => ({
    name: sink.name,
    tables: sink.tables,
    open: (signal) => sink.open(signal),
    send: (part, signal) => send(sink, part, signal),
    describe: () => sink.describe(),
    close: () => sink.close(),
  });
}

const STORED_BUT = 'when the server resets the connection, having stored the rows, every row is stored once in the end';

test('without tokens, what was stored before the connection broke is there twice', async () => {
  const failed = await broken(
    (sink) => sink,
    (bench) => {
      bench.backend.deduplicates = false;
    },
  );
  expect(failed).toContain(STORED_BUT);
  expect(failed.every((title) => title.includes('having stored'))).toBe(true);
});

test('a sink that makes a new token for every attempt fails', async () => {
  let attempt = 0;
  const again = sending((sink, part, signal) => sink.send({ ...part, token: `${part.token}-${attempt++}` }, signal));
  expect(await broken(again)).toContain(STORED_BUT);
});

test('a sink that gives up what the server would not take fails', async () => {
  const careless = sending(async (sink, part, signal) => {
    try {
      return await sink.send(part, signal);
    } catch {
      return STORED;
    }
  });
  expect((await broken(careless)).length).toBeGreaterThan(10);
});

test('a sink that does not say how long to wait, or whose words are those of the server, fails', async () => {
  const other = (change: (error: SinkError) => SinkError): ((sink: Sink) => Sink) =>
    sending(async (sink, part, signal) => {
      try {
        return await sink.send(part, signal);
      } catch (error) {
        throw error instanceof SinkError ? change(error) : error;
      }
    });
  const hasty = other(({ failure, code, message, in_doubt }) => new SinkError(failure, code, message, { in_doubt }));
  expect(await broken(hasty)).toEqual([
    'when the server says 429 with Retry-After, every row is stored once in the end',
    'when the server says 503 with Retry-After, every row is stored once in the end',
  ]);
  const chatty = other(
    ({ failure, code, retry_after_ms }) => new SinkError(failure, code, `it said ${CANARY}`, { retry_after_ms }),
  );
  expect((await broken(chatty)).length).toBeGreaterThan(10);
});
