import { styleText } from 'node:util';
import type { CheckItem, CheckPart, CheckState } from '../check/item.ts';

/** As it stands in front of an item: in words, so that it is told without colour too. */
const MARKS: Readonly<Record<CheckState, string>> = { ok: 'ok', warning: 'warning', unknown: '?', problem: 'PROBLEM' };
const COLOURS = { ok: 'dim', warning: 'yellow', unknown: 'cyan', problem: 'red' } as const;

type Style = Parameters<typeof styleText>[0];

const MARK_COLUMNS = 'PROBLEM'.length;
/** Below, what was found stands behind where, in one column. */
const WIDE_COLUMNS = 110;
/** A longer path or address goes on in the next line. */
const LONGEST_WHERE = 44;
const LONGEST_WHAT = 12;
const LEAST_COLUMNS = 40;

/**
 * What a run would find, part by part, for a screen of so many columns. Statements that somebody has to run stand before it, whole: they are long, and what is
 * wrong has to be on the screen at the end.
 */
export function checkTable(parts: readonly CheckPart[], screen: number, colour: boolean): string {
  // A terminal that has not been told its size says 0.
  const columns = screen === 0 ? 80 : Math.max(screen, LEAST_COLUMNS);
  const items = parts.flatMap((part) => part.items);
  const paint = (style: Style, text: string): string =>
    colour ? styleText(style, text, { validateStream: false }) : text;
  const widest = (most: number, name: 'what' | 'where'): number =>
    Math.min(most, Math.max(0, ...items.map((item) => item[name].length)));
  const what = widest(LONGEST_WHAT, 'what');
  const where = columns >= WIDE_COLUMNS ? widest(LONGEST_WHERE, 'where') : 0;
  const lines = parts.flatMap(({ part, items: found }) => [
    paint('bold', clean(part)),
    ...found.flatMap((item) => {
      const text = itemLines(item, what, where, columns - MARK_COLUMNS - what - 6);
      return text.map((line, n) => {
        const mark =
          n === 0 ? paint(COLOURS[item.state], MARKS[item.state].padEnd(MARK_COLUMNS)) : ' '.repeat(MARK_COLUMNS);
        return `  ${mark}  ${line}`.trimEnd();
      });
    }),
  ]);
  const statements = parts.flatMap(({ part, items: found }) => {
    const own = found.flatMap((item) => item.statements ?? []);
    if (own.length === 0) return [];
    return [paint('bold', `statements for ${clean(part)}`), ...own.map((each) => `${clean(each)};`), ''];
  });
  const end = wrap(verdict(parts), columns).map((line) => paint('bold', line));
  return [...statements, ...lines, '', ...end].join('\n');
}

/** In a few words, what it comes to. */
export function verdict(parts: readonly CheckPart[]): string {
  const count = (state: CheckState): number =>
    parts.flatMap(({ items }) => items).filter((item) => item.state === state).length;
  const told = (number: number, one: string): string[] =>
    number === 0 ? [] : [`${number} ${one}${number === 1 ? '' : 's'}`];
  const problems = count('problem');
  const all = [...told(problems, 'problem'), ...told(count('warning'), 'warning')].join(', ');
  const unknown = count('unknown') === 0 ? '' : `; ${count('unknown')} could not be told`;
  return `${problems === 0 ? 'a run would work' : 'a run would not work'}${all === '' ? '' : `: ${all}`}${unknown}`;
}

/** The columns behind the mark: `room` is for where it is and what was found, in one column unless `where` has a width. */
function itemLines(item: CheckItem, what: number, where: number, room: number): string[] {
  const apart = where > 0 && item.where !== '';
  const rest = Math.max(20, apart ? room - where - 2 : room);
  const found = wrap(apart || item.where === '' ? item.found : `${item.where}: ${item.found}`, rest);
  const todo = item.todo === undefined ? [] : wrap(item.todo, rest - 3);
  const texts = [...found, ...todo.map((line, n) => `${n === 0 ? '->' : '  '} ${line}`)];
  const columns = [wrap(item.what, what), ...(apart ? [wrap(item.where, where)] : []), texts];
  return Array.from({ length: Math.max(...columns.map(({ length }) => length)) }, (_, n) =>
    columns.map((lines, at) => (lines[n] ?? '').padEnd([what, apart ? where : 0][at] ?? 0)).join('  '),
  );
}

/** Lines of at most so many characters, broken between words where that can be. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (let word of clean(text).replaceAll('\n', ' ').split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = '';
    }
    for (; word.length > width; word = word.slice(width)) lines.push(word.slice(0, width));
    line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** What a server, or the name of a file, says never controls a terminal. */
function clean(text: string): string {
  return text.replace(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/g, ' ');
}
