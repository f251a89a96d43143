import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileExpression, ExpressionError } from '../../src/expression/index.ts';
import { parse } from '../../src/expression/parse.ts';
import { rowFields } from '../../src/expression/row.ts';
import { print, type Literal, type Node } from '../../src/expression/tree.ts';

const row = {
  ts: '2026-02-19T10:30:44.189512Z',
  status: 'error',
  wall_time_s: 0.25,
  attempt: 0,
  component: 'propeller',
  message: 'task FAILED: MemoryError\nat step 3',
  k8s_enriched: false,
  attributes: { loss: '0.5', 'a.b': 'x', big: '9007199254740993' },
  labels: { team: 'data', 'app.kubernetes.io/name': 'web' },
  depends_on: ['t1', 't2'],
};
const holds = (text: string): boolean => compileExpression(text).matches(rowFields(row));

/** What it gives, or what it throws. */
function attempt(make: () => unknown): unknown {
  try {
    return make();
  } catch (error) {
    return error;
  }
}

describe('what holds of an event', () => {
  test.each([
    'status=error',
    'status == "error"',
    "status = 'error' and wall_time_s > 200ms",
    'wall_time_s = 250ms',
    'wall_time_s < 1.5s && wall_time_s >= 0.25',
    'wall_time_s < 2m and wall_time_s > 10us',
    'wall_time_s > "0.1"',
    'attempt = 0',
    "attempt in ('0', 1)",
    'attributes.loss < 0.6',
    'attributes.loss = 0.50',
    'attributes.a.b = x',
    'attributes.big = 9007199254740993',
    'labels.app.kubernetes.io/name = web',
    'depends_on = t2',
    'depends_on in (t9, t1)',
    'k8s_enriched = false',
    'k8s_enriched',
    '`status` = error',
    'status and not task',
    'task != x',
    '! task',
    '!(task or status = success)',
    'component:propeller',
    'component : prop*r',
    'message:*FAILED*',
    'message:task*FAILED*step*3',
    'component:*',
    "component:'propeller'",
    "message ~ '^task'",
    "message ~ 'Memory(Error|Limit)'",
    "message ~ '(?i)FAILED:\\s+memory'",
    'ts >= 2026-02-19T10:30 AND ts < 2026-02-20',
    'status = success or status = error and component = propeller',
  ])('%s', (text) => {
    expect(holds(text)).toBe(true);
  });
});

describe('what does not', () => {
  test.each([
    'task = x',
    'task < 3',
    'not status',
    'task',
    'task:*',
    'status != error',
    'status > 3',
    'wall_time_s > 300ms',
    'wall_time_s > fast',
    'component:prop',
    'component:*x*',
    "component:'prop*'",
    'component = prop*',
    'attributes.big = 9007199254740992',
    'attributes.toString',
    'attributes = x',
    'constructor',
    'depends_on = t3',
    "message ~ '^FAILED'",
    '(status = success or status = error) and component = x',
    "status in ('success')",
  ])('%s', (text) => {
    expect(holds(text)).toBe(false);
  });
});

describe('what is wrong is said with its column', () => {
  test.each([
    ['', "column 1: expected a field's name, `not` or a parenthesis, found the end"],
    ['status =', 'column 9: expected a value, found the end'],
    ['status = = 3', 'column 10: expected a value, found `=`'],
    ['status error', 'column 8: expected `and`, `or` or the end, found `error`'],
    ['(status', 'column 8: expected `)`, `and` or `or`, found the end'],
    ["a = 'b", 'column 5: expected a value, found a quote that is not closed'],
    ['a in b', 'column 6: expected `(`, found `b`'],
    ['a in (b c)', 'column 9: expected `,` or `)`, found `c`'],
    [
      'a and and',
      "column 7: expected a field's name, `not` or a parenthesis (a field of that name is written in backticks), found `and`",
    ],
    ["a ~ 'x(y'", 'column 7: the pattern opens a group that is not closed: write \\('],
    ["a ~ '(?=x)'", 'column 6: the pattern looking ahead or behind'],
    [`${'('.repeat(60)}a`, 'column 51: is nested deeper than 50 levels'],
    ['a'.repeat(2_001), 'column 2001: is longer than 2000 characters'],
  ])('%s', (text, message) => {
    expect(() => compileExpression(text)).toThrow(ExpressionError);
    expect(() => compileExpression(text)).toThrow(message);
  });
});

