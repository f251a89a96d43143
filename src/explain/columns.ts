import { members, valueText } from '../json.ts';
import type { Note } from './account.ts';
import { SUMMED, type ExplainedField } from './fields.ts';
import { width as cells } from '../terminal/text.ts';
import { clip, visible, wrap } from './text.ts';

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';
export type Paint = (style: Style, text: string) => string;

/** Columns that no key of a line may push aside. */
const WIDEST_NAME = 24;
const WIDEST_SOURCE = 24;
/** A longer value pushes its own source further, and no other. */
const WIDEST_VALUE = 48;
/** Sources of what is the same in every row, or is said elsewhere. */
const QUIET: ReadonlySet<string> = new Set(['dialect', 'dead letter', SUMMED]);
/** Lines that a value may take. */
const MOST_LINES = 8;

/** Which part of the decoder, about what, and what it did. A part that has several to say is named once. */
export function noteColumns(notes: readonly Note[], width: number, paint: Paint): string[] {
  const first = widest(notes.map(({ part }) => part));
  const second = Math.min(widest(notes.map(({ about }) => about)), WIDEST_NAME);
  const room = width - first - second - 6;
  let before = '';
  return notes.flatMap(({ part, about, text }) => {
    const shown = part === before ? '' : part;
    before = part;
    const left = `${paint('cyan', shown.padEnd(first))}  ${pad(clip(visible(about), second), second)}`;
    return wrap(text, room, MOST_LINES).map(
      (line, n) => `  ${n === 0 ? left : ' '.repeat(first + second + 2)}  ${line}`,
    );
  });
}

/** Name and value, and in the margin where it comes from. */
export function fieldColumns(fields: readonly ExplainedField[], width: number, paint: Paint): string[] {
  const first = Math.min(widest(fields.map(({ name }) => name)), WIDEST_NAME);
  const third = Math.min(widest(fields.map(({ from }) => from)), WIDEST_SOURCE);
  const room = width - first - third - 6;
  const values = fields.map((field) => wrap(valueOf(field), room, MOST_LINES));
  const second = Math.min(widest(values.flat()), WIDEST_VALUE);
  return fields.flatMap(({ name, from }, n) => {
    const [head = '', ...rest] = values[n]!;
    const source = paint('dim', clip(visible(from), third));
    const said = (text: string): string => (QUIET.has(from) ? text : paint('bold', text));
    return [
      `  ${pad(clip(visible(name), first), first)}  ${said(head)}${' '.repeat(Math.max(second - cells(head), 0))}  ${source}`,
      ...rest.map((line) => `  ${' '.repeat(first)}  ${said(line)}`),
    ];
  });
}

/** A text as it is; an object with a line for each of its members. */
function valueOf({ name, json }: ExplainedField): string {
  // Of a dead letter, whose text stands above.
  if (name === 'raw' || name === 'raw_base64') return 'as above';
  if (!json.startsWith('{')) return valueText(json) ?? 'null';
  return Array.from(members(json), ([key, value]) => `${key}: ${valueText(value) ?? 'null'}`).join('\n');
}

function widest(texts: readonly string[]): number {
  return texts.reduce((most, text) => Math.max(most, cells(visible(text))), 0);
}

function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(width - cells(text), 0));
}
