import type { Field } from '../../fields.ts';
import { parseTime, storable } from '../../time.ts';

/** Whether the column can hold it; what is absent need not be held. */
export function fits(value: unknown, { name, clickhouse, search }: Field): boolean {
  if (value === undefined || value === null) return true;
  if (clickhouse.startsWith('Array(')) return Array.isArray(value) && value.every((each) => typeof each === 'string');
  switch (search) {
    case 'date_nanos':
      return typeof value === 'string' && storable(parseTime(value)?.us ?? Number.NaN);
    case 'double':
      return typeof value === 'number' && value >= 0;
    case 'integer':
    case 'long': {
      const [least, most] = rangeOf(clickhouse);
      return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
    }
    case 'boolean':
      return typeof value === 'boolean';
    case 'object':
    case 'phases': {
      const of = clickhouse.includes('Float64') ? 'number' : 'string';
      return isObject(value) && (name === 'params' || Object.values(value).every((each) => typeof each === of));
    }
    case 'stored':
      return typeof value === 'string' || isObject(value);
    default:
      return typeof value === 'string' && (clickhouse !== 'Date' || isDay(value));
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isDay(text: string): boolean {
  return /^\d{4}-\d\d-\d\d$/.test(text) && storable(parseTime(`${text}T00:00:00Z`)?.us ?? Number.NaN);
}

/** Of 64 bits, what a number says exactly. */
function rangeOf(clickhouse: string): readonly [least: number, most: number] {
  const [, unsigned, bits] = /\b(U?)Int(\d+)/.exec(clickhouse) ?? [];
  const most = Math.min(2 ** (Number(bits) - (unsigned === 'U' ? 0 : 1)) - 1, Number.MAX_SAFE_INTEGER);
  return [unsigned === 'U' ? 0 : -most - 1, most];
}
