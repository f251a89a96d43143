import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { rootErrorType } from '../../../src/dialects/log/error-type.ts';
import { megabyte, stacks, UNITS } from './stacks.ts';

describe('the class that was raised', () => {
  const trace = readFileSync('test/fixtures/flyte-samples.log', 'utf8')
    .split('\n')
    .filter((line) => line.includes('"message": "Trace:'))
    .map((line) => (JSON.parse(line) as { message: string }).message);

  test.each(stacks)('of %s is known', (_, lines, type) => {
    expect(rootErrorType(lines.join('\n'))).toBe(type);
  });

  test.each<[string, string | undefined]>([
    [trace[0] ?? '', 'ValueError'],
    ['Traceback (most recent call last):\n  File "x", line 1\npkg.mod.MyError: x', 'MyError'],
    ['Traceback (most recent call last):\n  File "x", line 1\nKeyboardInterrupt', 'KeyboardInterrupt'],
    ['Traceback (most recent call last):\n  File "x", line 1\nqueue.Empty\n', 'Empty'],
    ['Traceback (most recent call last):\n  File "x", line 1\nzlib.error: Error -3', 'error'],
    ['Traceback (most recent call last):\r\n  File "x", line 1\r\nKeyError: 1\r\n', 'KeyError'],
    [
      'Traceback (most recent call last):\n  File "x", line 1\nMyFailure: bad\nHint: use another\nOtherError: no',
      'MyFailure',
    ],
    ['Traceback (most recent call last):\n  File "x", line 1\nValueError: \n  a\n  b', 'ValueError'],
    ['  File "x", line 1\n    a b\n      ^\nSyntaxError: invalid syntax', 'SyntaxError'],
    ['Message:\n\n    ValueError: shape mismatch (3, 4)', 'ValueError'],
    [
      'Trace:\n\n    Traceback (most recent call last):\n      File "x", line 1\n    a.Bad: x\n\nMessage:\n\n    timeout: y\n    KeyError: z',
      'timeout',
    ],
    ['Trace:\n\n    Traceback (most recent call last):\n      File "x", line 1\n    a.Bad: cut', 'Bad'],
    [
      'Traceback (most recent call last):\n  File "x", line 1\nKeyError: 1\n\nDuring handling\n\nTraceback (most recent call last):\n  Fi',
      'KeyError',
    ],
    ['TypeError: x is not a function\n    at f (/a.js:1:2)', 'TypeError'],
    ['a.B: x\n\tat c.D.e(D.java:1)\nCaused by: c.First: 1\nCaused by: c.Outer$Last: 2', 'Last'],
    ['panic: boom\n\ngoroutine 1 [running]:\nmain.main()', undefined],
    ['no class in here', undefined],
    ['', undefined],
  ])('%j', (text, type) => {
    expect(rootErrorType(text)).toBe(type);
  });
});

test('any text has a class with a name or none', () => {
  const known = [...new Set(stacks.flatMap(([, lines]) => lines)), '', ' ', '\t'];
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constantFrom(...known), fc.string())), (lines) => {
      expect(rootErrorType(lines.join('\n'))).not.toBe('');
    }),
    { numRuns: 1000 },
  );
});

test.each(UNITS)('a megabyte of %j costs milliseconds', (unit) => {
  const text = megabyte(unit);
  const start = performance.now();
  rootErrorType(text);
  rootErrorType(`Traceback (most recent call last):\n${text}`);
  // Quadratic would be minutes.
  expect(performance.now() - start).toBeLessThan(3000);
});
