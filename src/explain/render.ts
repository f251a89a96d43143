import { valueText } from '../json.ts';
import type { Part } from '../observer.ts';
import type { Explained } from './collect.ts';
import { fieldColumns, noteColumns, type Paint, type Style } from './columns.ts';
import { clip, visible, wrap } from './text.ts';

export interface Page {
  /** Cells in a line of the terminal. */
  readonly width: number;
  readonly colour: boolean;
}

const CODES: Readonly<Record<Style, number>> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 };
const PARTS: readonly Part[] = ['framing', 'dialect', 'rule', 'privacy'];
/** What tells one row from another, behind its table. */
const SUMMARY = {
  steps: ['step', 'status'],
  logs: ['level', 'logger'],
  events: ['kind', 'root_error_type'],
  resources: ['node_id', 'gpu_id'],
  tasks: ['task', 'status'],
};
/** Lines that the text of one line may take, or of several. */
const MOST_OF_ONE = 4;
const MOST_OF_MANY = 8;

/** What a line became and why, for a person: where it went first, then why, then every field. */
export function render(each: Explained, { width, colour }: Page): string {
  const paint: Paint = (style, text) => (colour && text !== '' ? `\u001b[${CODES[style]}m${text}\u001b[0m` : text);
  const told = [...verdict(each, width, paint)];
  if (each.to === 'blank') return told.join('\n');
  for (const line of textLines(each.text, width - 2)) told.push(`  ${paint('dim', line)}`);
  const notes = [...each.framing, ...each.dialect, ...each.rules];
  const sorted = PARTS.flatMap((part) => notes.filter((note) => note.part === part));
  if (sorted.length > 0) told.push('', ...noteColumns(sorted, width, paint));
  if (each.fields.length > 0) told.push('', ...fieldColumns(each.fields, width, paint));
  return told.map((line) => line.trimEnd()).join('\n');
}

function verdict({ lines, to, reason = '', detail = '', fields }: Explained, width: number, paint: Paint): string[] {
  const which = clip(lines.length === 1 ? `line ${lines[0]}` : `lines ${ranges(lines)}`, width / 2);
  const said = (style: Style, text: string): string =>
    `${paint('bold', which)} \u2192 ${paint(style, clip(visible(text), width - which.length - 3))}`;
  switch (to) {
    case 'rejections':
      return [said('red', `dead letters: ${reason}`), ...wrap(detail, width - 2, 3).map((line) => `  ${line}`)];
    case 'filtered':
      return [said('yellow', `nowhere: ${reason === 'log' ? '--logs none leaves it out' : 'it was stored before'}`)];
    case 'blank':
      return [said('yellow', 'nowhere: blank')];
    default: {
      const known = fields.filter(({ name }) => SUMMARY[to].includes(name)).map(({ json }) => valueText(json) ?? '');
      return [said('green', known.length === 0 ? to : `${to}: ${known.join(', ')}`)];
    }
  }
}

/** One line in several, or the beginning of each where they are several. */
function textLines(text: string, width: number): string[] {
  const lines = text.split('\n');
  if (lines.length === 1) return wrap(text, width, MOST_OF_ONE);
  const shown = lines.slice(0, lines.length > MOST_OF_MANY ? MOST_OF_MANY - 1 : MOST_OF_MANY);
  // Of a few there is room for more: what tells them apart is seldom at the beginning.
  const rows = lines.length > MOST_OF_MANY / 2 ? 1 : 2;
  const told = shown.flatMap((line) => wrap(clip(visible(line.slice(0, width * 2)), (width - 4) * rows), width, 3));
  const rest = lines.length - shown.length;
  return rest === 0 ? told : [...told, `\u2026 ${rest} more lines`];
}

/** `3-5, 9`. */
function ranges(lines: readonly number[]): string {
  const told: [number, number][] = [];
  for (const line of lines) {
    const last = told.at(-1);
    if (last !== undefined && line === last[1] + 1) last[1] = line;
    else told.push([line, line]);
  }
  return told.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(', ');
}

/** The same for a program: one JSON object in one line. A value is as it stands in the row. */
export function renderJson({ fields, ...rest }: Explained): string {
  const rows = fields.map(
    ({ name, json, from }) => `{"name":${JSON.stringify(name)},"value":${json},"from":${JSON.stringify(from)}}`,
  );
  return `${JSON.stringify(rest).slice(0, -1)},"fields":[${rows.join(',')}]}`;
}
