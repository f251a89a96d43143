import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { Counters, newCounts } from '../../src/counters.ts';
import { BACKOFF } from '../../src/delivery/backoff.ts';
import { Lane } from '../../src/delivery/lane.ts';
import { Ledger } from '../../src/delivery/ledger.ts';
import { SinkError } from '../../src/sinks/sink.ts';
import { MemorySpool } from '../../src/spool/memory.ts';
import { Summary } from '../../src/summary.ts';
import { watch } from '../../src/terminal/view.ts';
import { batchOf, ScriptedSink } from '../delivery/scripted.ts';
import { FakeClock } from '../support/fake-clock.ts';

const EARLIER = { accepted: 100, stored: 90, dead_lettered: 10, lost: 0, dropped: 0 };

function plant() {
  const clock = new FakeClock();
  const registry = new Registry();
  const ledger = new Ledger(registry);
  const spool = new MemorySpool({ clock, max_bytes: 1 << 20, appended: (record) => ledger.accept(record) });
  const counters = new Counters(registry, () => spool.usage());
  const lane = (sink: ScriptedSink): Lane =>
    new Lane({ sink, spool, clock, ledger: ledger.lane(sink.name, sink.tables, EARLIER), backoff: BACKOFF });
  const sink = new ScriptedSink();
  const lanes = [lane(sink)];
  const deadLetters = lane(new ScriptedSink(undefined, 'dead-letters', ['rejections']));
  const look = watch({ clock, counters, summary: new Summary(), ledger, lanes: () => lanes, deadLetters, spool });
  const read = (lines: number): void => {
    counters.add('stdin', { ...newCounts(), lines, bytes: lines * 10, events: new Map([['flytekit\nstep', lines]]) });
  };
  return { clock, spool, sink, lane: lanes[0]!, look, read };
}

test('rates are of the last seconds, and sums of the whole run', async () => {
  const { clock, look, read } = plant();
  for (let quarter = 0; quarter < 40; quarter++) {
    await clock.advance(250);
    read(quarter < 20 ? 1_000 : 10);
    look();
  }
  const { rate, read: sums, elapsed_s, idle_s } = look();
  expect(rate).toEqual({ lines: 40, bytes: 400, events: 40 });
  expect(sums).toMatchObject({ lines: 20_200, bytes: 202_000, events: 20_200 });
  expect([elapsed_s, idle_s]).toEqual([10, 0]);
});

test('how long nothing was read is known from the beginning, and begins anew with every line', async () => {
  const { clock, look, read } = plant();
  await clock.advance(7_000);
  expect(look()).toMatchObject({ idle_s: 7, rate: { lines: 0, bytes: 0, events: 0 } });
  read(1);
  expect(look().idle_s).toBe(0);
  await clock.advance(42_000);
  expect(look()).toMatchObject({ idle_s: 42, rate: { lines: 0 } });
});

test('a sink is seen with what waits for it, since when and why, and with what it has got in this run', async () => {
  const { clock, spool, sink, lane, look } = plant();
  sink.openings = [new SinkError('retry', 'ECONNREFUSED', 'nobody is there')];
  const over = new AbortController();
  const running = lane.run(over.signal);
  await spool.append(batchOf(['a', 'b']));
  while (look().sinks[0]?.state !== 'retrying') await clock.advance(1);
  expect(look().sinks).toMatchObject([
    { name: 'scripted', state: 'retrying', reason: 'nobody is there', pending: 2, stored: 0, refused: 0 },
  ]);
  spool.end();
  await clock.advance(60_000);
  await running;
  expect(look().sinks).toMatchObject([{ state: 'stopped', pending: 0, oldest_s: 0, stored: 2, refused: 0 }]);
  expect(look().burying).toMatchObject({ name: 'dead-letters', state: 'starting', pending: 0 });
});
