import { expect, vi } from 'vitest';
import { NO_TOTALS } from '../../src/delivery/ledger.ts';
import { HTTP_FAULTS, type Fault, type FaultyServer } from '../support/faulty-server.ts';
import { stepRow } from '../support/rows.ts';
import { HOLD_MS, onCourse, type Course } from './course.ts';
import {
  CANARY,
  closes,
  counts,
  discreet,
  giveRecords,
  storedOnce,
  type Bench,
  type Case,
  type SinkContract,
} from './sink-contract.ts';

/** A sink that talks to a server over HTTP. */
export interface HttpBench extends Bench {
  readonly server: FaultyServer;
  /** The sink has waited for as long as it waits. */
  waited(): void;
  /** What the protocol promises on top: checked at the end of every case. */
  lawful(): void;
}

export interface HttpSinkContract extends SinkContract {
  readonly start: () => Promise<HttpBench>;
  /** How it takes an answer that is no HTTP: as a broken connection, or as something that somebody has to look at. */
  readonly malformed: 'retrying' | 'holding';
  /** Makes the server refuse the row of that step for good, and nothing else. */
  poison(bench: HttpBench, step: string): void;
  /** The code that its dead letter has. */
  readonly poisonCode: string;
}

/** A fault that lasts until it is mended: what the lane is meanwhile, and what it says. */
export interface Trouble {
  readonly title: string;
  readonly fault: (bench: HttpBench) => Fault;
  readonly ends: 'retrying' | 'holding';
  readonly code: RegExp;
  /** Every pause is at least so long, in milliseconds. */
  readonly rest?: number;
}

const html = `<html>${CANARY}</html>`;

function troubles(contract: HttpSinkContract): Trouble[] {
  const retry = (title: string, code: RegExp, fault: Trouble['fault'], rest?: number): Trouble => {
    const trouble = { title, code, fault, ends: 'retrying' as const };
    return rest === undefined ? trouble : { ...trouble, rest };
  };
  const hold = (title: string, code: RegExp, fault: Trouble['fault']): Trouble => ({
    title,
    code,
    fault,
    ends: 'holding',
  });
  const { hang, reset, resetWhileReading, truncated, malformed, status } = HTTP_FAULTS;
  const after = { 'retry-after': '7' };
  const broken = /^(ECONNRESET|EPIPE|ERR_STREAM_PREMATURE_CLOSE)$/;
  const table: Trouble[] = [
    retry('resets the connection while it reads', broken, () => resetWhileReading()),
    retry('says 429 with Retry-After', /^HTTP 429$/, () => status({ status: 429, headers: after, body: html }), 7000),
    retry('says 503 with Retry-After', /^HTTP 503$/, () => status({ status: 503, headers: after, body: html }), 7000),
    hold('says 400', /^HTTP 400$/, () => status({ status: 400, body: html })),
    hold('says 401', /^HTTP 401$/, () => status({ status: 401, body: html })),
    hold('says 403', /^HTTP 403$/, () => status({ status: 403, body: html })),
    hold('says 404', /^HTTP 404$/, () => status({ status: 404, body: html })),
  ];
  for (const stored of [false, true]) {
    const so = stored ? ', having stored the rows' : '';
    const ends = contract.malformed;
    table.push(
      retry(`hangs${so}`, /^TIMEOUT$/, (bench) => hang(() => bench.waited(), stored)),
      retry(`resets the connection${so}`, broken, () => reset(stored)),
      retry(`cuts its answer${so}`, broken, () => truncated(stored)),
      retry(`says 502${so}`, /^HTTP 502$/, () => status({ status: 502, body: html }, stored)),
      { title: `talks another protocol${so}`, ends, code: /^HPE_/, fault: () => malformed(stored) },
    );
  }
  return table;
}

/** The server misbehaves for several tries; meanwhile nothing is dropped and everything is said, and afterwards everything is stored once. */
export async function endures(bench: HttpBench, course: Course, trouble: Trouble): Promise<void> {
  const { server } = bench;
  server.fault = trouble.fault(bench);
  const named = await giveRecords(course, 3, 'x'.repeat(30_000));
  course.begin();
  await course.failed(4);
  expect(course.lane.state.state).toBe(trouble.ends);
  expect(course.lane.state.reason).toBeTruthy();
  expect(course.lane.pending()).toBe(named.length);
  expect(course.counted.totals()).toEqual({ ...NO_TOTALS, accepted: named.length, stored: 0, dead_lettered: 0 });
  for (const code of course.codes) expect(code).toMatch(trouble.code);
  const least = trouble.ends === 'holding' ? HOLD_MS : (trouble.rest ?? 0);
  for (const pause of course.clock.slept) expect(pause).toBeGreaterThanOrEqual(least);
  server.fault = undefined;
  await course.finish();
  await storedOnce(bench, course, named);
  expect(await course.deadLetters()).toEqual([]);
  const told = course.states.map(({ state }) => state);
  expect(told).toEqual(['running', trouble.ends, 'running', 'stopped']);
  bench.lawful();
}

