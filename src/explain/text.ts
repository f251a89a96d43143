import { columns, width as textWidth } from '../terminal/text.ts';

/* Text of a log on a terminal: no character of it does anything there, and none is invisible. */

/** Controls, what turns the direction of writing, halves of characters; and marks, of which a letter may have a hundred. */
const UNSEEN = /\p{C}|\p{M}|[\u2028\u2029]/gu;
/** The text in one line: a newline is `␊`, an escape `␛`, and what has no picture `<200e>`. */
export function visible(text: string): string {
  return text.normalize().replace(UNSEEN, (one) => {
    const code = one.codePointAt(0)!;
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return code === 0x7f ? '\u2421' : `<${code.toString(16).padStart(4, '0')}>`;
  });
}

/** The beginning of it, in no more than `width` cells. */
export function clip(text: string, width: number): string {
  let room = width;
  for (const [at, one] of characters(text)) {
    room -= columns(one);
    if (room < 0 || (room === 0 && at + one.length < text.length)) return `${text.slice(0, at)}\u2026`;
  }
  return text;
}

/**
 * The text in lines of no more than `width` cells, broken at blanks where there are some; its own newlines stay. Of more than `most` lines the last says how
 * long it is.
 */
export function wrap(text: string, width: number, most: number): string[] {
  // Enough of it to fill the lines, however long it is.
  const end = width * most;
  const lines = text
    .slice(0, end)
    .split('\n')
    .flatMap((line) => broken(visible(line), width));
  if (lines.length <= most && text.length <= end) return lines;
  return [...lines.slice(0, most - 1), clip(`\u2026 ${text.length.toLocaleString('en')} characters in all`, width)];
}

function broken(line: string, width: number): string[] {
  const lines: string[] = [];
  let start = 0;
  let blank = -1;
  let room = width;
  for (const [at, one] of characters(line)) {
    room -= columns(one);
    if (room < 0) {
      const cut = blank > start + width / 2 ? blank + 1 : at;
      lines.push(line.slice(start, cut).trimEnd());
      room = width - textWidth(line.slice(cut, at + one.length));
      start = cut;
    }
    if (one === ' ') blank = at;
  }
  return [...lines, line.slice(start)];
}

function* characters(text: string): Iterable<[number, string]> {
  let at = 0;
  for (const one of text) {
    yield [at, one];
    at += one.length;
  }
}
