import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { Counters } from '../src/counters.ts';
import { Intake } from '../src/intake.ts';
import type { PipelineOptions } from '../src/pipeline.ts';
import { Reading } from '../src/reading.ts';
import { Requests } from '../src/requests.ts';
import { Slabs } from '../src/slabs.ts';
import type { DiskSpool } from '../src/spool/disk.ts';
import { spoolNames } from '../src/spool/names.ts';
import { OPTIONS } from './support/decode.ts';
import { HastyClock } from './support/fake-clock.ts';
import { OracleFs } from './support/oracle-fs.ts';
import { turns } from './spool/ends.ts';
import { LIMITS, never, open } from './spool/scenes.ts';
import { line } from './cli/parts.ts';

const HOUR_MS = 3_600_000;

interface Life {
  readonly spool: DiskSpool;
  readonly requests: Requests;
  readonly committed: number[];
  readonly reading: Reading;
}

/** A process with one source of requests. */
async function live(fs: OracleFs, clock: HastyClock): Promise<Life> {
  const committed: number[] = [];
  const appended = ({ seq, batch }: { seq: number; batch: { rows: readonly unknown[] } }): void => {
    if (batch.rows.length > 0) committed.push(seq);
  };
  const { spool } = await open('/spool', { fs, clock, sync: 'group', memory_bytes: 1 << 20, appended });
  const counters = new Counters(new Registry(), () => spool.usage());
  const reading = new Reading(OPTIONS);
  const intake = new Intake({ spool, clock, counters, slabs: new Slabs() } as unknown as PipelineOptions, reading);
  return { spool, requests: new Requests({ name: 'http:agents', framing: 'record' }, intake), committed, reading };
}

const request = (id: string, lines = line(id)): { id: string; lines: Buffer } => ({ id, lines: Buffer.from(lines) });

test('A request that comes again is not stored again, also while the first is on its way', async () => {
  const { requests, committed } = await live(new OracleFs(1), new HastyClock());
  const both = await Promise.all([requests.take(request('a')), requests.take(request('a'))]);
  expect([both, await requests.take(request('a')), committed.length]).toEqual([['stored', 'again'], 'again', 1]);
});

test('One request is one record, whatever is in it', async () => {
  const { requests, committed, spool } = await live(new OracleFs(1), new HastyClock());
  const broken = line('bad').replace('"wall_time_s": 1.5', '"wall_time_s": "long"');
  const lines = `${line('one')}plain text\n${broken}Traceback (most recent call last):\n  File "x.py", line 1, in f\nValueError: no`;
  await requests.take(request('a', lines));
  expect(committed).toHaveLength(1);
  const { steps, logs, events, rejections } = spool.mark;
  // Nothing of it waits for another request: the traceback is whole with its last line.
  expect({ steps, logs, events, rejections }).toEqual({ steps: 1, logs: 2, events: 0, rejections: 1 });
});

test('A process that is killed behind the commit knows its requests when it is started again, for an hour', async () => {
  const fs = new OracleFs(1);
  const clock = new HastyClock();
  const first = await live(fs, clock);
  await first.requests.take(request('a'));
  const second = await live(fs.crash('kill'), clock);
  expect([await second.requests.take(request('a')), await second.requests.take(request('b'))]).toEqual([
    'again',
    'stored',
  ]);
  const third = await live(fs.crash('power cut'), clock);
  expect([await third.requests.take(request('a')), third.committed]).toEqual(['again', []]);
  await clock.sleep(HOUR_MS, new AbortController().signal);
  expect(await third.requests.take(request('a'))).toBe('stored');
});

test('Requests are known when the segment that they stand in is long gone', async () => {
  const fs = new OracleFs(1);
  const clock = new HastyClock();
  const first = await live(fs, clock);
  const lane = first.spool.reader('a');
  await first.requests.take(request('early'));
  const large = line('x'.repeat(400_000));
  for (let n = 0; n < 10; n++) await first.requests.take(request(`large ${n}`, large));
  for (let seq = 0; seq < 11;) {
    seq = (await lane.take(LIMITS, never)).at(-1)!.seq;
    lane.advance(seq);
  }
  lane.keep(11);
  await turns(20);
  expect(spoolNames(await fs.list('/spool')).find(({ kind }) => kind === 'seg')!.number).toBeGreaterThan(1);
  const second = await live(fs.crash('kill'), clock);
  expect(await second.requests.take(request('early'))).toBe('again');
});

test('The same id of two sources are two requests', async () => {
  const { requests, spool, reading, committed } = await live(new OracleFs(1), new HastyClock());
  const counters = new Counters(new Registry(), () => spool.usage());
  const options = { spool, clock: new HastyClock(), counters, slabs: new Slabs() } as unknown as PipelineOptions;
  const other = new Requests({ name: 'forward:agents', framing: 'record' }, new Intake(options, reading));
  expect([await requests.take(request('a')), await other.take(request('a')), committed.length]).toEqual([
    'stored',
    'stored',
    2,
  ]);
});

test('What was not committed may be sent again, and is stored then', async () => {
  const { requests, reading, committed } = await live(new OracleFs(1), new HastyClock());
  reading.over = true;
  await expect(requests.take(request('a'))).rejects.toThrow('reading has ended');
  reading.over = false;
  expect([await requests.take(request('a')), committed.length]).toEqual(['stored', 1]);
});

/** An event of Orchest, as a delivery of one of its webhooks. */
const delivery = (uuid: string): string =>
  `{"delivered_for": {"type": "webhook"}, "event": {"uuid": "${uuid}", "type": "project:created", "timestamp": "2022-06-02 16:13:00+00:00"}}\n`;
/** Of several pieces, between which others have their turns. */
const large = (...uuids: string[]): string => line('x'.repeat(400_000)) + uuids.map(delivery).join('');

test('An event that two requests tell of at once is stored once, whichever is large', async () => {
  const { requests, spool } = await live(new OracleFs(1), new HastyClock());
  const both = async (...bodies: readonly [first: string, second: string]): Promise<number> => {
    const before = spool.mark.events;
    const id = `${before} ${bodies[0].length}`;
    await Promise.all(bodies.map((body, n) => requests.take(request(`${id} ${n}`, body))));
    return spool.mark.events - before;
  };
  expect(await both(delivery('a'), delivery('a'))).toBe(1);
  expect(await both(delivery('b'), large('b'))).toBe(1);
  expect(await both(large('c'), delivery('c'))).toBe(1);
  expect(await both(large('d'), large('d'))).toBe(1);
});

test('What is known of an event on its way is known for good, also when lines are read otherwise meanwhile', async () => {
  const { requests, spool, reading } = await live(new OracleFs(1), new HastyClock());
  const first = requests.take(request('first', delivery('a')));
  reading.decode = { ...OPTIONS };
  await Promise.all([first, requests.take(request('second', delivery('b')))]);
  await requests.take(request('third', delivery('a')));
  expect(spool.mark.events).toBe(2);
});
