import { members, valueText } from '../json.ts';
import { parseTime } from '../time.ts';
import type { Expected, ExpectedRow } from './schema.ts';

/** A field that is not as it must be. */
export interface Difference {
  /** `attributes.epoch`. */
  readonly field: string;
  /** As the test says it. */
  readonly expected: Expected;
  /** JSON as it is in the row; undefined where there is none. */
  readonly got: string | undefined;
}

/** A row by its fields, each with its JSON as it was written. */
export type GotRow = ReadonlyMap<string, string>;

/** The regular expression that stands between slashes; undefined for any other text. Throws a SyntaxError where it is none. */
export function pattern(text: string): RegExp | undefined {
  const [, source, flags] = /^\/(.*)\/(i?)$/s.exec(text) ?? [];
  return source === undefined ? undefined : new RegExp(source, `${flags}s`);
}

/** The fields in which the row is not what is expected; those that are not named do not matter. */
export function differences(expected: ExpectedRow, got: GotRow, within = ''): Difference[] {
  const found: Difference[] = [];
  for (const [name, wanted] of Object.entries(expected)) {
    // Declared columns stand beside the others in a row.
    if (name === 'columns' && within === '' && typeof wanted === 'object') {
      found.push(...differences(wanted, got, 'columns.'));
      continue;
    }
    const json = got.get(name);
    const field = within + name;
    if (typeof wanted === 'object' && json?.startsWith('{') === true) {
      found.push(...differences(wanted, members(json), `${field}.`));
    } else if (!fits(wanted, json, field)) found.push({ field, expected: wanted, got: json });
  }
  return found;
}

function fits(wanted: Expected, json: string | undefined, field: string): boolean {
  if (wanted === 'absent') return json === undefined;
  if (json === undefined) return false;
  if (typeof wanted !== 'string')
    return typeof wanted !== 'object' && !json.startsWith('"') && JSON.parse(json) === wanted;
  const text = valueText(json) ?? json;
  const expression = pattern(wanted);
  if (expression !== undefined) return expression.test(text);
  if (!json.startsWith('"')) return false;
  return text === wanted || (TIMES.has(field) && sameTime(text, wanted));
}

const TIMES: ReadonlySet<string> = new Set(['ts', 'ts_start']);

function sameTime(a: string, b: string): boolean {
  const us = parseTime(a)?.us;
  return us !== undefined && parseTime(b)?.us === us;
}

/** What is expected, for people. */
export function written(wanted: Expected): string {
  if (typeof wanted === 'string' && (wanted === 'absent' || pattern(wanted) !== undefined)) return wanted;
  return JSON.stringify(wanted);
}
