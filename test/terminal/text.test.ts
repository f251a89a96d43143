import { expect, test } from 'vitest';
import { age, binaryText, bytesText, clean, clip, padEnd, short, width } from '../../src/terminal/text.ts';

test('wide characters count two columns, marks on letters none', () => {
  expect(['plain', '大型', '한국', '👍', 'é', '', 'ｆｕｌｌ'].map(width)).toEqual([5, 4, 4, 2, 1, 0, 8]);
});

test('a text that is too long ends in dots, and never in half a character', () => {
  expect(clip('download_data', 20)).toBe('download_data');
  expect(clip('download_data', 10)).toBe('downloa...');
  expect(clip('大型大型大型', 8)).toBe('大型...');
  expect(clip('👍👍👍', 5)).toBe('👍...');
  expect(['abcdef', 'abcdef', 'abcdef'].map((text, most) => clip(text, most))).toEqual(['', '.', '..']);
  expect(padEnd('大', 4)).toBe('大  ');
});

test('what a terminal would obey is gone', () => {
  expect(clean('a\x1b[31mb\u009bc\nd\te\u202ef\ud800')).toBe('a [31mb c d ef\ufffd');
});

test.each([
  [
    [0, 999_999, 1_234_567, 23_456_789, 999_499_999, 2e9].map(short),
    ['0', '999,999', '1.23 M', '23.5 M', '999 M', '2.00 G'],
  ],
  [
    [0, 999, 1_000, 9_949, 820_400, 3.4e6, 2e9].map(bytesText),
    ['0 B', '999 B', '1.0 kB', '9.9 kB', '820 kB', '3.4 MB', '2.0 GB'],
  ],
  [[1024, 12 << 20, 4 * 2 ** 30].map(binaryText), ['1.0 KiB', '12 MiB', '4.0 GiB']],
  [
    [0.4, 59.9, 60, 3599, 3600, 86_399, 200_000].map(age),
    ['0 s', '59 s', '1m00s', '59m59s', '1h00m', '23h59m', '2d07h'],
  ],
])('figures are short: %j', (texts, expected) => {
  expect(texts).toEqual(expected);
});
