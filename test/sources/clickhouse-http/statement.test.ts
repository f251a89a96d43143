import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readStatement } from '../../../src/sources/clickhouse-http/statement.ts';

const insert = (text: string): unknown[] => {
  const statement = readStatement(text);
  if (statement.kind !== 'insert') return [statement];
  const { database, table, format, settings, end } = statement.insert;
  return [database, table, format, Object.fromEntries(settings), text.slice(end)];
};

test.each([
  [
    "flytekit's own",
    'INSERT INTO default.flytekit_telemetry FORMAT JSONEachRow',
    ['default', 'flytekit_telemetry', ''],
  ],
  ['one of @clickhouse/client', 'INSERT INTO t (a, b) FORMAT JSONEachRow', [undefined, 't', '']],
  ['with all columns but some', 'INSERT INTO t (* EXCEPT (a, b)) FORMAT JSONEachRow', [undefined, 't', '']],
  ["Vector's, in quotes", 'INSERT INTO "a b"."c\\"d" FORMAT JSONEachRow', ['a b', 'c"d', '']],
  ['in backticks and in small letters', 'insert into table `FORMAT`.`t` format JSONEachRow', ['FORMAT', 't', '']],
  ['between comments', '-- a\n/* b */ INSERT /**/ INTO t # c\nFORMAT JSONEachRow', [undefined, 't', '']],
  ['with rows behind it', 'INSERT INTO t FORMAT JSONEachRow\n{"a":1}', [undefined, 't', '\n{"a":1}']],
  ['with a row on its line', 'INSERT INTO t FORMAT JSONEachRow {"a":1}', [undefined, 't', ' {"a":1}']],
  [
    'in another alphabet',
    Buffer.from('INSERT INTO `größe` FORMAT JSONEachRow').latin1Slice(),
    [undefined, 'größe', ''],
  ],
])('an insert %s is read', (_, text, [database, table, rest]) => {
  expect(insert(text)).toEqual([database, table, 'JSONEachRow', {}, rest]);
});

test('settings are read with their values, and a format may be missing', () => {
  const text = "INSERT INTO t SETTINGS async_insert = 1, insert_deduplication_token='a\\'b', x=-1.5 FORMAT JSONEachRow";
  const settings = { async_insert: '1', insert_deduplication_token: "a'b", x: '-1.5' };
  expect(insert(text)).toEqual([undefined, 't', 'JSONEachRow', settings, '']);
  expect(insert('INSERT INTO t\n[{"a":1}]')).toEqual([undefined, 't', undefined, {}, '\n[{"a":1}]']);
});

test.each([
  ['INSERT t', { expected: 'INTO', at: 7 }],
  ['INSERT INTO FUNCTION file(x)', { expected: 'a table, not a function', at: 12 }],
  ['INSERT INTO t VALUES (1)', { expected: 'FORMAT', at: 14 }],
  ['INSERT INTO t SELECT 1', { expected: 'FORMAT', at: 14 }],
  ['INSERT INTO {table:Identifier} FORMAT JSONEachRow', { expected: 'a name', at: 12 }],
  ['INSERT INTO `t FORMAT JSONEachRow', { expected: 'a name', at: 12 }],
  ['INSERT INTO t (a, b', { expected: ')', at: 19 }],
  ['INSERT INTO t SETTINGS a = ', { expected: 'the value of a setting', at: 27 }],
  ['INSERT INTO t FORMAT', { expected: 'a name', at: 20 }],
])('of %s it is said what is missing, and where', (text, wrong) => {
  expect(readStatement(text)).toEqual({ kind: 'wrong', ...wrong });
});

test('a literal is what clients ask for, and nothing else is answered', () => {
  expect(readStatement("SELECT 'ping'")).toEqual({ kind: 'literal', value: 'ping' });
  expect(readStatement(' select 1 ;')).toEqual({ kind: 'literal', value: '1' });
  for (const text of ['SELECT 1, 2', 'SELECT version()', "SELECT '", 'SELECT']) {
    expect(readStatement(text)).toEqual({ kind: 'other', word: 'SELECT' });
  }
  expect(readStatement('DROP TABLE t')).toEqual({ kind: 'other', word: 'DROP' });
  expect(readStatement('')).toEqual({ kind: 'other', word: '' });
});

test('any text is read in as much time as it is long, and no name of it is invented', () => {
  const piece = fc.constantFrom(
    'INSERT',
    'INTO',
    't',
    '.',
    '(',
    ')',
    'FORMAT',
    'SETTINGS',
    '=',
    '1',
    ',',
    "'",
    '"',
    '/*',
    '--',
    '\n',
    ' ',
    '\\',
  );
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const text = pieces.join('');
      const statement = readStatement(text);
      return statement.kind !== 'insert' || text.includes(statement.insert.table);
    }),
  );
  for (const long of ['(', '"', "'", '`', '/*', '-- ', ' ', '\\', '/**', 'a.']) {
    const began = performance.now();
    readStatement(`INSERT INTO t ${long.repeat(64_000)}`);
    expect(performance.now() - began).toBeLessThan(1_000);
  }
});

test.each(["'\\", '`\\', '"\\'])('quotes that nothing closes are looked for once: %s', (quote) => {
  const begin = 'INSERT INTO t (a, ';
  // Each of them could begin what another one ends.
  const wrong = { kind: 'wrong', expected: 'the end of what stands in quotes', at: begin.length };
  expect(readStatement(begin + quote.repeat(32_000))).toEqual(wrong);
});
