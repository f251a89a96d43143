import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FRAMEWORK, types } from '../event-types/parts.ts';
import { decode as decodeOnly, type Decoded, type How, type Outcome } from '../support/decode.ts';
import { compiled, EPOCH, epoch } from './custom/events.ts';
import { eventLine, Raw } from './rhapsody/lines.ts';

/** What producers write, and which dialects their lines are of. A new producer is one line here. */
const FIXTURES: readonly (readonly [written: readonly string[], dialects: readonly string[]])[] = [
  [fixture('flyte-samples.log'), ['flytekit', 'flyte2', 'flyte-services', 'log']],
  [fixture('orchest-webhook-samples.jsonl').map(delivered), ['orchest']],
  [fixture('sample-session.telemetry.jsonl'), ['rhapsody']],
  [own(), ['custom', 'rhapsody']],
];

function fixture(file: string): string[] {
  return readFileSync(`test/fixtures/${file}`, 'latin1').trimEnd().split('\n');
}

/** Events that a pipeline describes and those of types that it declares, good ones and broken ones. */
function own(): string[] {
  const checkpoint = (step: unknown, fields = {}): string =>
    eventLine('myframework.ModelCheckpoint', { event_id: String(step), step, loss: 0.4, ...fields });
  return [
    ...Array.from({ length: 10 }, (_, n) => epoch({ name: `epoch ${n}`, email: 'a@b.c', meta: { dataset: 'd' } })),
    ...Array.from({ length: 10 }, (_, n) => checkpoint(n, { loss: new Raw(n === 3 ? 'Infinity' : `${n}.5`) })),
    epoch({ took_ms: -1 }),
    epoch().slice(0, -20),
    checkpoint('last'),
    checkpoint(11).slice(0, -20),
  ];
}

const events = compiled(EPOCH);
const declared = types(FRAMEWORK);

function decode(input: string | Buffer, how: How = {}): Outcome {
  return decodeOnly(input, { events, types: declared, ...how });
}

/** The body of a webhook's delivery, as its source hands it on. */
function delivered(line: string): string {
  const { headers, body } = JSON.parse(line) as { headers: Record<string, string>; body: string };
  if (headers['Content-Type'] === 'application/json') return body;
  const form = new URLSearchParams(body);
  return `{"delivered_for": ${form.get('delivered_for')}, "event": ${form.get('event')}}`;
}

/** What a line is alone. */
function event(line: string): string {
  return JSON.stringify(decode(Buffer.from(line, 'latin1')).rows.map(({ fields }) => fields));
}

const AT = '2026-02-19T10:30:44.189512345Z';

/** How the lines of a stream are framed; those of the runtime's files are cut now and then. */
const FRAMES: readonly ((line: string, n: number) => string[])[] = [
  (line, n) => runtime('stderr', line, n),
  // Samples that name a stream are behind their frame of that one.
  (line, n) => runtime('stdout', line.replaceAll('stderr', 'stdout'), n),
  (line) => [`[pod/a/main] ${AT} ${line}`],
  (line) => [`[pod/b/main] ${line}`],
];

function runtime(stream: string, line: string, n: number): string[] {
  if (n % 3 !== 0 || line.length < 2) return [`${AT} ${stream} F ${line}`];
  const half = line.length >> 1;
  return [`${AT} ${stream} P ${line.slice(0, half)}`, `${AT} ${stream} F ${line.slice(half)}`];
}

interface Stream {
  readonly lines: readonly string[];
  readonly dialects: readonly string[];
  /** Of its rows. */
  readonly key: string;
}

/** Each producer in each frame: no two streams of one frame, since those would be one. */
const streams: Stream[][] = FIXTURES.map(([written, dialects]) => {
  // What is delivered again is no event a second time; which of the two it is would depend on the order.
  const known = new Set<string>();
  const lines = dialects.includes('log') ? written : written.filter((line) => known.size < known.add(event(line)).size);
  return FRAMES.map((frame, n) => ({
    lines: lines.flatMap((line, at) => frame(line, at)),
    dialects,
    key: ['stderr', 'stdout', 'a', 'b'][n]!,
  }));
});

function told(rows: readonly Decoded[]): unknown[] {
  return rows.map(({ table, fields: { offset: _elsewhere, ...fields }, tuple, duration }) => [
    table,
    fields,
    { ...tuple, id: 0 },
    duration,
  ]);
}

/** Rows by table: batches of a few lines and of many have the same, table by table. */
function byTable(rows: readonly Decoded[]): unknown[] {
  return told(rows.toSorted((one, other) => one.table.localeCompare(other.table)));
}

function keyOf({ fields }: Decoded): string {
  // Samples that are a pod's log in themselves say so behind their frame, and the frame counts.
  return (fields['pod'] ?? fields['stream'] ?? '') as string;
}

const alone = new Map<Stream, unknown[]>();

/** What a stream is when nobody writes in between. */
function expected(stream: Stream): unknown[] {
  let rows = alone.get(stream);
  if (rows === undefined) {
    const decoded = decode(Buffer.from(stream.lines.join('\n'), 'latin1')).rows;
    rows = byTable(decoded.filter((row) => keyOf(row) === stream.key));
    alone.set(stream, rows);
  }
  return rows;
}

/** Which producer writes in which frame, whose line is next, where reads end, and where another decoder goes on. */
const mix = fc.record({
  first: fc.nat(FRAMES.length - 1),
  turns: fc.array(fc.nat(), { minLength: 20, maxLength: 60 }),
  cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 }),
  stops: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 3 }),
});

test.each([true, false])(
  'All dialects in one stream, cut anywhere, are the same events as each alone; with the fast path %s',
  (fast) => {
    const seen = new Set<unknown>();
    fc.assert(
      fc.property(mix, ({ first, turns, cuts, stops }) => {
        const chosen = streams.map((each, n) => each[(first + n) % FRAMES.length]!);
        const waiting = chosen.map(({ lines }) => [...lines]);
        const mixed: string[] = [];
        for (let n = 0; waiting.some(({ length }) => length > 0); n++) {
          const open = waiting.filter(({ length }) => length > 0);
          mixed.push(open[turns[n % turns.length]! % open.length]!.shift()!);
        }
        const bytes = Buffer.from(mixed.join('\n'), 'latin1');
        const at = (shares: readonly number[]): number[] => shares.map((share) => Math.floor(share * bytes.length));
        const how: How = { fast, cuts: at(cuts), stops: at(stops).sort((a, b) => a - b) };
        const { rows } = decode(bytes, how);
        for (const stream of chosen) {
          expect(byTable(rows.filter((row) => keyOf(row) === stream.key))).toEqual(expected(stream));
        }
        for (const { fields } of rows) seen.add(fields['dialect']);
      }),
      { numRuns: 12 },
    );
    // It is no proof when they are not there.
    expect([...seen]).toEqual(expect.arrayContaining(FIXTURES.flatMap(([, dialects]) => [...dialects])));
  },
);
