import { stringText, valueText } from '../../json.ts';
import type { Line } from '../dialect.ts';
import { readTime } from '../log/json.ts';
import type { Times, When } from '../when.ts';
import { isCount, isSeconds, wordOf, wordsOf, type Field } from './fields.ts';
import type { Unit } from './schema.ts';

/** A unit in seconds, as a fraction: 1001 ms are 1001 / 1000 s, and not 1001 * 0.001. */
const UNITS: Readonly<Record<Unit, readonly [number, number]>> = {
  ns: [1, 1e9],
  us: [1, 1e6],
  ms: [1, 1e3],
  s: [1, 1],
  min: [60, 1],
  h: [3_600, 1],
};

/** Elasticsearch refuses a row with a number of more than 1,000 characters. */
const LONGEST_NUMBER = 64;

/** What a column is filled with: text, or the JSON of a number; or why it cannot be, without the value. */
export type Filling = { readonly text: string } | { readonly problem: string };

/** `json` is the value as it was written, and not null; `name` that of its key. */
export function readValue({ sort, column, unit, values }: Field, json: string, name: string): Filling {
  const wrong = (what: string): Filling => ({ problem: `${name} ${what}` });
  switch (sort) {
    case 'seconds':
      return readSeconds(json, unit) ?? wrong('must be a finite number, 0 or more');
    case 'count':
      return isNumber(json) && isCount(Number(json))
        ? { text: String(Number(json)) }
        : wrong('must be a whole number from 0 to 65535');
    case 'params':
      return { text: valueText(json) ?? json };
    default: {
      if (/^[[{]/.test(json)) return wrong('must be text, a number, true or false');
      const written = (valueText(json) ?? '').toWellFormed();
      const meant = values === undefined ? written : values.get(written);
      if (meant === undefined) return wrong(`has a value that is not among the values of ${column}`);
      const text = meant === '' ? '' : wordOf(column, meant);
      return text === undefined ? wrong(`must be one of ${wordsOf(column)}`) : { text };
    }
  }
}

/** Undefined for what is no time that can be stored. */
export function readWhen(json: string, unit: Unit | undefined, line: Line, times: Times): When | undefined {
  const value = json.startsWith('"') ? stringText(json) : isNumber(json) ? Number(json) : undefined;
  if (unit === undefined) return readTime(value, line.time, times);
  if (typeof value !== 'number') return undefined;
  const [seconds, parts] = UNITS[unit];
  const us = Math.round(parts > 1e6 ? value / (parts / 1e6) : value * ((seconds * 1e6) / parts));
  const when = times.ofUtc(us, line.time);
  return when.from === 'line' ? when : undefined;
}

function readSeconds(json: string, unit: Unit = 's'): Filling | undefined {
  if (!isNumber(json)) return undefined;
  const [seconds, parts] = UNITS[unit];
  const value = (Number(json) * seconds) / parts;
  if (!isSeconds(value)) return undefined;
  return { text: unit === 's' && json.length <= LONGEST_NUMBER ? json : String(value) };
}

function isNumber(json: string): boolean {
  return /^[-\d]/.test(json);
}
