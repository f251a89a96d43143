import { readFileSync } from 'node:fs';
import type { Event, Rejection } from '../../src/index.ts';
import type { EventStream } from '../../src/transform/stream.ts';
import { HOSTILE } from '../e2e/hostile-lines.ts';
import { decode, OPTIONS, source, StillClock, type How, type Outcome } from '../support/decode.ts';
import { Decoder } from '../../src/decode.ts';

export const SAMPLES = readFileSync('test/fixtures/flyte-samples.log');

/** Lines that break programs, among those of the samples. */
export const LINES: readonly Buffer[] = [
  ...SAMPLES.toString('latin1')
    .split('\n')
    .map((line) => Buffer.from(line, 'latin1')),
  ...HOSTILE.filter(({ bytes }) => bytes.length < 10_000).map(({ bytes }) => bytes),
];

export const TRACEBACK = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\n';

export function joined(lines: readonly Buffer[]): Buffer {
  return Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')]));
}

/** What a stream gives, in the order in which it does. */
export interface Given {
  readonly events: Event[];
  readonly rejections: Rejection[];
}

/** Reads all of it. */
export async function readAll(stream: EventStream): Promise<Given> {
  const rejections: Rejection[] = [];
  stream.on('rejection', (rejection) => rejections.push(rejection));
  const events: Event[] = [];
  for await (const event of stream) events.push(event);
  return { events, rejections };
}

/** A step, a log and an error are in tables of their own. */
export function byTable(events: readonly Event[]): Pick<Outcome, 'steps' | 'logs' | 'events'> {
  const of = (kind: string): Record<string, unknown>[] =>
    events.filter((event) => event.kind === kind).map((event) => ({ ...event }));
  return { steps: of('step'), logs: of('log'), events: of('error') };
}

/** What the decoder itself makes of the input, by table. */
export function reference(input: Buffer, how: How = {}): Outcome {
  return decode(input, how);
}

/** What it makes of one line after the other, in their order. Only for lines of which each is one row, or none. */
export function inOrder(lines: readonly Buffer[]): Record<string, unknown>[] {
  const decoder = new Decoder(source, OPTIONS, new StillClock());
  const rows: Record<string, unknown>[] = [];
  let offset = 0;
  const add = ({ batch }: ReturnType<Decoder['feed']>): void => {
    for (const { bytes } of batch.rows) {
      for (const row of bytes.toString('utf8').split('\n').slice(0, -1)) rows.push(JSON.parse(row) as (typeof rows)[0]);
    }
  };
  for (const line of lines) {
    const bytes = joined([line]);
    add(decoder.feed({ bytes, offset }));
    offset += bytes.length;
  }
  add(decoder.flush('all'));
  return rows;
}
