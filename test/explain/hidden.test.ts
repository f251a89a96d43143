import { describe, expect, test } from 'vitest';
import type { DecodeOptions } from '../../src/decode.ts';
import { explain } from '../../src/explain/collect.ts';
import { render, renderJson } from '../../src/explain/render.ts';
import { OPTIONS, StillClock, stepLine } from '../support/decode.ts';
import { params, rules, SECRET, SECRETS } from '../privacy/canary.ts';

/** All that is said of the lines, by either way of saying it. */
function said(input: string | Buffer, how: Partial<DecodeOptions>): string {
  const explained = explain(Buffer.from(input), { ...OPTIONS, ...how }, new StillClock());
  expect(explained.length).toBeGreaterThan(0);
  return explained.flatMap((each) => [renderJson(each), render(each, { width: 10_000, colour: false })]).join('\n');
}

const AT = '2026-02-19T10:30:44.189512345Z';
const docker = (log: string): string => JSON.stringify({ log, stream: 'stderr', time: AT });
const fluent = (log: object): string =>
  JSON.stringify({
    ...log,
    kubernetes: { pod_name: 'p', namespace_name: 'n', labels: { 'execution-identity': SECRET } },
  });
const nested = `{"a": 1, "token": "${SECRETS}", "pin": {"Token": "x\\"${SECRETS}"}, "list": [{"token": 7100713, "b": 2}]}`;
const step = stepLine({ token: `"${SECRETS}"`, cfg: nested, rows: '5' });
const cut = step.indexOf('71f3') + 1;
const trace = [
  'Traceback (most recent call last):',
  '  File "x.py", line 1, in login',
  `    connect(token="${SECRETS}", token=`,
  `    "${SECRETS}")`,
  `ConnectionError: refused, token=${SECRET} host=h`,
].join('\n');

const PLACES: readonly (readonly [string, string | Buffer])[] = [
  ['an attribute of a step', step],
  ['a key that is spelled with escapes', stepLine({ ToKeN: `"${SECRETS}"`, '\\u0074oken': `"${SECRETS}"` })],
  ['a key with the letter K of kelvin', stepLine({ 'to\u212Aen': `"${SECRETS}"` })],
  ['a JSON string with JSON', stepLine({ cfg: JSON.stringify(nested) })],
  ['a JSON log', `{"message": "hi", "\\u0074oken": "${SECRETS}", "cfg": ${nested}}`],
  ['a message with blanks that are escaped', JSON.stringify({ levelname: 'INFO', message: `token:\t \t${SECRET}` })],
  ['a line of text', `login token=${SECRET} ok, {'token': '${SECRETS}', 'user': 'me'}, token: "${SECRETS}" x`],
  ['text with colours inside of the key', `login tok\u001b[1men=${SECRET}`],
  ['a progress bar', `10% token=${SECRET}\r20% token=${SECRET}`],
  ['logfmt', `level=info msg=hi token="${SECRETS}" cfg="{\\"token\\": \\"${SECRETS}\\"}"`],
  ['a param', stepLine({ params: params({ token: `"${SECRETS}"`, epochs: '3' }) })],
  ['JSON in a param', stepLine({ params: params({ cfg: nested }) })],
  ['params of a log', stepLine({ event: '"mine"', params: params({ token: `"${SECRETS}"`, cfg: nested }) })],
  ['the URI of a step', stepLine({ step: `"Download data to local from https://h/x?token=${SECRET}"` })],
  ['a traceback, and behind a key that ends a line of it', `${trace}\n`],
  ['a traceback in a CRI file', trace.replaceAll(/^/gm, `${AT} stderr F `)],
  [
    'a line that the runtime cut in the value',
    `${AT} stderr P ${step.slice(0, cut)}\n${AT} stderr F ${step.slice(cut)}`,
  ],
  ['text that the runtime cut in the value', `${AT} stderr P login token=canary-7\n${AT} stderr F 1f3 ok`],
  ["text that the runtime cut, whose end hasn't come", `${AT} stderr P login token=${SECRET}`],
  ["Docker's record", docker(`${step}\n`)],
  ["Docker's records of half a line", `${docker(step.slice(0, cut))}\n${docker(`${step.slice(cut)}\n`)}`],
  ["Docker's record that is cut", docker(step).slice(0, -40)],
  ['a step behind a progress bar', `10% token=${SECRET} ${step} token=${SECRET}`],
  ['a step that is cut', step.slice(0, -1)],
  ['a step of the wrong type', stepLine({ wall_time_s: '"x"', token: `"${SECRETS}"`, cfg: JSON.stringify(nested) })],
  ['a step that is no UTF-8', Buffer.from(step.replace('"rows"', '"\xff"').slice(0, -1), 'latin1')],
  ['a line that is too long', stepLine({ token: `"${SECRETS}"`, x: `"${'y'.repeat(5_000)}"` })],
];

describe.each(['drop', 'mask', 'hash'] as const)('With --%s nothing that is said has the value', (rule) => {
  const how = { ...rules({ params: 'all', [rule]: ['token'] }), max_line_bytes: 4_500 };
  test.each(PLACES)('of %s', (_, input) => {
    expect(said(input, { ...rules({ params: 'all' }), max_line_bytes: 4_500 })).toMatch(/71f3|canary-7/);
    expect(said(input, how)).not.toMatch(/71f3|canary-7/);
  });

  test('though a dead letter keeps its bytes', () => {
    const kept = rules({ [rule]: ['token'], keep_raw: true });
    const told = said(step.slice(0, -1), kept);
    expect(told).not.toContain('71f3');
    expect(told).toContain('--dead-letters-keep-raw');
  });

  test('nor a number in nested JSON', () => {
    expect(said(step, how)).not.toContain('7100713');
  });
});

describe('What nobody allowed is not said', () => {
  test.each([
    ['an extra of a step', stepLine({ user: `"${SECRET}"` })],
    ["one of flytekit's own names as an extra", stepLine({ timestamp: `"${SECRET}"`, error_type: `"${SECRET}"` })],
    ['a key of a JSON log', `{"message": "x", "level": "info", "user": "${SECRET}", "step": "${SECRET}"}`],
    ['a pair of logfmt', `level=info msg=hi user=${SECRET}`],
    ['a pair of logfmt in quotes', `level=info msg=hi user="canary-\\x371f3"`],
    ['a caller', `I0219 10:00:00.123456       1 ${SECRET}.go:257] hello`],
    ['text that is the rest of JSON', `"user": "${SECRET}", "x": 1}`],
  ])('of %s', (_, input) => {
    expect(said(input, rules({}))).toContain('71f3');
    expect(said(input, rules({ attributes: [] }))).not.toContain('71f3');
  });

  test('of an input, by default', () => {
    expect(said(stepLine({ params: params({ token: `"${SECRETS}"` }) }), {})).not.toContain('71f3');
    expect(said(stepLine({ 'p\\u0061rams': params({ token: `"${SECRETS}"` }) }), {})).not.toContain('71f3');
  });

  test('of the tag in a CRI prefix, which nobody stores', () => {
    expect(said(`${AT} stderr F:${SECRET} hello`, {})).not.toContain('71f3');
  });

  test("of an agent's keys: a label names a person", () => {
    expect(said(fluent(JSON.parse(stepLine()) as object), {})).not.toContain('71f3');
    expect(said(fluent({ message: 'hi' }), {})).not.toContain('71f3');
  });
});
