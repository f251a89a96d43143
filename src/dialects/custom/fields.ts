import { readLevel } from '../log/level.ts';
import { EventError } from './event-error.ts';
import { keyOf, type Key } from './key.ts';
import type { Column, EventOptions, FieldOptions, Kind, Unit } from './schema.ts';

/** How a column's value is read. All others are text. */
type Sort = 'time' | 'seconds' | 'count' | 'params' | 'text';
const SORTS: Partial<Record<Column, Sort>> = {
  ts: 'time',
  wall_time_s: 'seconds',
  process_time_s: 'seconds',
  attempt: 'count',
  map_index: 'count',
  params: 'params',
};

/** The columns of `events` that `steps` has not. */
const NOT_OF_STEPS: ReadonlySet<string> = new Set([
  'root_error_type',
  'error_kind',
  'level',
  'message',
  'logger',
] satisfies Column[]);

/** Columns with few words. */
const WORDS: Partial<Record<Column, readonly string[]>> = {
  status: ['success', 'error', 'canceled', 'running', 'unknown'],
  error_kind: ['user', 'system'],
  level: ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'],
};

/** Where one column comes from. Exactly one of `key` and `constant` is there. */
export interface Field {
  readonly column: Column;
  readonly sort: Sort;
  readonly key?: Key;
  readonly constant?: string;
  readonly unit?: Unit | undefined;
  readonly values?: ReadonlyMap<string, string> | undefined;
}

/** The word of its column that a value means; undefined if it means none. */
export function wordOf(column: Column, text: string): string | undefined {
  if (column === 'level') return readLevel(text);
  const words = WORDS[column];
  return words === undefined || words.includes(text) ? text : undefined;
}

export function wordsOf(column: Column): string {
  return WORDS[column]?.join(', ') ?? '';
}

/** Throws an EventError for what makes no sense. `path`: where they stand. */
export function compileFields(fields: EventOptions['fields'], kind: Kind, path: readonly string[]): Field[] {
  const compiled: Field[] = [];
  for (const [name, said] of Object.entries(fields ?? {})) {
    const column = name as Column;
    const at = [...path, column];
    if (said === undefined) continue;
    if (kind === 'step' && NOT_OF_STEPS.has(column)) {
      throw new EventError(at, 'is no column of steps; leave it out, and the key is kept in attributes');
    }
    const field = compileField(column, typeof said === 'string' ? { key: said } : said, at);
    const same = compiled.find(({ key }) => key !== undefined && key.name === field.key?.name);
    if (same !== undefined) {
      throw new EventError(at, `${same.column} and ${column} are both read from ${field.key?.name}; leave one out`);
    }
    compiled.push(field);
  }
  return compiled;
}

function compileField(column: Column, options: FieldOptions, at: readonly string[]): Field {
  const { key, unit, values, const: constant } = options;
  const sort = SORTS[column] ?? 'text';
  const timed = sort === 'time' || sort === 'seconds';
  const fail = (part: string, message: string): never => {
    throw new EventError([...at, part], message);
  };
  if (unit !== undefined && !timed) fail('unit', `${column} is no time and no duration; leave the unit out`);
  if (values !== undefined && sort !== 'text') fail('values', `${column} is no text; leave the values out`);
  if (constant !== undefined) {
    for (const other of ['key', 'unit', 'values'] as const) {
      if (options[other] !== undefined) fail(other, 'stands beside a const, which needs nothing else');
    }
    checkConstant(column, sort, constant, fail);
    const said = sort === 'seconds' || sort === 'count' ? String(Number(constant)) : String(constant);
    return { column, sort, constant: wordOf(column, said) ?? '' };
  }
  if (key === undefined) throw new EventError(at, 'needs a key or a const');
  // Its values would stand in the attribute too, for all to read.
  if (sort === 'params' && key.includes('.')) fail('key', 'has to be a key of the line itself');
  for (const [from, to] of Object.entries(values ?? {})) {
    if (wordOf(column, to) === undefined) {
      throw new EventError([...at, 'values', from], `${to} is no ${column}; give one of ${wordsOf(column)}`);
    }
  }
  return { column, sort, key: keyOf(key), unit, values: values && new Map(Object.entries(values)) };
}

function checkConstant(
  column: Column,
  sort: Sort,
  constant: string | number,
  fail: (part: string, message: string) => never,
): void {
  if (sort === 'time' || sort === 'params') fail('const', `${column} is of each line; give a key`);
  if (String(constant).trim() === '') fail('const', 'is empty');
  if (sort === 'seconds' && !isSeconds(Number(constant))) fail('const', 'is no duration; give seconds, 0 or more');
  if (sort === 'count' && !isCount(Number(constant))) fail('const', `is no ${column}; give 0 to 65535`);
  if (sort === 'text' && wordOf(column, String(constant)) === undefined) {
    fail('const', `${constant} is no ${column}; give one of ${wordsOf(column)}`);
  }
}

export function isSeconds(value: number): boolean {
  return value >= 0 && value < Number.POSITIVE_INFINITY;
}

export function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 0xffff;
}
