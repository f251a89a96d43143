import { describe, expect, test } from 'vitest';
import type { Rule } from '../../src/privacy/rules.ts';
import { decode, stepLine } from '../support/decode.ts';
import { hidden, params, rules, SECRET, SECRETS, shown } from './canary.ts';

/*
 * One value in every place where a line may have it, under each of the rules.
 */

const AT = '2026-02-19T10:30:44.189512345Z';
const docker = (log: string): string => JSON.stringify({ log, stream: 'stderr', time: AT });
const nested = `{"a": 1, "token": "${SECRETS}", "pin": {"Token": "x\\"${SECRETS}"}, "list": [{"token": 7100713, "b": 2}]}`;
const step = stepLine({ token: `"${SECRETS}"`, cfg: nested, rows: '5' });
const trace = [
  'Traceback (most recent call last):',
  '  File "x.py", line 1, in login',
  `    connect(token="${SECRETS}", host="h")`,
  `ConnectionError: refused, token=${SECRET} host=h`,
].join('\n');
const captured = (message: string): string =>
  JSON.stringify({ asctime: '2026-02-19 10:30:44,190', name: 'flytekit', levelname: 'ERROR', message });

const PLACES: readonly (readonly [string, string | Buffer])[] = [
  ['an attribute of a step', stepLine({ token: `"${SECRETS}"`, rows: '5' })],
  ['an attribute in other letters', stepLine({ ToKeN: `"${SECRETS}"`, '\\u0074oken': `"${SECRETS}"` })],
  ['an attribute that is JSON', stepLine({ token: `{"x": ["${SECRETS}"]}` })],
  ['nested JSON of a step', stepLine({ cfg: nested })],
  ['a JSON string with JSON', stepLine({ cfg: JSON.stringify(nested) })],
  ['a JSON string with a JSON string', stepLine({ cfg: JSON.stringify(JSON.stringify(nested)) })],
  ['a JSON log', `{"message": "hi", "token": "${SECRETS}", "cfg": ${nested}}`],
  ['a field of a log', `{"levelname": "INFO", "message": "hi", "logger": "x", "cfg": ["token: ${SECRET}"]}`],
  ['a message', JSON.stringify({ levelname: 'INFO', message: `got ${nested} and token=${SECRET}` })],
  ['a line of text', `login token=${SECRET} ok, {'token': '${SECRETS}', 'user': 'me'}, token: "${SECRETS}" x`],
  ['a header', `sent Token: Bearer ${SECRET}, then token: Digest user="${SECRET}", x="${SECRET}"`],
  ['logfmt', `level=info msg=hi token="${SECRETS}" cfg="{\\"token\\": \\"${SECRETS}\\"}"`],
  ['a text with a layout', `2026-02-19 10:30:44,189 INFO token: ${SECRET}`],
  ['a param', stepLine({ params: params({ token: `"${SECRETS}"`, epochs: '3' }) })],
  ['a param that was cut', stepLine({ params: params({ token: `"${SECRETS}...`, epochs: '3' }) })],
  ['a param that is repr text', stepLine({ params: params({ user: `<User token='${SECRETS}'>` }) })],
  ['JSON in a param', stepLine({ params: params({ cfg: nested }) })],
  ['a JSON string in a param', stepLine({ params: params({ cfg: JSON.stringify(nested) }) })],
  [
    'a JSON string in a JSON string in a param',
    stepLine({ params: params({ c: JSON.stringify(JSON.stringify(nested)) }) }),
  ],
  ['params that are an object', stepLine({ params: JSON.stringify({ token: SECRETS, cfg: { token: SECRETS } }) })],
  ['params of a log', stepLine({ event: '"mine"', params: params({ token: `"${SECRETS}"`, cfg: nested }) })],
  ['the name of a step', stepLine({ step: `"login token=${SECRET} now"` })],
  ['the URI of a step', stepLine({ step: `"Download data to local from https://h/x?token=${SECRET}"` })],
  ['a time that is none', stepLine({ asctime: `"token=${SECRET}"` })],
  ['a traceback', `${trace}\n`],
  ['exc_info', JSON.stringify({ message: 'failed', levelname: 'ERROR', exc_info: trace })],
  [
    'a captured error',
    [
      captured(`Exception when executing task workflows.train.fit, reason refused, token=${SECRET} host=h`),
      captured('!! Begin User Error Captured by Flyte !!'),
      captured(`Trace:\n\n    ${trace.replaceAll('\n', '\n    ')}\n\nMessage:\n\n    refused, token=${SECRET}`),
      captured('!! End Error Captured by Flyte !!'),
    ].join('\n'),
  ],
  ['a step that is cut', step.slice(0, -1)],
  ['a step that is cut in the value', step.slice(0, step.indexOf('71f3') + 4)],
  ['a step of the wrong type', stepLine({ wall_time_s: '"x"', token: `"${SECRETS}"`, cfg: JSON.stringify(nested) })],
  ['a step with a NUL', step.replace('"rows"', '"ro\0ws"')],
  ['a step with another writer in it', step.replace('"task_name"', 'hello"task_name"').replace('5}', '5')],
  ['a step that is no UTF-8', Buffer.from(step.replace('"rows"', '"\xff"').slice(0, -1), 'latin1')],
  ['a letter whose UTF-8 has 0xa0 in it', stepLine({ x: `"login token=voilà-${SECRET} ok"` }).slice(0, -1)],
  ["Docker's record that is cut", docker(step).slice(0, -40)],
  ["Docker's record in another, cut", docker(docker(step)).slice(0, -60)],
  ['a step of the wrong type, its key escaped', stepLine({ wall_time_s: '"x"', 't\\u006FKEN': `"${SECRETS}"` })],
  ['a step that is cut, its key escaped', stepLine({ '\\u0054oke\\u006e': `"${SECRETS}"` }).slice(0, -1)],
  [
    'a step of the wrong type, behind blanks that are escaped',
    stepLine({ wall_time_s: '"x"', note: JSON.stringify(`token:\t \t${SECRET}, "token"\t=\n'${SECRETS}'`) }),
  ],
  ['nested JSON in a message, its key escaped', JSON.stringify({ message: `got {"\\u0074oken": "${SECRETS}"}` })],
  ['a line that is too long', stepLine({ token: `"${SECRETS}"`, x: `"${'y'.repeat(5_000)}"` })],
];

