import { describe, expect, test } from 'vitest';
import { decode, stepLine } from '../support/decode.ts';
import { hidden, params, rules, SECRET, SECRETS, shown } from './canary.ts';

const how = rules({ attributes: ['rows', 'größe'] });

describe('With --attributes, a key that is not named', () => {
  test('is left out of steps and logs, and the named ones stay', () => {
    const line = stepLine({
      rows: '5',
      größe: '7',
      Rows: `"${SECRET}"`,
      user: `"${SECRETS}"`,
      cfg: `{"rows": "${SECRET}"}`,
    });
    shown(line);
    expect(hidden(line, how).steps[0]?.['attributes']).toEqual({ rows: '5', größe: '7' });
    const log = `{"message": "hi", "level": "info", "user": "${SECRETS}", "rows": 5}`;
    expect(hidden(log, how).logs).toMatchObject([{ message: 'hi', level: 'INFO', attributes: { rows: '5' } }]);
    expect(hidden(`level=info msg=hi user=${SECRET} rows=5`, how).logs[0]?.['attributes']).toEqual({ rows: '5' });
    expect(hidden(`{"message": "hi", "user": "${SECRET}"}`, how).logs[0]).not.toHaveProperty('attributes');
  });

  test('is left out of a captured error too, and of the times that steptap keeps', () => {
    const say = (message: string): string =>
      JSON.stringify({ asctime: '2026-02-19 10:30:44,190', name: 'flytekit', levelname: 'ERROR', message });
    const lines = [say('Exception when loading_task, reason refused'), say('!! End Error Captured by Flyte !!')].join(
      '\n',
    );
    expect(decode(lines).events[0]?.['attributes']).toEqual({ reason: 'refused' });
    expect(decode(lines, how).events[0]).not.toHaveProperty('attributes');
    expect(hidden(stepLine({ asctime: `"${SECRET}"` }), how).steps[0]).not.toHaveProperty('attributes');
  });

  test('is left out with all the others by none, but for the mark that steptap itself sets', () => {
    const line = stepLine({ step: '"AsyncTranslate literal to python value"', user: `"${SECRET}"`, rows: '5' });
    expect(hidden(line, rules({ attributes: [] })).steps[0]?.['attributes']).toEqual({
      'steptap.artefact': 'coroutine',
    });
  });

  test('is left out though it is hashed; one that is named is hashed', () => {
    const line = stepLine({ user: `"${SECRET}"`, rows: '5' });
    expect(hidden(line, rules({ attributes: ['rows'], hash: ['user'] })).steps[0]?.['attributes']).toEqual({
      rows: '5',
    });
    expect(hidden(line, rules({ attributes: ['user'], hash: ['user'] })).steps).toMatchObject([
      { attributes: { user: expect.stringMatching(/^hmac:[0-9a-f]{32}$/) } },
    ]);
  });

  test('changes nothing about inputs of tasks', () => {
    const line = stepLine({ params: params({ epochs: '3', user: `"${SECRET}"` }) });
    const { steps } = hidden(line, rules({ attributes: [], params: ['epochs'] }));
    expect(steps).toMatchObject([{ params: { epochs: 3, user: '[redacted]' } }]);
  });
});

describe('With --attributes, the value of a key that is not named', () => {
  const own = stepLine().slice(0, -1);

  test.each([
    ['a string', `"user": "${SECRETS}", "rows": 5`, '"user": "***", "rows": 5'],
    ['a string with quotes', `"user": "x\\"${SECRETS}\\\\", "rows": 5`, '"user": "***", "rows": 5'],
    ['a string without its end', `"rows": 5, "user": "${SECRETS}`, '"rows": 5, "user": "***'],
    ['a number', `"rows": 5, "user":71.3e1, "y" : 71, "größe": 3`, '"rows": 5, "user":"***", "y" : "***", "größe": 3'],
    ['an object', `"rows": 5, "user": {"rows": "${SECRETS}"}, "rows": 6`, '"rows": 5, "user": ***'],
    ['a list', `"rows": 5, "user": ["${SECRETS}"], "rows": 6`, '"rows": 5, "user": ***'],
    ['a number without its end', '"rows": 5, "user": 7100', '"rows": 5, "user": ***'],
    ['a string in which another writer wrote', `"user": "can{"rows": 5}ary-71f3", "rows": 5`, '"user": "***'],
    [
      'a value in one of flytekit’s',
      `"step": "a {\\"user\\": \\"${SECRETS}\\", \\"rows\\": 5}`,
      '"step": "a {\\"user\\": \\"***\\", \\"rows\\": 5}',
    ],
    ['params', `"params": "{\\"rows\\": \\"${SECRETS}\\"}", "rows": 5`, '"params": "***", "rows": 5'],
    ['a key that ends like a named one', `"x\\"rows": "${SECRETS}", "rows": 5`, '"x\\"rows": "***", "rows": 5'],
  ])('is masked in a step that cannot be read: %s', (_, written, told) => {
    const line = `${own}, ${written}`;
    const { rejections } = hidden(line, how);
    expect(rejections).toMatchObject([{ raw: `${own}, ${told}` }]);
    const params = hidden(line, rules({ ...how.privacy, params: 'all' }));
    expect(params.rejections).toEqual(rejections);
  });

  test('is masked in a line that begins in the middle, in a record of Docker that is cut, and in a JSON log that is', () => {
    const broken = stepLine({ wall_time_s: '"x"', user: `"${SECRETS}"`, rows: '5' });
    expect(hidden(broken, how).rejections).toMatchObject([{ raw: broken.replace(SECRETS, '***') }]);
    const docker = JSON.stringify({ log: broken, stream: 'stderr', time: 'x' }).slice(0, -9);
    shown(docker);
    expect(hidden(docker, how).rows).toHaveLength(1);
    expect(hidden(`rows": "${SECRET}", ${broken.slice(1)}`, how).rows.length).toBeGreaterThan(0);
    const log = `{"level": "info", "message": "hi", "user": "${SECRETS}", "rows": 5`;
    shown(log);
    expect(hidden(log, how).logs).toMatchObject([
      { message: '{"level": "***", "message": "hi", "user": "***", "rows": 5' },
    ]);
  });

  test('is not looked for in text that is no JSON: there the rules for keys apply', () => {
    const text = `${'x'.repeat(5_000)} user: Ada token=${SECRET}`;
    const { rejections } = hidden(text.slice(4_000), {
      ...rules({ attributes: [], mask: ['token'] }),
      max_line_bytes: 1_024,
    });
    expect(rejections).toMatchObject([
      { reason: 'line_too_long', raw: expect.stringContaining('user: Ada token=***') },
    ]);
  });
});
