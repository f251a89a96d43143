import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Decoder } from '../../../src/decode.ts';
import { decode, OPTIONS, source, StillClock, type Fields, type How } from '../../support/decode.ts';

const start = Date.parse('2026-02-19T10:30:00Z');

/** What propeller says, so many seconds after the start. */
function line(msg: string, at_s = 0, more: Readonly<Record<string, string>> = {}, level = 'warning'): string {
  const ts = new Date(start + at_s * 1000).toISOString().replace('.000', '');
  return JSON.stringify({ json: { exec_id: 'a1', node: 'n0', ...more }, level, msg, ts });
}

const repeats = { most: 3, window_s: 60 };

function logs(lines: readonly string[], how: How = {}): Fields[] {
  return decode(lines.join('\n'), { repeats, ...how }).logs.map(({ ts, message, attributes, lines: took }) => {
    const { repeated, repeated_since } = (attributes ?? {}) as Fields;
    return {
      ts: String(ts).slice(14, 19),
      message,
      repeated,
      since: String(repeated_since).slice(14, 19),
      lines: took,
    };
  });
}

const TEN = Array.from({ length: 10 }, (_, n) => line(`failed to get pod, try ${n}`, n * 5));

describe('Of lines that say the same but for digits', () => {
  test('a few are stored, and one row says how many the others were, and when', () => {
    expect(logs(TEN)).toMatchObject([
      { ts: '30:00', message: 'failed to get pod, try 0' },
      { ts: '30:05', message: 'failed to get pod, try 1' },
      { ts: '30:10', message: 'failed to get pod, try 2' },
      { ts: '30:45', message: 'failed to get pod, try 3', repeated: '7', since: '30:15', lines: 7 },
    ]);
  });

  test('a window is as long as it is told, by the time of the lines, and then another begins', () => {
    expect(logs([...TEN, line('failed to get pod, try 11', 61)]).slice(3)).toMatchObject([
      { ts: '30:45', repeated: '7' },
      { ts: '31:01', message: 'failed to get pod, try 11' },
    ]);
  });

  test.each([
    ['execution', line('x', 0, { exec_id: 'a2' })],
    ['node', line('x', 0, { node: 'n1' })],
    ['level', line('x', 0, {}, 'info')],
    ['words', line('y')],
  ])('those of another %s are not the same', (_, other) => {
    expect(logs([line('x'), line('x'), line('x'), other])).toHaveLength(4);
    expect(logs([line('x'), line('x'), line('x'), line('x'), other])).toHaveLength(5);
  });

  test('errors are all stored', () => {
    expect(logs(Array.from({ length: 20 }, () => line('no', 0, {}, 'error')))).toHaveLength(20);
  });

  test("a user's are all stored", () => {
    const lines = Array.from({ length: 20 }, () => 'time="2026-02-19T09:59:58Z" level=info msg=x');
    expect(decode(lines.join('\n')).logs).toHaveLength(20);
  });

  test('a window of 0 s stores all', () => {
    expect(logs(TEN, { repeats: { most: 3, window_s: 0 } })).toHaveLength(10);
  });

  test('ten a minute are stored where nobody says otherwise', () => {
    expect(decode(Array.from({ length: 30 }, () => line('x')).join('\n')).logs).toHaveLength(11);
  });
});

test('What is held back is told when a window of reading is over, though nothing comes', () => {
  const clock = new StillClock();
  const decoder = new Decoder(source, { ...OPTIONS, repeats }, clock);
  const bytes = Buffer.from(`${TEN.join('\n')}\n`);
  expect(decoder.feed({ bytes, offset: 0 }).batch.rows[0]!.ends).toHaveLength(3);
  let told = 0;
  for (let quiet_s = 0; quiet_s <= 61; quiet_s += 0.5) {
    expect(decoder.open).toBe(told === 0);
    told += decoder.flush('quiet').batch.lines;
    expect(told).toBe(quiet_s < 60 ? 0 : 7);
    clock.pass(500);
  }
});

test('What is held back survives any number of kills: no line is lost, and none is told twice', () => {
  const lines = fc.array(
    fc.tuple(fc.constantFrom('x 1', 'x 2', 'y'), fc.constantFrom('warning', 'error'), fc.nat(90)),
    { minLength: 1, maxLength: 40 },
  );
  fc.assert(
    fc.property(lines, fc.array(fc.nat(39), { maxLength: 4 }), (said, kills) => {
      const written = said.map(([msg, level, at]) => `${line(msg, at, {}, level)}\n`);
      const ends = [...new Set(kills)].sort((a, b) => a - b).filter((n) => n < written.length);
      const stops = ends.map((n) => written.slice(0, n).join('').length);
      const { logs: rows } = decode(written.join(''), { repeats: { most: 2, window_s: 30 }, stops });
      // decode() itself counts the lines of the rows against those that were read.
      for (const level of ['WARN', 'ERROR']) {
        const of = rows.filter((row) => row['level'] === level);
        const took = of.reduce((sum, row) => sum + Number(row['lines'] ?? 1), 0);
        expect(took).toBe(said.filter(([, word]) => word.startsWith(level.toLowerCase())).length);
      }
    }),
  );
});

test('Its memory is bounded: of more than a thousand the window that began first is closed', () => {
  const words = Array.from({ length: 1_100 }, (_, n) => n.toString(2).replaceAll('0', 'a').replaceAll('1', 'b'));
  const decoder = new Decoder(source, { ...OPTIONS, repeats: { most: 1, window_s: 60 } }, new StillClock());
  const bytes = Buffer.from(words.map((word) => `${line(word)}\n${line(word)}\n`).join(''));
  const { batch } = decoder.feed({ bytes, offset: 0 });
  expect(decoder.state.size).toBe(1_024);
  expect(batch.lines).toBe(1_100 + 76);
  expect(decoder.flush('all').batch.lines).toBe(1_024);
  expect(decoder.state.size).toBe(0);
});