describe.each<Rule>(['drop', 'mask', 'hash'])('With --%s a value is nowhere', (rule) => {
  const how = { ...rules({ params: 'all', [rule]: ['token'] }), max_line_bytes: 4_500 };
  test.each(PLACES)('in %s', (_, input) => {
    shown(input);
    expect(hidden(input, how).lines).toBeGreaterThan(0);
  });
});

test('Of several rules for a key the strictest counts', () => {
  const line = `{"message": "token=${SECRET}", "token": "${SECRET}", "x": 1}`;
  const both = hidden(line, rules({ mask: ['token'], hash: ['TOKEN'] }));
  expect(both.logs).toMatchObject([{ message: 'token=***', attributes: { token: '***', x: '1' } }]);
  const all = hidden(line, rules({ drop: ['Token'], mask: ['token'], hash: ['token'] }));
  expect(all.logs[0]).toMatchObject({ message: 'token=***', attributes: { x: '1' } });
  expect(all.logs[0]?.['attributes']).not.toHaveProperty('token');
});

test('A rule for params is one for all inputs of a task', () => {
  const line = stepLine({ params: params({ user: SECRET }) });
  expect(hidden(line, rules({ params: 'all', drop: ['params'] })).steps[0]).not.toHaveProperty('params');
  for (const rule of ['mask', 'hash']) {
    const { steps } = hidden(line, rules({ params: 'all', [rule]: ['params'] }));
    expect(steps[0]?.['params']).toEqual({ user: '[redacted]' });
  }
});

describe('--dead-letters-keep-raw', () => {
  const broken = step.slice(0, -1);
  const every = { attributes: [], drop: ['token'], mask: ['token'], hash: ['token'] };

  test('keeps the very bytes of what is rejected, and only of that', () => {
    const how = rules({ ...every, keep_raw: true });
    const { rejections } = decode(`${broken}\ntoken=${SECRET}\n${step}`, how);
    expect(rejections).toMatchObject([{ raw: broken }]);
    hidden(`token=${SECRET}\n${step}`, how);
  });

  test('when it is not given, what is rejected is masked like everything else', () => {
    expect(hidden(broken, rules(every)).rejections).toHaveLength(1);
  });
});
