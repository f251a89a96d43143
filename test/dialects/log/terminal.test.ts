import { describe, expect, test } from 'vitest';
import { collapseProgress, stripAnsi } from '../../../src/dialects/log/terminal.ts';

describe('colours and progress bars', () => {
  test.each([
    ['plain', 'plain'],
    ['\u001b[1;31mred\u001b[0m', 'red'],
    ['\u001b]8;;http://x/\u001b\\link\u001b]8;;\u0007!', 'link!'],
    ['\u001b[2K\u001b[1Aup', 'up'],
    ['cut \u001b[', 'cut \u001b['],
  ])('%j is shown as %j', (text, shown) => {
    expect(stripAnsi(text)).toBe(shown);
  });

  test.each([
    ['no return', 'no return'],
    ['  kept  ', '  kept  '],
    ['crlf\r', 'crlf'],
    ['1%\r2%\r\r', '2%'],
    ['1%\r2%\r   \r', '2%'],
    [' 1%\r 2%', ' 2%'],
    ['\r\r', ''],
    ['10%\rINFO:root:done', 'INFO:root:done'],
  ])('%j leaves %j', (text, shown) => {
    expect(collapseProgress(text)).toBe(shown);
  });
});
