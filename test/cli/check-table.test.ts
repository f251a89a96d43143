import { expect, test } from 'vitest';
import { failed, type CheckPart } from '../../src/check/item.ts';
import { checkTable } from '../../src/cli/check-table.ts';

const PARTS: readonly CheckPart[] = [
  {
    part: 'source pods',
    items: [
      { what: 'file', where: `/var/log/pods/${'x'.repeat(120)}/0.log`, state: 'ok', found: '17.4 MiB; from byte 0' },
    ],
  },
  {
    part: 'sink clickhouse',
    items: [
      { what: 'rows', where: '', state: 'ok', found: 'steps' },
      {
        what: 'server',
        where: 'https://clickhouse-0.clickhouse.data.svc.cluster.local:8443',
        state: 'problem',
        found: 'the server cannot be reached (ECONNREFUSED)',
        todo: 'check `urls`, and whether it runs',
      },
      {
        what: 'table',
        where: 'd.steps',
        state: 'problem',
        found: 'is not there',
        statements: ['CREATE TABLE `d`.`steps` (\n  `ts` Int64\n)'],
      },
      { what: 'rights', where: 'ada\x1b[31m\nx', state: 'unknown', found: 'not told\r\n' },
    ],
  },
];

test.each([40, 80, 109, 110, 160])('at %d columns no line is longer, and nothing is left out', (columns) => {
  const text = checkTable(PARTS, columns, false);
  const lines = text.split('\n');
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(columns);
  for (const word of ['PROBLEM', '(ECONNREFUSED)', '`urls`,', '17.4']) expect(text).toContain(word);
  expect(text.match(/x/g)).toHaveLength(121);
  expect(text).toContain('statements for sink clickhouse\nCREATE TABLE `d`.`steps` (\n  `ts` Int64\n);\n');
  expect(text.replaceAll('\n', ' ')).toMatch(/a run would not work: 2 problems; 1 could not be told$/);
});

test('a screen of no size at all, or of next to none, is written to all the same', () => {
  expect(checkTable(PARTS, 0, false)).toBe(checkTable(PARTS, 80, false));
  expect(checkTable(PARTS, 1, false)).toBe(checkTable(PARTS, 40, false));
});

test('what a server says never reaches the terminal as a command, with colour or without', () => {
  expect(checkTable(PARTS, 80, false)).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
  expect(checkTable(PARTS, 80, true).replaceAll(/\x1b\[\d+m/g, '')).toBe(
    checkTable(PARTS, 80, false).replaceAll(/\x1b\[\d+m/g, ''),
  );
  expect(checkTable(PARTS, 80, true)).toContain('\x1b[31mPROBLEM');
  expect(checkTable(PARTS, 80, true)).not.toContain('ada\x1b');
});

test.each([
  [
    'ClickHouse at http://x:1: 516 (AUTHENTICATION_FAILED): the user is wrong: check `user`',
    { found: 'the user is wrong (516 AUTHENTICATION_FAILED)', todo: 'check `user`' },
  ],
  [
    'ClickHouse at http://x:1: TIMEOUT: no answer within 9 ms; tried again',
    { found: 'no answer within 9 ms (TIMEOUT)' },
  ],
  ['http://x:1 cannot be reached (ECONNREFUSED)', { found: 'cannot be reached (ECONNREFUSED)' }],
  [
    'http://x:1 answered GET / with HTTP 401: check user, password or api_key',
    { found: 'answered GET / with HTTP 401', todo: 'check user, password or api_key' },
  ],
])('a failure is told in two halves: %s', (message, told) => {
  expect(failed(message, 'http://x:1')).toEqual(told);
});
