import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DecodeOptions } from '../../src/decode.ts';
import { explain, type Explained } from '../../src/explain/collect.ts';
import { render, renderJson } from '../../src/explain/render.ts';
import { width as cells } from '../../src/terminal/text.ts';
import { PRIVACY_DEFAULTS, type PrivacyOptions } from '../../src/privacy/rules.ts';
import { decode, OPTIONS, StillClock, stepLine } from '../support/decode.ts';
import { line, prefix } from '../decode/lines.ts';

const AT = '2026-02-19T10:30:44.189512345Z';
const captured = (message: string): string =>
  JSON.stringify({ asctime: '2026-02-19 10:30:44,190', name: 'flytekit', levelname: 'ERROR', message });

/** What lines may be made of, beside steps: whatever opens, goes on, or ends something. */
const other = fc.oneof(
  fc.constantFrom(
    '',
    '   ',
    'Traceback (most recent call last):',
    '  File "x.py", line 1, in f',
    'ValueError: shape mismatch',
    '[flytekit] Trace:',
    '    Traceback (most recent call last):',
    'Message:',
    'panic: x',
    'goroutine 1 [running]:',
    '10%\r20%\r',
    `${AT} stderr P half a `,
    `${AT} stderr F line`,
    `${AT} stdout P ${stepLine().slice(0, 90)}`,
    `${AT} stdout F ${stepLine().slice(90)}`,
    `hello ${stepLine()} behind`,
    stepLine().slice(0, -1),
    '{"message": "x", "step": "y", "wall_time_s": 1}',
    'level=info msg=hi user=me',
    captured('Exception when executing task workflows.train.fit, reason x'),
    captured('!! Begin User Error Captured by Flyte !!'),
    captured('Trace:\n\n    Traceback (most recent call last):\n    ValueError: x'),
    captured('!! End Error Captured by Flyte !!'),
    JSON.stringify({ log: 'half', stream: 'stderr', time: AT }),
    JSON.stringify({ log: `${stepLine()}\n`, stream: 'stderr', time: AT }),
    JSON.stringify({ ...(JSON.parse(stepLine()) as object), kubernetes: { pod_name: 'p', labels: { project: 'x' } } }),
    'x'.repeat(3_000),
  ),
  fc.string({ unit: 'binary', maxLength: 60 }),
);
const bytes = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(prefix, line).map((parts) => Buffer.from(parts.join(''))) },
  { weight: 4, arbitrary: fc.tuple(prefix, other).map((parts) => Buffer.from(parts.join(''))) },
  fc.uint8Array({ maxLength: 80 }).map((each) => Buffer.from(each)),
);
const input = fc
  .array(bytes, { minLength: 1, maxLength: 12 })
  .map((lines) => Buffer.concat(lines.flatMap((each) => [each, Buffer.from('\n')])));

const privacy: fc.Arbitrary<PrivacyOptions> = fc.record({
  params: fc.constantFrom<'all' | string[]>('all', [], ['epochs']),
  attributes: fc.constantFrom<'all' | string[]>('all', 'all', [], ['rows', 'token']),
  drop: fc.constantFrom<string[]>([], ['token', 'rows']),
  mask: fc.constantFrom<string[]>([], ['password', 'a']),
  hash: fc.constantFrom<string[]>([], ['token', 'auc']),
  hash_key: fc.constant('a secret of some length'),
  keep_raw: fc.constant(false),
});
const how: fc.Arbitrary<Partial<DecodeOptions>> = fc.record({
  privacy,
  constants: fc.constantFrom({}, { project: 'mine', app: 'x' }),
  max_line_bytes: fc.constant(2_000),
});

function explained(from: Buffer, options: Partial<DecodeOptions> = {}): readonly Explained[] {
  return explain(from, { ...OPTIONS, ...options }, new StillClock());
}

interface Shown {
  readonly to: string;
  readonly fields: readonly { readonly name: string; readonly value: unknown; readonly from: string }[];
}

/** The rows that were explained, as a program gets them. The name of the source stands in dead letters. */
function rowsOf(each: readonly Explained[]): string[] {
  const shown = each.map((one) => JSON.parse(renderJson(one)) as Shown);
  return shown
    .filter(({ fields }) => fields.length > 0)
    .map(({ to, fields }) => {
      const row = Object.fromEntries(fields.map(({ name, value }) => [name, value]));
      return `${to} ${JSON.stringify(to === 'rejections' ? { ...row, source: 'test' } : row)}`;
    });
}

describe('Whatever the lines are', () => {
  test('they are explained, and what is shown are the rows that a run stores of them, fast or not', () => {
    let rows = 0;
    fc.assert(
      fc.property(input, how, fc.boolean(), (from, options, fast) => {
        const shown = rowsOf(explained(from, options));
        const { rows: stored } = decode(from, { ...options, fast });
        const texts = stored.map(({ table, text }) => `${table} ${JSON.stringify(JSON.parse(text))}`);
        expect(shown.toSorted()).toEqual(texts.toSorted());
        rows += shown.length;
      }),
      { numRuns: 400 },
    );
    expect(rows).toBeGreaterThan(1_000);
  }, 60_000);

  test('every line is in what it became, every field has a source, and lines and rows agree in how many they are', () => {
    fc.assert(
      fc.property(input, how, (from, options) => {
        const each = explained(from, options);
        const count = from.filter((byte) => byte === 10).length;
        expect(new Set(each.flatMap(({ lines }) => lines)).size).toBe(count);
        for (const { lines, fields } of each) {
          expect(fields.filter((field) => field.from === '')).toEqual([]);
          const told = fields.find(({ name }) => name === 'lines')?.json ?? '1';
          // What stands beside another event on its line has none of its own.
          expect([0, lines.length]).toContain(fields.length === 0 ? lines.length : Number(told));
        }
      }),
      { numRuns: 300 },
    );
  }, 60_000);

  test('nothing of them reaches the terminal, and no line is wider than it is', () => {
    fc.assert(
      fc.property(input, how, fc.constantFrom(60, 80, 160), (from, options, width) => {
        const text = explained(from, options)
          .map((each) => render(each, { width, colour: false }))
          .join('\n');
        expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u202e]/);
        expect(text.split('\n').filter((one) => cells(one) > width)).toEqual([]);
      }),
      { numRuns: 300 },
    );
  }, 60_000);
});

test('Without --logs ordinary lines go nowhere, and say so', () => {
  const each = explained(Buffer.from('hello\nTraceback (most recent call last):\n  File "x"\nE: x\n'), { logs: false });
  expect(each.map(({ to, lines, text }) => [to, lines, text])).toEqual([
    ['filtered', [1], 'hello'],
    ['filtered', [2, 3], 'Traceback (most recent call last):\n  File "x"'],
    ['filtered', [4], 'E: x'],
  ]);
});

test('10 MB on a line, or 10,000 levels, are explained as well', () => {
  const deep = '{"a":'.repeat(10_000);
  const each = explained(Buffer.from(`${'x'.repeat(10_000_000)}\n${deep}1${'}'.repeat(10_000)}\n${deep}\n`), {
    privacy: { ...PRIVACY_DEFAULTS, mask: ['token'] },
  });
  expect(each.map(({ to }) => to)).toEqual(['rejections', 'logs', 'logs']);
  for (const one of each) expect(render(one, { width: 80, colour: false }).length).toBeLessThan(5_000);
});