test.each([
  ["ts > '2026-02-19 11:00'", false],
  ["ts > '2026-02-19 10:00'", true],
  ['ts >= 2026-02-19T10:30:44Z', true],
  ['ts < 2026-02-19T10:30:44Z', false],
  ['ts >= 2026-02-19T10:30:44.189512Z', true],
  ['ts >= 2026-02-19', true],
  ['ts < 2026-02-19', false],
  ["ts < '2026-02-19 12:30:45+02:00'", true],
  ["message < '2026-02-19'", false],
])('times are compared as times, however they are written: %s', (text, holds) => {
  const row: Record<string, unknown> = { ts: '2026-02-19T10:30:44.189512Z', message: 'loaded' };
  expect(compileExpression(text).matches((field) => row[field])).toBe(holds);
});

test('all its patterns together have as many steps as one may have, and the one too many is pointed at', () => {
  const many = (count: number): string => Array(count).fill("message ~ '.{1,100}x'").join(' or ');
  expect(() => compileExpression(many(2))).not.toThrow();
  expect(() => compileExpression(many(3))).toThrow(
    'column 61: the patterns repeat too much: all of them would take more than 500 steps',
  );
});

test('the fields that it asks for are known', () => {
  expect(compileExpression('a = 1 and (b.c or not a) and d in (1)').fields).toEqual(['a', 'b.c', 'd']);
});

describe('on anything', () => {
  const field = fc.oneof(
    fc.constantFrom('status', 'a.b', 'and', 'labels.app.kubernetes.io/name'),
    fc.string({ minLength: 1, maxLength: 8 }),
  );
  const word = fc.stringMatching(/^[\w.*:/-]{1,6}$/);
  const literal: fc.Arbitrary<Literal> = fc.oneof(
    fc.record({ text: word, quoted: fc.constant(false) }),
    fc.record({ text: fc.string({ maxLength: 8 }), quoted: fc.constant(true) }),
  );
  const operator = fc.constantFrom('=', '!=', '<', '<=', '>', '>=', ':');
  const leaf: fc.Arbitrary<Node> = fc.oneof(
    fc.record({ kind: fc.constant('has'), field }),
    fc.record({ kind: fc.constant('is'), field, operator, value: literal }),
    fc.record({ kind: fc.constant('in'), field, values: fc.array(literal, { minLength: 1, maxLength: 3 }) }),
  );
  const { tree } = fc.letrec<{ tree: Node }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      leaf,
      fc.record({ kind: fc.constant('not'), part: tie('tree') }),
      fc.record({
        kind: fc.constantFrom('and', 'or'),
        parts: fc.array(tie('tree'), { minLength: 2, maxLength: 3 }),
      }),
    ),
  }));

  test('an expression that is printed and read again is the same', () => {
    fc.assert(
      fc.property(tree, (node) => {
        const text = print(node);
        fc.pre(text.length <= 2_000);
        expect(parse(text)).toEqual(node);
      }),
    );
  });

  test('no value makes it throw', () => {
    fc.assert(
      fc.property(tree, fc.anything({ withBigInt: true }), (node, value) => {
        const text = print(node);
        fc.pre(text.length <= 2_000);
        expect(compileExpression(text).matches(() => value)).toBeTypeOf('boolean');
      }),
    );
  });

  test('no text does anything but read or say a column', () => {
    const piece = fc.oneof(
      fc.constantFrom('and', 'not', '(', ')', '=', '~', "'", '`', 'in', ' ', 'a', '\\', '[', '1s'),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        expect(attempt(() => compileExpression(pieces.join('')))).toSatisfy(
          (made) => made instanceof ExpressionError || 'matches' in (made as object),
        );
      }),
    );
  });
});
