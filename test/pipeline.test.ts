import { PassThrough, Readable } from 'node:stream';
import { Registry } from 'prom-client';
import { afterEach, expect, test } from 'vitest';
import type { Table } from '../src/batch.ts';
import type { Clock } from '../src/clock.ts';
import { Counters } from '../src/counters.ts';
import { Lane } from '../src/delivery/lane.ts';
import { Lanes } from '../src/delivery/lanes.ts';
import { Ledger, type LaneLedger } from '../src/delivery/ledger.ts';
import { runPipeline, type PipelineResult, type Stage } from '../src/pipeline.ts';
import { PRIVACY_DEFAULTS } from '../src/privacy/rules.ts';
import { SinkError, STORED, type Outcome, type Part, type Sink } from '../src/sinks/sink.ts';
import { Slabs } from '../src/slabs.ts';
import type { Source } from '../src/sources/source.ts';
import { MemorySpool } from '../src/spool/memory.ts';
import { zone } from '../src/zone.ts';
import { FakeClock, HastyClock, settled } from './support/fake-clock.ts';

const GRACE_MS = 30_000;

const step = (name: string): string =>
  `{"asctime": "2026-02-19 10:30:44,025", "name": "flytekit.telemetry", "levelname": "INFO", "message": "flytekit_step", "event": "flytekit_step", "step": "${name}", "wall_time_s": 1.5, "process_time_s": 0.5, "status": "success", "execution_id": "x", "task_name": "t", "project": "p", "domain": "d"}\n`;

type Send = (part: Part, signal: AbortSignal) => Promise<Outcome>;

/** A sink that keeps the rows it is sent. */
class Kept implements Sink {
  readonly name: string;
  readonly tables: ReadonlySet<Table>;
  readonly rows: Record<string, unknown>[] = [];
  readonly #send: Send;

  constructor(name: string, tables: readonly Table[] = ['steps', 'logs', 'events'], send: Send = async () => STORED) {
    this.name = name;
    this.tables = new Set(tables);
    this.#send = send;
  }

  async open(): Promise<void> {}
  async close(): Promise<void> {}
  describe(): string {
    return this.name;
  }

  async send(part: Part, signal: AbortSignal): Promise<Outcome> {
    const outcome = await this.#send(part, signal);
    for (const { rows, from, to } of part.slices) {
      const start = from === 0 ? 0 : rows.ends[from - 1]!;
      const lines = rows.bytes
        .toString('utf8', start, rows.ends[to - 1])
        .trimEnd()
        .split('\n');
      this.rows.push(...lines.map((line) => JSON.parse(line) as Record<string, unknown>));
    }
    return outcome;
  }

  get steps(): unknown[] {
    return this.rows.map(({ step_raw, message }) => step_raw ?? message);
  }
}

const dead: Send = async () => {
  throw new SinkError('retry', 'ECONNREFUSED', 'it is not there');
};

const refusing: Send = async ({ count }) => ({
  rejected: Array.from({ length: count }, (_, row) => ({ row, code: '27', detail: 'no' })),
  again: [],
});

function sourceOf(name: string, bytes: Readable): Source {
  return { name, resumes: false, open: () => ({ bytes, offset: 0 }), position: (offset) => ({ offset }) };
}

interface Run {
  readonly result: Promise<PipelineResult>;
  readonly spool: MemorySpool;
  readonly stop: AbortController;
  readonly letters: Kept;
  readonly ledgers: ReadonlyMap<string, LaneLedger>;
  readonly lanes: readonly Lane[];
}

const stops: AbortController[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop.abort();
});

