import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toLines } from '../../src/posts/records.ts';

const lines = (body: string): string => toLines(Buffer.from(body)).toString();

describe('the body of a request', () => {
  test('in NDJSON is lines already, and is not copied', () => {
    const body = Buffer.from('{"a":1}\n{"b":{"c":[2]}}\r\n\n{"d":"}{"}');
    expect(toLines(body)).toBe(body);
  });

  test.each([
    ['an array', '[{"a":1},{"b":2}]', '{"a":1}\n{"b":2}\n'],
    ['an array over several lines', ' [\n {"a":1} ,\n {"b":2}\n]\n', '{"a":1}\n{"b":2}\n'],
    ['an empty array', ' [ ] ', ''],
    ['objects one behind the other', '{"a":1}{"b":2} {"c":3}', '{"a":1}\n{"b":2}\n{"c":3}\n'],
    ['objects over several lines', '{\n  "a": 1\n}\n{\n  "b": 2\n}\n', '{   "a": 1 }\n{   "b": 2 }\n'],
    ['objects that are indented', '{"a":1}\n  {"b":2}\n', '{"a":1}\n{"b":2}\n'],
    ['a byte order mark', '\ufeff[{"a":1}]', '{"a":1}\n'],
    ['brackets and quotes in text', '[{"a":"]},\\"{["},{"b\\\\":2}]', '{"a":"]},\\"{["}\n{"b\\\\":2}\n'],
    [
      'numbers beyond 2^53 and their notation',
      '[{"a":12345678901234567890},{"b":1.0e+2}]',
      '{"a":12345678901234567890}\n{"b":1.0e+2}\n',
    ],
  ])('that is %s becomes a line for each', (_what, body, expected) => {
    expect(lines(body)).toBe(expected);
  });

  test.each([
    '[2026-02-19 10:30] a line\n[2026-02-19 10:31] another\n',
    '["a", "b"]',
    '[1, 2]',
    '[{"a":1}',
    '[{"a":1},]',
    '[{"a":1}] and more',
    '{"a":1}\n{"broken":"\n{"b":2}\n',
    '{"a":1}\nplain text\n{"b":2}\n',
    '{"a":',
    'plain text',
    '',
  ])('%j is lines as it stands', (body) => {
    expect(lines(body)).toBe(body);
  });

  test('of any objects, in an array or one behind the other, is those objects, a line each', () => {
    const value = fc.dictionary(fc.string(), fc.jsonValue());
    fc.assert(
      fc.property(fc.array(value, { minLength: 1 }), fc.constantFrom(0, 1, 2), (records, indent) => {
        const whole = records.map((record) => JSON.stringify(record, undefined, indent));
        const stream = whole.join('');
        for (const body of [
          JSON.stringify(records, undefined, indent),
          stream,
          whole.join('\n'),
          `[${whole.join(' ,\n')}]`,
        ]) {
          const cut = lines(body).split('\n').filter(Boolean);
          expect(cut.map((line) => JSON.parse(line) as unknown)).toEqual(JSON.parse(JSON.stringify(records)));
        }
      }),
    );
  });

  test('of any bytes loses none but blanks and newlines between records', () => {
    const piece = fc.constantFrom('{', '}', '[', ']', ',', '"', '\\', '\n', ' ', 'a', '{"a":1}', '[{"b":2}]');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const body = pieces.join('');
        const plain = (text: string): string => text.replace(/[\s,[\]]/g, '');
        expect(plain(lines(body))).toBe(plain(body));
      }),
      { numRuns: 2_000 },
    );
  });

  test('a million deep costs no stack', () => {
    const deep = `{"a":${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}}`;
    expect(lines(`[${deep}]`).length).toBe(deep.length + 1);
  });
});
