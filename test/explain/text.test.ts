import { describe, expect, test } from 'vitest';
import { clip, visible, wrap } from '../../src/explain/text.ts';
import { width as cells } from '../../src/terminal/text.ts';

describe('Text on a terminal', () => {
  test('shows what cannot be seen', () => {
    expect(visible('a\0b\u001b[31mc\r\n\u007f\u0085\u202e\u200b\u{e0041}')).toBe(
      'a␀b␛[31mc␍␊␡<0085><202e><200b><e0041>',
    );
    expect(visible('é voilà 日本 🙂')).toBe('é voilà 日本 🙂');
    expect(visible('Z\u0335\u0321a')).toBe('Z<0335><0321>a');
    expect(visible('\ud800')).toBe('<d800>');
  });

  test('counts the cells of wide characters', () => {
    expect(cells('ab 日本 🙂')).toBe(10);
  });

  test('is cut where the line ends, and says so', () => {
    expect(clip('abcdef', 6)).toBe('abcdef');
    expect(clip('abcdefg', 6)).toBe('abcde…');
    expect(clip('日本日本', 5)).toBe('日本…');
  });

  test('goes on in the next line, at a blank if there is one', () => {
    expect(wrap('one two three four', 9, 5)).toEqual(['one two', 'three', 'four']);
    expect(wrap('abcdefghijkl', 5, 5)).toEqual(['abcde', 'fghij', 'kl']);
    expect(wrap('日本日本日', 4, 5)).toEqual(['日本', '日本', '日']);
    expect(wrap('a\n\nb', 5, 5)).toEqual(['a', '', 'b']);
  });

  test('is said to be longer when it is', () => {
    expect(wrap('x'.repeat(1_234_567), 30, 2)).toEqual(['x'.repeat(30), '… 1,234,567 characters in all']);
  });
});