/** What every sink that talks over HTTP does, on top of what every sink does. */
export function httpCases(contract: HttpSinkContract, own: readonly Trouble[] = []): Case[] {
  const on = (title: string, run: (bench: HttpBench, course: Course) => Promise<void>): Case => ({
    title,
    run: () => onCourse(() => contract.start(), run),
  });
  return [
    ...[...troubles(contract), ...own].map((trouble) =>
      on(`when the server ${trouble.title}, every row is stored once in the end`, (bench, course) =>
        endures(bench, course, trouble),
      ),
    ),
    on('when the server goes away and comes back, every row is stored once', async (bench, course) => {
      const named = await giveRecords(course, 1);
      course.begin();
      await vi.waitFor(() => expect(course.lane.pending()).toBe(0));
      await bench.server.leave();
      named.push(...(await giveMore(course)));
      await course.failed(3);
      expect(course.lane.state.state).toBe('retrying');
      expect(course.lane.pending()).toBe(2);
      closes(course);
      await bench.server.comeBack();
      await course.finish();
      await storedOnce(bench, course, named);
      bench.lawful();
    }),
    on('a server that is not there at the start is waited for', async (bench, course) => {
      await bench.server.leave();
      const named = await giveRecords(course, 2);
      course.begin();
      await course.failed(3);
      expect(course.lane.state.state).toBe('retrying');
      expect(course.codes).toContain('ECONNREFUSED');
      await bench.server.comeBack();
      await course.finish();
      await storedOnce(bench, course, named);
      expect(course.states.map(({ state }) => state)).toEqual(['retrying', 'running', 'stopped']);
    }),
    on('a server that asks for patience at the start gets it', async (bench, course) => {
      bench.server.faultOfQuestions = HTTP_FAULTS.status({ status: 429, headers: { 'retry-after': '11' }, body: html });
      const named = await giveRecords(course, 1);
      course.begin();
      await course.failed(3);
      for (const pause of course.clock.slept) expect(pause).toBeGreaterThanOrEqual(11_000);
      bench.server.faultOfQuestions = undefined;
      await course.finish();
      await storedOnce(bench, course, named);
    }),
    on(
      'a body that is too large is halved until it fits, and only a row that never fits is given up',
      async (bench, course) => {
        bench.server.fault = HTTP_FAULTS.tooLarge(4_000);
        const named = await giveRecords(course, 4);
        await course.give({ steps: [stepRow({ step: 'huge', task: CANARY, message: 'x'.repeat(5_000) })] });
        named.push(...(await giveMore(course)));
        await course.finish();
        await rejectsOnly(bench, course, named, 'huge', 'HTTP 413');
      },
    ),
    on(
      'a row that is refused for good is a dead letter with its code, and its neighbours are stored',
      async (bench, course) => {
        contract.poison(bench, 'poison');
        const named = await giveRecords(course, 3);
        await course.give({ steps: [stepRow({ step: 'poison', task: CANARY })] });
        named.push(...(await giveMore(course)));
        await course.finish();
        await rejectsOnly(bench, course, named, 'poison', contract.poisonCode);
        bench.lawful();
      },
    ),
    on(
      'a run that is aborted while the server hangs ends at once, and counts as pending what is not certain',
      async (bench, course) => {
        bench.server.fault = { act: () => setImmediate(() => void course.abort()) };
        const named = await giveRecords(course, 2);
        course.begin();
        await course.finish();
        expect(course.lane.pending()).toBe(named.length);
        closes(course);
      },
    ),
  ];
}

/** Rows that come later, in a record of their own. */
async function giveMore(course: Course): Promise<string[]> {
  const names = ['late-1', 'late-2'];
  await course.give({ steps: names.map((step) => stepRow({ step, task: CANARY })) });
  return names;
}

/** One row is a dead letter, in the spool, with all that is needed to find and to replay it; the others are stored. */
async function rejectsOnly(
  bench: HttpBench,
  course: Course,
  names: string[],
  step: string,
  code: string,
): Promise<void> {
  const stored = await bench.stored();
  expect(stored).toEqual(counts(names));
  expect(course.counted.totals()).toMatchObject({ stored: names.length, dead_lettered: 1 });
  expect(course.lane.pending()).toBe(0);
  closes(course);
  const letters = await course.deadLetters();
  expect(letters).toMatchObject([{ reason: 'sink', sink: bench.sink.name, code, table: 'steps' }]);
  expect(JSON.parse(letters[0]!.raw)).toMatchObject({ step, task: CANARY });
  expect(letters[0]!.row).toMatch(new RegExp(`^${course.spool.src}-\\d+-\\d+$`));
  discreet([letters[0]!.detail, ...course.said]);
}