function start(
  sources: readonly Source[],
  sinks: readonly Kept[],
  clock: Clock,
  max_bytes = 1 << 24,
  stages: readonly Stage[] = [],
): Run {
  const registry = new Registry();
  const ledger = new Ledger(registry);
  const spool = new MemorySpool({ clock, max_bytes, appended: (record) => ledger.accept(record) });
  const ledgers = new Map<string, LaneLedger>();
  const lane = (sink: Sink, until?: 'lanes'): Lane => {
    const counted = ledger.lane(sink.name, sink.tables);
    ledgers.set(sink.name, counted);
    const backoff = { base_ms: 100, cap_ms: 1_000, random: () => 0.5 };
    const limits = { max_rows: 1_000, max_bytes: 1 << 20, linger_ms: 0 };
    return new Lane({ sink, spool, clock, ledger: counted, backoff, until, limits });
  };
  const letters = new Kept('dead-letters', ['rejections']);
  const stop = new AbortController();
  stops.push(stop);
  const lanes = sinks.map((sink) => lane(sink));
  const decode = {
    constants: {},
    privacy: PRIVACY_DEFAULTS,
    zone: zone('UTC')!,
    max_line_bytes: 1 << 20,
    logs: true,
    fast: true,
  };
  const result = runPipeline(
    {
      sources,
      decode,
      spool,
      lanes: new Lanes(lanes),
      deadLetters: lane(letters, 'lanes'),
      stages,
      slabs: new Slabs(),
      counters: new Counters(registry, () => spool.usage()),
      clock,
      grace_ms: GRACE_MS,
    },
    stop.signal,
  );
  return { result, spool, stop, letters, ledgers, lanes };
}

/** What a run has come to by now. */
async function now({ result }: Run): Promise<PipelineResult | 'goes on'> {
  await settled();
  return Promise.race([result, Promise.resolve('goes on' as const)]);
}

const GOOD: PipelineResult = { undelivered: new Map(), unaccepted: 0, undecoded: 0, failure: undefined };

test('every line of every source, one after the other, is delivered to every sink', async () => {
  const [one, two] = [new Kept('one'), new Kept('two')];
  const sources = [
    sourceOf('a', Readable.from([step('a1'), step('a2') + step('a3')].map((text) => Buffer.from(text)))),
    sourceOf('b', Readable.from([Buffer.from(`plain words\n${step('b1').trimEnd()}`)])),
  ];
  const run = start(sources, [one, two], new HastyClock());
  expect(await run.result).toEqual(GOOD);
  expect(one.rows.map(({ step_raw }) => step_raw).filter(Boolean)).toEqual(['a1', 'a2', 'a3', 'b1']);
  expect(one.rows.map(({ message }) => message).filter(Boolean)).toEqual(['plain words']);
  expect(new Set(two.steps)).toEqual(new Set(one.steps));
  expect(run.spool.usage().bytes).toBe(0);
});

test('what is asked to stop delivers what it has read but not half a line, and opens no other source', async () => {
  const bytes = new PassThrough();
  const sink = new Kept('sink');
  const second = sourceOf('second', new PassThrough());
  const run = start(
    [sourceOf('first', bytes), { ...second, open: () => expect.unreachable() }],
    [sink],
    new FakeClock(),
  );
  bytes.write(step('read') + step('read too').slice(0, 40));
  expect(await now(run)).toBe('goes on');
  bytes.write(step('read too').slice(40) + step('last').trimEnd());
  run.stop.abort();
  expect(await run.result).toEqual(GOOD);
  expect(sink.steps).toEqual(['read', 'read too']);
  expect(run.letters.rows).toHaveLength(1);
  expect(run.letters.rows[0]).toMatchObject({
    reason: 'cut_short',
    detail: 'reading was stopped in the middle of the line',
    source: 'first',
    offset: step('read').length + step('read too').length,
    lines: 1,
    raw: step('last').trimEnd(),
    cut: true,
  });
  expect(run.ledgers.get('dead-letters')!.totals()).toEqual({
    accepted: 1,
    stored: 1,
    dead_lettered: 0,
    dropped: 0,
    lost: 0,
  });
});

test('a stop after the end of the input leaves its last line whole, though it still waits to be decoded', async () => {
  const clock = new FakeClock();
  let down = true;
  const sink = new Kept('sink', ['steps'], (part, signal) => (down ? dead(part, signal) : Promise.resolve(STORED)));
  const bytes = new PassThrough();
  const run = start([sourceOf('a', bytes)], [sink], clock, 1_000);
  for (let n = 0; n < 12; n++) {
    bytes.write(n === 11 ? step('11').trimEnd() : step(`${n}`));
    await settled();
  }
  bytes.end();
  await settled();
  expect(bytes.readableEnded).toBe(true);
  run.stop.abort();
  down = false;
  for (let n = 0; n < 12; n++) {
    await clock.advance(1_000);
    await settled();
  }
  expect(await now(run)).toEqual(GOOD);
  expect(sink.steps).toEqual(Array.from({ length: 12 }, (_, n) => `${n}`));
  expect(run.letters.rows).toEqual([]);
});

