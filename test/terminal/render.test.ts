import { stripVTControlCharacters } from 'node:util';
import headless from '@xterm/headless';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { plain, type Paint } from '../../src/terminal/paint.ts';
import { render } from '../../src/terminal/render.ts';
import { sink, TROUBLE, view } from './views.ts';

const shown = (text: string): string => text.replace(/^\n/, '');

test('a run without trouble says how fast it is, how the sinks stand, and what the steps came to', () => {
  expect(render(view(), 79, 22, plain).join('\n')).toBe(`
reading       12,345 lines/s   3.4 MB/s    12,001 events/s
so far        1.30 M lines     400 MB      1.23 M events   in 2m05s
             state     waiting  oldest         stored
clickhouse   running         0       -      1,234,567
prometheus   running         0       -      1,234,567
spool        0 %, 12 MiB of 4.0 GiB
steps        1,234,000 success   567 error`);
});

test('a sink that is stuck says why, at 80 columns and at 40', () => {
  expect(shown(render(TROUBLE, 79, 22, plain).join('\n'))).toBe(
    shown(`
reading        12,345 lines/s   3.4 MB/s    12,001 events/s
so far         1.30 M lines     400 MB      1.23 M events   in 2m05s
              state     waiting  oldest         stored
clickhouse    running         7     0 s      1,234,567
elasticsearch retrying   2.12 M   2m05s         13,233
              http://search:9200 cannot be reached (ECONNREFUSED)
dead-letters  holding         0       -      1,234,567
              its dead letters cannot be written to the spool
spool         FULL   100 %, 4.0 GiB of 4.0 GiB   reading waits
steps         1,234,000 success   567 error
dead letters  12 refused by clickhouse   9 schema`),
  );
  expect(shown(render(TROUBLE, 39, 30, plain).join('\n'))).toBe(
    shown(`
reading       12,345 lines/s   3.4 MB/s
              12,001 events/s
so far        1.30 M lines   400 MB
              1.23 M events   in 2m05s
              state     waiting  oldest
clickhouse    running         7     0 s
elasticsearch retrying   2.12 M   2m05s
              http://search:9200 cannot
              be reached (ECONNREFUSED)
dead-letters  holding         0       -
              its dead letters cannot
              be written to the spool
spool         FULL
              100 %, 4.0 GiB of 4.0 GiB
              reading waits
steps         1,234,000 success
              567 error
dead letters  12 refused by clickhouse
              9 schema`),
  );
});

test('of a screen that is too low the rates, the stuck sinks and a full spool are seen last', () => {
  const lines = (rows: number): string[] => render(TROUBLE, 79, rows, plain).map((line) => line.split(' ')[0]!);
  expect(lines(9)).toEqual([
    'reading',
    'clickhouse',
    'elasticsearch',
    '',
    'dead-letters',
    '',
    'spool',
    'steps',
    'dead',
  ]);
  expect(lines(4)).toEqual(['reading', 'elasticsearch', 'dead-letters', 'spool']);
  expect(lines(1)).toEqual(['reading']);
  expect(lines(0)).toEqual([]);
  expect(lines(-1)).toEqual([]);
});

test('a source from which nothing comes is said to be silent', () => {
  expect(render(view({ idle_s: 42 }), 79, 22, plain)[1]).toBe('reading      nothing for 42 s');
});

test('what needs somebody is red, what may need somebody yellow, and the rest has no colour', () => {
  const coloured: string[] = [];
  const paint: Paint = (colour, text) => {
    if (colour !== 'dim') coloured.push(`${colour} ${text.trim()}`);
    return text;
  };
  render(view({ steps: new Map([['success', 3]]) }), 79, 22, paint);
  expect(coloured).toEqual([]);
  render(TROUBLE, 79, 22, paint);
  expect(coloured).toEqual([
    'yellow elasticsearch',
    'yellow retrying',
    'yellow 2m05s',
    'yellow http://search:9200 cannot be reached (ECONNREFUSED)',
    'red dead-letters',
    'red holding',
    'red its dead letters cannot be written to the spool',
    'red FULL',
    'red 567 error',
    'yellow 12 refused by clickhouse',
    'yellow 9 schema',
  ]);
});

const anything = fc.string({
  unit: fc.oneof(
    fc.constantFrom('\x1b[2J', '\u009b', '\n', '大', '한', '👍', 'é', '\u202e', ' ', 'x'),
    fc.string({ unit: 'binary', maxLength: 3 }),
  ),
});

test('whatever names and reasons hold, no line wraps and nothing in it is a control character, from 40 columns on', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        name: anything,
        reason: anything,
        kind: anything,
        columns: fc.integer({ min: 40, max: 170 }),
        rows: fc.nat(30),
      }),
      async ({ name, reason, kind, columns, rows }) => {
        const hostile = view({
          sinks: [sink('clickhouse'), sink(name, { state: 'retrying', reason, pending: 12 })],
          letters: new Map([[kind, 3]]),
          steps: new Map([[kind, 3]]),
        });
        const lines = render(hostile, columns, rows, plain);
        expect(lines.length).toBeLessThanOrEqual(rows);
        expect(lines.join('')).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
        // A terminal tells how wide it is.
        const terminal = new headless.Terminal({ cols: columns, rows: 40, allowProposedApi: true });
        await new Promise<void>((resolve) => {
          terminal.write(lines.join('\r\n'), resolve);
        });
        const { active } = terminal.buffer;
        const wrapped = Array.from({ length: active.length }, (_, n) => active.getLine(n)!.isWrapped);
        terminal.dispose();
        expect(wrapped).not.toContain(true);
      },
    ),
    {
      numRuns: 300,
      examples: [[{ name: '\u{1112d}\x1b[2J\x1b[2J\x1b[2J\u{20000}', reason: '', kind: '', columns: 40, rows: 3 }]],
    },
  );
});

test('colours change nothing about what fits', () => {
  const paint: Paint = (_colour, text) => `\x1b[31m${text}\x1b[39m`;
  for (const columns of [39, 60, 79, 159]) {
    const lines = render(TROUBLE, columns, 30, paint).map(stripVTControlCharacters);
    expect(lines).toEqual(render(TROUBLE, columns, 30, plain));
  }
});
