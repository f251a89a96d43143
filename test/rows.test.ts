import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TS_END, TS_START, type Rows, type Tuple } from '../src/batch.ts';
import { encodeUtf8 } from '../src/bytes.ts';
import { RowsBuilder } from '../src/rows.ts';
import { Slabs } from '../src/slabs.ts';
import { formatTime } from '../src/time.ts';
import { tupleOf } from '../src/tuples.ts';

const row = (message: string): string => `{"ts":"2026-02-19T10:30:44.189000Z","message":${JSON.stringify(message)}}`;

/** What was put in, out of the columns. */
function read({ bytes, ends, tuple, dictionary, durations }: Rows): [string, Tuple, number][] {
  return Array.from(ends, (end, n) => [
    bytes.toString('utf8', n === 0 ? 0 : ends[n - 1]!, end),
    dictionary[tuple[n]!]!,
    durations[n]!,
  ]);
}

const builder = (): RowsBuilder => new RowsBuilder('logs', new Slabs());

describe('Rows', () => {
  test('come out as they were put in, batch for batch, however many and however large', () => {
    const tuples = Array.from({ length: 40 }, (_, n) => tupleOf({ step: `s${n}` }));
    const one = fc.record({
      text: fc.oneof(
        fc.string({ unit: 'binary', maxLength: 20 }),
        fc.integer({ min: 0, max: 100_000 }).map((n) => 'é'.repeat(n)),
      ),
      tuple: fc.constantFrom(...tuples),
      duration: fc.oneof(fc.double(), fc.constant(Number.NaN)),
    });
    fc.assert(
      fc.property(fc.array(fc.array(one, { maxLength: 30 }), { minLength: 1, maxLength: 4 }), (batches) => {
        const rows = builder();
        for (const batch of batches) {
          for (const { text, tuple, duration } of batch)
            rows.add(encodeUtf8(row(text.toWellFormed())), tuple, duration);
          expect(rows.count).toBe(batch.length);
          const taken = rows.take();
          const expected = batch.map(({ text, tuple, duration }) => [`${row(text.toWellFormed())}\n`, tuple, duration]);
          expect(taken === undefined ? [] : read(taken)).toEqual(expected);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('More than a table holds at first, with each tuple once in the dictionary', () => {
    const rows = builder();
    for (let n = 0; n < 5000; n++) rows.add(row(String(n)), tupleOf({ step: `t${n % 3000}` }), n);
    const taken = rows.take()!;
    expect(taken.dictionary).toHaveLength(3000);
    expect(read(taken).map(([text, { step }, duration]) => [text, step, duration])).toEqual(
      Array.from({ length: 5000 }, (_, n) => [`${row(String(n))}\n`, `t${n % 3000}`, n]),
    );
  });

  test('Equal labels are one tuple, until there are too many; rows stay right then too', () => {
    expect(tupleOf({ step: 'a', task: 'b' })).toBe(tupleOf({ task: 'b', step: 'a' }));
    expect(tupleOf({ step: 'a', task: 'b' })).not.toBe(tupleOf({ step: 'b', task: 'a' }));
    const rows = builder();
    const before = tupleOf({ step: 'before' });
    rows.add(row('x'), before, 1);
    for (let n = 0; n < 61_000; n++) tupleOf({ step: `many ${n}` });
    const after = Array.from({ length: 200 }, (_, n) => tupleOf({ step: `after ${n}` }));
    for (const tuple of after) rows.add(row('x'), tuple, 1);
    rows.add(row('x'), before, 1);
    expect(read(rows.take()!).map(([, tuple]) => tuple)).toEqual([before, ...after, before]);
  });

  test('What was handed out does not change when more is added', () => {
    const rows = builder();
    rows.add(row('first'), tupleOf({}), 1);
    const first = rows.take()!;
    const image = structuredClone(read(first));
    for (let n = 0; n < 1000; n++) rows.add(row('second'), tupleOf({ step: 'x' }), 2);
    rows.take();
    expect(read(first)).toEqual(image);
  });

  test('Nothing added is nothing to take', () => {
    expect(builder().take()).toBeUndefined();
  });

  test('A row in pieces is the same as in one, and its time is the one that formatTime says', () => {
    const time = fc.oneof(
      fc.integer({ min: 0, max: 9.2e15 }),
      fc.constantFrom(0, 86_399_999_999, 86_400_000_000, 951_782_400_000_000 - 1),
    );
    fc.assert(
      fc.property(time, fc.string({ unit: 'grapheme-ascii', maxLength: 50 }), (us, text) => {
        const rows = builder();
        const bytes = Buffer.from(JSON.stringify(text));
        rows.reserve(100 + bytes.length);
        rows.put(Buffer.from('{"ts":"'));
        rows.time(us);
        rows.text('","message":');
        rows.copy(bytes, 0, bytes.length);
        rows.put(Buffer.from('}'));
        rows.end(tupleOf({}), 0);
        const taken = rows.take()!;
        expect(taken.bytes.toString()).toBe(`{"ts":"${formatTime(us)}","message":${JSON.stringify(text)}}\n`);
        expect(taken.bytes.toString('latin1', TS_START, TS_END)).toBe(formatTime(us));
      }),
      { numRuns: 2000 },
    );
  });
});