test('a source that breaks off ends the run, with everything before it delivered', async () => {
  const bytes = new PassThrough();
  const sink = new Kept('sink');
  const run = start([sourceOf('file', bytes)], [sink], new FakeClock());
  bytes.write(step('before'));
  await settled();
  bytes.destroy(new Error('EIO: i/o error'));
  const { failure, undelivered } = await run.result;
  expect(failure?.message).toBe('file: EIO: i/o error');
  expect(undelivered.size).toBe(0);
  expect(sink.steps).toEqual(['before']);
});

test('a sink that is down at the end gets the grace period and not a moment more; what it lacks is counted', async () => {
  const clock = new FakeClock();
  const well = new Kept('well');
  const run = start(
    [sourceOf('a', Readable.from([Buffer.from(step('a') + step('b'))]))],
    [new Kept('down', ['steps'], dead), well],
    clock,
  );
  await settled();
  await clock.advance(GRACE_MS - 1);
  expect(await now(run)).toBe('goes on');
  expect(well.steps).toEqual(['a', 'b']);
  await clock.advance(1);
  expect(await now(run)).toEqual({ ...GOOD, undelivered: new Map([['down', 2]]) });
  expect(run.ledgers.get('down')!.totals()).toEqual({ accepted: 2, stored: 0, dead_lettered: 0, dropped: 0, lost: 0 });
});

/** A sink that takes most of a grace period for each of six blocks. */
function backlog(clock: FakeClock): { run: Run; sink: Kept } {
  const sink = new Kept('slow', ['steps'], async (_part, signal) => {
    await clock.sleep(0.8 * GRACE_MS, signal);
    if (signal.aborted) throw new SinkError('retry', 'ABORTED', 'stopping', { in_doubt: true });
    return STORED;
  });
  const thousand = Buffer.from(step('a').repeat(1_000));
  const run = start([sourceOf('a', Readable.from(Array.from({ length: 6 }, () => thousand)))], [sink], clock);
  return { run, sink };
}

test('a backlog at the end of the input takes its time, as long as it gets smaller', async () => {
  const clock = new FakeClock();
  const { run, sink } = backlog(clock);
  await settled();
  await clock.advance(3 * GRACE_MS);
  expect(await now(run)).toBe('goes on');
  await clock.advance(4 * GRACE_MS);
  expect([await now(run), sink.rows.length]).toEqual([GOOD, 6_000]);
});

test('a stop gives the same backlog one grace period', async () => {
  const clock = new FakeClock();
  const { run } = backlog(clock);
  await settled();
  await clock.advance(2 * GRACE_MS);
  run.stop.abort();
  await clock.advance(GRACE_MS);
  expect(await now(run)).toMatchObject({ undelivered: new Map([['slow', expect.any(Number)]]) });
});

test('a sink that comes back within the grace period gets everything', async () => {
  const clock = new FakeClock();
  let down = true;
  const sink = new Kept('sink', ['steps'], (part, signal) => (down ? dead(part, signal) : Promise.resolve(STORED)));
  const run = start([sourceOf('a', Readable.from([Buffer.from(step('a'))]))], [sink], clock);
  await settled();
  await clock.advance(GRACE_MS / 2);
  down = false;
  await clock.advance(2_000);
  expect(await now(run)).toEqual(GOOD);
  expect(sink.steps).toEqual(['a']);
});

