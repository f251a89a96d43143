import { expect, test } from 'vitest';
import { NO_DOUBT, split, type LanePart } from '../../src/delivery/part.ts';
import type { Table } from '../../src/batch.ts';
import type { Sink } from '../../src/sinks/sink.ts';
import { partOf, stepRow, type RowObject } from '../support/rows.ts';
import { onCourse, type Course } from './course.ts';

/** What no message, no dead letter's detail and no log may contain. */
export const CANARY = 'canary-4111';
export const PASSWORD = 'pass-9c1';
const SECRETS = [CANARY, PASSWORD, Buffer.from(`someone:${PASSWORD}`).toString('base64')];

/** A sink and what stands behind it. */
export interface Bench {
  readonly sink: Sink;
  /** How often each row is stored, by the value of its field `step`. */
  readonly stored: () => Promise<ReadonlyMap<string, number>>;
  readonly stop: () => Promise<void>;
}

export interface Case {
  readonly title: string;
  readonly run: () => Promise<void>;
}

export interface SinkContract {
  readonly name: string;
  readonly start: () => Promise<Bench>;
}

/** What every sink does, whatever it stores rows in. */
export function sinkCases({ start }: SinkContract): Case[] {
  const on = (title: string, run: (bench: Bench, course: Course) => Promise<void>): Case => ({
    title,
    run: () => onCourse(start, run),
  });
  return [
    on('every row of every record is stored once, and the ledger closes', async (bench, course) => {
      const named = await giveRecords(course, 5);
      await course.finish();
      await storedOnce(bench, course, named);
      expect(course.states.map(({ state }) => state)).toEqual(['running', 'stopped']);
    }),
    on('rows that are settled are not stored again', async ({ sink, stored }) => {
      await sink.open(never);
      const rows = ['a', 'b', 'c', 'd'].map((step) => stepRow({ step }));
      await sink.send(partOf(rows, { settled: Uint8Array.of(1, 0, 1, 0) }), never);
      expect(await stored()).toEqual(counts(['b', 'd']));
      await sink.send(partOf(rows, { seq: 2, settled: Uint8Array.of(1, 1, 1, 1) }), never);
      expect(await stored()).toEqual(counts(['b', 'd']));
    }),
    on('half of a part is that half', async ({ sink, stored }) => {
      await sink.open(never);
      const whole = partOf(['a', 'b', 'c'].map((step) => stepRow({ step })));
      const part: LanePart = { ...whole, whole: whole.token, first: 0, of: whole.count, doubt: NO_DOUBT };
      const [left, right] = split(part);
      await sink.send(right, never);
      expect(await stored()).toEqual(counts(['b', 'c']));
      await sink.send(left, never);
      expect(await stored()).toEqual(counts(['a', 'b', 'c']));
    }),
    on('it may be opened again, as after a hold, and goes on', async ({ sink, stored }) => {
      await sink.open(never);
      await sink.send(partOf([stepRow({ step: 'a' })]), never);
      await sink.open(never);
      await sink.send(partOf([stepRow({ step: 'b' })], { seq: 2 }), never);
      expect(await stored()).toEqual(counts(['a', 'b']));
    }),
    on('it may be closed before it was opened, and twice', async ({ sink }) => {
      await expect(sink.close()).resolves.toBeUndefined();
      await sink.open(never);
      await expect(sink.close()).resolves.toBeUndefined();
      await expect(sink.close()).resolves.toBeUndefined();
    }),
    on('what it says of itself has no password in it', async ({ sink }) => {
      expect(sink.describe()).not.toBe('');
      await sink.open(never);
      discreet([sink.name, sink.describe()]);
    }),
    on('a run that is aborted before anything was sent leaves everything pending', async (bench, course) => {
      const named = await giveRecords(course, 2);
      await course.abort();
      course.begin();
      await course.finish();
      expect(course.lane.pending()).toBe(named.length);
      closes(course);
      expect(await bench.stored()).toEqual(new Map());
      expect(course.lane.state).toEqual({ state: 'stopped' });
    }),
  ];
}

export function runCases(name: string, cases: readonly Case[]): void {
  for (const { title, run } of cases) {
    test(`${name}: ${title}`, async () => {
      expect.hasAssertions();
      await run();
    });
  }
}

export const never: AbortSignal = new AbortController().signal;

/** Gives records of steps and logs, and the names of the rows that the sink takes. */
export async function giveRecords(course: Course, records: number, padding = ''): Promise<string[]> {
  const named: string[] = [];
  for (let seq = 1; seq <= records; seq++) {
    const rows = (table: Table, count: number): RowObject[] =>
      Array.from({ length: count }, (_, row) => {
        const step = `${table}-${seq}-${row}`;
        if (course.lane.sink.tables.has(table)) named.push(step);
        return stepRow({ step, task: CANARY, ...(padding === '' ? {} : { message: padding }) });
      });
    await course.give({ steps: rows('steps', 3), logs: rows('logs', 2) });
  }
  return named;
}

export function counts(names: readonly string[]): Map<string, number> {
  return new Map(names.map((name) => [name, 1]));
}

/** Those rows are stored once each and no other; nothing is pending; nobody said a secret. */
export async function storedOnce(bench: Bench, course: Course, names: readonly string[]): Promise<void> {
  const stored = await bench.stored();
  expect(stored).toEqual(counts(names));
  expect(course.counted.totals().stored).toBe(names.length);
  expect(course.lane.pending()).toBe(0);
  closes(course);
  sentAlike(course);
  discreet(course.said);
}

/** Over all retries a part is the same part: one token is the same rows, and doubt is never forgotten. */
export function sentAlike(course: Course): void {
  const first = new Map<string, (typeof course.sent)[number]>();
  for (const part of course.sent) {
    const key = `${part.table} ${part.token}`;
    const before = first.get(key);
    if (before === undefined) first.set(key, part);
    else {
      const { slices, count, day } = part;
      expect({ key, slices, count, day }).toEqual({ key, slices: before.slices, count: before.count, day: before.day });
      if (before.in_doubt) expect({ key, in_doubt: part.in_doubt }).toEqual({ key, in_doubt: true });
      first.set(key, part);
    }
  }
}

export function discreet(texts: readonly string[]): void {
  for (const text of texts) for (const secret of SECRETS) expect(text).not.toContain(secret);
}

/** For every sink, always: accepted = stored + dead-lettered + lost + dropped + pending; and here nothing is lost, and nothing dropped. */
export function closes({ counted, lane }: Course): void {
  const { accepted, stored, dead_lettered, lost, dropped } = counted.totals();
  const pending = lane.pending();
  const sum = stored + dead_lettered + lost + dropped + pending;
  expect({ stored, dead_lettered, lost, dropped, pending, sum }).toMatchObject({ lost: 0, dropped: 0, sum: accepted });
}
