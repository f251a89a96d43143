import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { prune } from '../../src/privacy/prune.ts';
import { decode, stepLine } from '../support/decode.ts';
import { params, rules } from './canary.ts';

const how = rules({ params: 'all', drop: ['token', 'Geburtstag'] });

describe('A dropped key', () => {
  test('is no attribute of a step or of a log any more, in any case of letters', () => {
    const extras = { token: '"x"', geburtstag: '"1.2."', rows: '5' };
    expect(decode(stepLine(extras), how).steps[0]?.['attributes']).toEqual({ rows: '5' });
    expect(decode(stepLine({ TOKEN: '5' }), how).steps[0]).not.toHaveProperty('attributes');
    const log = '{"message": "hi", "Token": {"x": 1}, "rows": 5}';
    expect(decode(log, how).logs[0]?.['attributes']).toEqual({ rows: '5' });
    expect(decode('level=info msg=hi token=x rows=5', how).logs[0]?.['attributes']).toEqual({ rows: '5' });
  });

  test('is no member of nested JSON any more, and the rest is as it was written', () => {
    const nested =
      '{"token": 1,  "n": 12345678901234567890.10, "list": [1, {"a": 1, "token": [2], "b": "token"}], "token" :{}}';
    const left = '{"n": 12345678901234567890.10, "list": [1, {"a": 1, "b": "token"}]}';
    for (const line of [stepLine({ cfg: nested }), `{"message": "m", "cfg": ${nested}}`]) {
      expect(decode(line, how).rows[0]?.fields['attributes']).toEqual({ cfg: left });
    }
    expect(decode(stepLine({ cfg: '{"\\u0074oken": 1}' }), how).steps).toMatchObject([{ attributes: { cfg: '{}' } }]);
  });

  test('is no input of a task any more, and no member of one', () => {
    const written = params({
      token: '"x"',
      epochs: '3',
      cfg: '{"a": 1, "token": "x"}',
      s: '"{\\"token\\": 1, \\"b\\": 2}"',
    });
    const { steps } = decode(stepLine({ params: written }), how);
    expect(steps[0]?.['params']).toEqual({ epochs: 3, cfg: { a: 1 }, s: '{"b": 2}' });
    const redacted = decode(stepLine({ params: written }), rules({ drop: ['token'] }));
    expect(redacted.steps[0]?.['params']).toEqual({ epochs: '[redacted]', cfg: '[redacted]', s: '[redacted]' });
  });

  test('in text has its value masked, since text cannot lose a key safely', () => {
    expect(decode('login token=x, {"token": "y", "b": 2}', how).logs).toMatchObject([
      { message: 'login token=*** {"token": "***", "b": 2}' },
    ]);
    expect(decode(stepLine({ token: '"x"', rows: '5' }).slice(0, -1), how).rejections).toMatchObject([
      { raw: stepLine({ token: '"***"', rows: '5' }).slice(0, -1) },
    ]);
  });

  test('that is one of the names of a log field is none', () => {
    const { logs } = decode(
      '{"level": "info", "message": "x", "exception": "E: secret"}',
      rules({ drop: ['exception', 'level'] }),
    );
    expect(logs[0]).toMatchObject({ message: 'x' });
    for (const field of ['attributes', 'error_type', 'level']) expect(logs[0]).not.toHaveProperty(field);
  });
});

describe('JSON without some keys', () => {
  const value = fc.letrec((tie) => ({
    node: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom<unknown>(1, -0.5, true, null, 'x', '{"a": 1}', '"', '\\', ',', ']'),
      fc.array(tie('node'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom('a', 'A', 'b', 'c', '"', '\u00e9', '__proto__', ''), tie('node'), { maxKeys: 4 }),
    ),
  })).node;

  /** The same, the plain way. */
  function without(json: unknown, dropped: readonly string[]): unknown {
    if (typeof json !== 'object' || json === null) return json;
    if (Array.isArray(json)) return json.map((each) => without(each, dropped));
    const members = Object.entries(json).filter(([name]) => !dropped.includes(name));
    return Object.fromEntries(members.map(([name, each]) => [name, without(each, dropped)]));
  }

  test('says what is left, whatever was there and however it is indented', () => {
    const names = fc.subarray(['a', 'A', 'b', 'c', '"', '\u00e9', '__proto__', '']);
    fc.assert(
      fc.property(value, names, fc.constantFrom('', ' ', '\t'), (json, dropped, indent) => {
        const text = JSON.stringify(json, undefined, indent);
        const pruned = prune(text, (name) => dropped.includes(name));
        expect(JSON.parse(pruned)).toEqual(without(JSON.parse(text), dropped));
        expect(prune(text, () => false)).toBe(text);
      }),
      { numRuns: 2_000 },
    );
  });

  test('is text that is no JSON as it was', () => {
    for (const text of ['a: 1', '{"a": 1', '{"a": 1} x', '[a]', '', '"{\\"a\\": 1}"', 'null']) {
      expect(prune(text, () => true)).toBe(text);
    }
    expect(prune('{"a": NaN, "b": -Infinity}', (name) => name === 'b')).toBe('{"a": NaN}');
  });
});