test('with a dead sink and a full spool, a stop still ends within one grace period, and says what was read in vain', async () => {
  const clock = new FakeClock();
  const bytes = new PassThrough();
  const run = start([sourceOf('pipe', bytes)], [new Kept('down', ['steps'], dead)], clock, 1_000);
  for (let n = 0; n < 6; n++) {
    bytes.write(step(`${n}`));
    await settled();
  }
  run.stop.abort();
  await clock.advance(GRACE_MS - 1);
  expect(await now(run)).toBe('goes on');
  await clock.advance(2_001);
  const result = (await now(run)) as PipelineResult;
  expect(result).not.toBe('goes on');
  expect(result.undelivered).toEqual(new Map([['down', 1]]));
  expect(result.unaccepted).toBeGreaterThan(0);
  // Every line that was read is one of the three: every step here is as long as the others.
  expect(result.undecoded).toBe((6 - 1 - result.unaccepted) * step('0').length);
});

test('a stage that comes to no end gets what is left of the grace period, and not one of its own', async () => {
  const clock = new FakeClock();
  const bytes = new PassThrough();
  const stage: Stage = {
    name: 'stuck',
    complete: () => expect.unreachable(),
    run: (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true })),
  };
  const run = start([sourceOf('pipe', bytes)], [new Kept('down', ['steps'], dead)], clock, 1_000, [stage]);
  for (let n = 0; n < 6; n++) {
    bytes.write(step(`${n}`));
    await settled();
  }
  run.stop.abort();
  await clock.advance(GRACE_MS - 1);
  expect(await now(run)).toBe('goes on');
  await clock.advance(2_001);
  expect(await now(run)).toMatchObject({ undelivered: new Map([['down', 1]]) });
});

test('a slow sink holds the source back: no more is read than the spool and a few reads hold', async () => {
  const clock = new HastyClock();
  let let_go: (() => void) | undefined;
  const slow = new Kept('slow', ['steps'], async () => {
    await new Promise<void>((resolve) => {
      let_go = resolve;
    });
    return STORED;
  });
  let given = 0;
  // Long rows: what is under way is bounded in bytes, to 2 MiB.
  const name = (n: number): string => `${n} ${'x'.repeat(2_000)}`;
  const lines = function* (): Generator<Buffer> {
    for (let n = 0; n < 2_000; n++) {
      given += 1;
      yield Buffer.from(step(name(n)));
    }
  };
  const bytes = Readable.from(lines(), { highWaterMark: 1 });
  const run = start([sourceOf('pipe', bytes)], [slow], clock, 40_000);
  for (let n = 0; n < 1_000; n++) await settled();
  const before = given;
  for (let n = 0; n < 50; n++) await settled();
  expect(given).toBe(before);
  // About 2.6 kB each.
  expect(before).toBeLessThan(1_000);
  expect(run.spool.usage().bytes).toBeLessThanOrEqual(40_000);
  const timer = setInterval(() => let_go?.(), 0);
  expect(await run.result).toEqual(GOOD);
  clearInterval(timer);
  expect(slow.steps).toEqual(Array.from({ length: 2_000 }, (_, n) => name(n)));
}, 60_000);

test('dead letters of the last block are written before the run is over', async () => {
  const run = start(
    [sourceOf('a', Readable.from([Buffer.from(step('a') + step('b'))]))],
    [new Kept('sink', ['steps'], refusing)],
    new HastyClock(),
  );
  expect(await run.result).toEqual(GOOD);
  expect(run.letters.rows).toMatchObject([{ reason: 'sink', code: '27', sink: 'sink' }, { reason: 'sink' }]);
  expect(run.ledgers.get('dead-letters')!.totals()).toEqual({
    accepted: 2,
    stored: 2,
    dead_lettered: 0,
    dropped: 0,
    lost: 0,
  });
});

test('an error whose lines stop coming is delivered without waiting for more', async () => {
  const clock = new FakeClock();
  const bytes = new PassThrough();
  const sink = new Kept('sink', ['events', 'logs']);
  const run = start([sourceOf('pipe', bytes)], [sink], clock);
  bytes.write('Traceback (most recent call last):\n  File "a.py", line 1, in f\nValueError: no\n');
  await settled();
  await clock.advance(5_000);
  expect(await now(run)).toBe('goes on');
  expect(sink.rows).toHaveLength(1);
  bytes.end();
  expect(await run.result).toEqual(GOOD);
});
