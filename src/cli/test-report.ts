import { members } from '../json.ts';
import { written } from '../pipeline-tests/compare.ts';
import type { Failure, Outcome } from '../pipeline-tests/run.ts';
import type { ExpectedRow } from '../pipeline-tests/schema.ts';

/** Where people read: without `columns` lines are as long as they are. */
export interface Screen {
  readonly colours: boolean;
  readonly columns: number | undefined;
}

/** What tests came to: a line each under its file, and below those that failed what is wrong with which event. */
export function report(outcomes: readonly Outcome[], ms: number, screen: Screen): string {
  const page = new Page(screen);
  let file = '';
  for (const { test, failures, ms } of outcomes) {
    if (test.place.file !== file) {
      if (file !== '') page.blank();
      ({ file } = test.place);
      page.line('', file, 'bold');
    }
    const passed = failures.length === 0;
    page.line(
      `  ${page.paint(passed ? 'ok  ' : 'FAIL', passed ? 'green' : 'red')}  `,
      `${test.name}  ${time(ms).replace(' ', TOGETHER)}`,
    );
    if (passed) continue;
    page.blank();
    page.line('    ', `${file}:${test.place.line}:${test.place.column}`, 'dim');
    for (const failure of failures) {
      tell(failure, page);
      page.blank();
    }
  }
  page.blank();
  const failed = outcomes.filter(({ failures }) => failures.length > 0).length;
  const passed = `${outcomes.length - failed} passed`;
  const sum = failed === 0 ? page.paint(passed, 'green') : `${passed}, ${page.paint(`${failed} failed`, 'red')}`;
  return `${page.text()}${sum}, ${time(ms)}`;
}

function tell({ what, number, of, expected, got, differences }: Failure, page: Page): void {
  const nth = `${what} ${number} of ${of}`;
  const whole = got === undefined ? wantedFields(expected!.row) : gotFields(got);
  const names = [...whole.map(([name]) => name), ...differences.map(({ field }) => field)];
  const width = Math.max(0, ...names.map(({ length }) => length));
  const list = (colour?: Colour): void => {
    for (const [name, value] of whole)
      page.line(`      ${page.paint(safe(name).padEnd(width), colour)}  `, value, colour);
  };
  if (expected === undefined) {
    page.line('    ', `${nth} that came is not expected:`);
    list();
    return;
  }
  const { line } = expected.place;
  page.line('    ', `${nth} ${got === undefined ? 'did not come' : 'is not as expected'} (line ${line}):`);
  if (got === undefined) {
    list();
    return;
  }
  for (const each of differences) {
    page.line(`      ${safe(each.field).padEnd(width)}  expected  `, written(each.expected), 'green');
    page.line(`      ${' '.repeat(width)}  got       `, each.got ?? 'nothing', 'red');
  }
  page.line('    ', `The whole ${what}:`);
  list('dim');
}

/** Every field with its JSON as it is stored; those of a mapping each by itself. */
function gotFields(row: string, within = ''): [string, string][] {
  return [...members(row)].flatMap(([name, json]): [string, string][] =>
    json.startsWith('{') ? gotFields(json, `${within}${name}.`) : [[`${within}${name}`, json]],
  );
}

function wantedFields(row: ExpectedRow, within = ''): [string, string][] {
  return Object.entries(row).flatMap(([name, wanted]): [string, string][] =>
    typeof wanted === 'object' ? wantedFields(wanted, `${within}${name}.`) : [[`${within}${name}`, written(wanted)]],
  );
}

const COLOURS = { bold: 1, dim: 2, red: 31, green: 32 } as const;
type Colour = keyof typeof COLOURS;

/** What is too long for the screen goes on below where it began, and a trace is shown line by line. */
class Page {
  readonly #screen: Screen;
  readonly #lines: string[] = [];

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  blank(): void {
    if (this.#lines.at(-1) !== '') this.#lines.push('');
  }

  line(start: string, text: string, colour?: Colour): void {
    const indent = start.replace(/\x1b\[\d+m/g, '').length;
    const shown = pieces(safe(text), (this.#screen.columns ?? Number.POSITIVE_INFINITY) - indent);
    const painted = shown.map((each) => this.paint(each.replaceAll(TOGETHER, ' '), colour));
    painted.forEach((each, n) => this.#lines.push((n === 0 ? start : ' '.repeat(indent)) + each));
  }

  paint(text: string, colour: Colour | undefined): string {
    return colour !== undefined && this.#screen.colours ? `\x1b[${COLOURS[colour]}m${text}\x1b[0m` : text;
  }

  text(): string {
    return this.#lines.map((line) => `${line}\n`).join('');
  }
}

const LEAST_COLUMNS = 20;
/** A blank at which no line ends. */
const TOGETHER = '\u00a0';

/** The text in pieces of so many columns: what does not fit ends at the newlines of a JSON text, and at blanks. */
function pieces(text: string, columns: number): string[] {
  const most = Math.max(columns, LEAST_COLUMNS);
  if (text.length <= most) return [text];
  return text.split(/(?<=\\n)/).flatMap((line) => {
    const found: string[] = [];
    let rest = line;
    while (rest.length > most) {
      const blank = rest.lastIndexOf(' ', most);
      const at = blank > most / 2 ? blank : most;
      found.push(rest.slice(0, at));
      rest = rest.slice(at).trimStart();
    }
    return [...found, rest];
  });
}

/** Control characters of what logs said never reach a terminal. */
function safe(text: string): string {
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, ' ');
}

function time(ms: number): string {
  return `${Math.round(ms)} ms`;
}
