import type { EventTable, Field, SearchType } from '../fields.ts';
import type { FieldType } from './schema.ts';
import type { EventType, TypedField } from './type.ts';

const EVENTS: readonly EventTable[] = ['events'];

const STORED: Readonly<Record<FieldType, readonly [type: string, codec: string, search: SearchType]>> = {
  int: ['Nullable(Int64)', 'CODEC(ZSTD(1))', 'long'],
  float: ['Nullable(Float64)', 'CODEC(ZSTD(1))', 'double'],
  str: ['String', 'CODEC(ZSTD(1))', 'keyword'],
  bool: ['Nullable(Bool)', '', 'boolean'],
  any: ['String', 'CODEC(ZSTD(1))', 'stored'],
};

/** The columns of all types, each once, with its comment. */
export function columnsOf(types: readonly EventType[]): Field[] {
  const columns = new Map<string, { field: TypedField; types: string[] }>();
  for (const { name, fields } of types) {
    for (const field of fields) {
      const known = columns.get(field.column);
      if (known === undefined) columns.set(field.column, { field, types: [name] });
      else known.types.push(name);
    }
  }
  return [...columns].map(([name, { field, types: names }]) => {
    const [type, codec, search] = STORED[field.type];
    const meaning = meaningOf(field, names);
    const clickhouse = `${type} COMMENT ${literal(meaning)}${codec === '' ? '' : ` ${codec}`}`;
    return { name, clickhouse, search, tables: EVENTS, meaning };
  });
}

function meaningOf({ description, unit }: TypedField, types: readonly string[]): string {
  const about = description.replace(/\s+/g, ' ').replace(/\.$/, '');
  const said = [about, unit === '' ? '' : `in ${unit}`].filter((part) => part !== '').join(', ');
  return `${said === '' ? '' : `${said}; `}${types.join(', ')}`;
}

/** Text in SQL. */
function literal(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
