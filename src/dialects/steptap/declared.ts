import type { FieldType } from '../../event-types/schema.ts';
import type { EventTypes } from '../../event-types/index.ts';
import { readValue, textValue, type TypedValue } from '../../event-types/value.ts';
import type { EventTable, Field, SearchType } from '../../fields.ts';
import type { Privacy } from '../../privacy/index.ts';

/** What a column of a declared field holds, as it stands in a row: any JSON is text there. */
const HOLDS: Partial<Record<SearchType, FieldType>> = { long: 'int', double: 'float', boolean: 'bool' };

/** Columns of event types that this pipeline declares, in rows of another steptap that declares them too. What it does not declare becomes an attribute. */
export class Declared {
  readonly #fields: readonly Field[];
  /** What the fields of a column are called in lines, for which rules are made. */
  readonly #names = new Map<string, Set<string>>();

  constructor(types: EventTypes | undefined) {
    this.#fields = types?.columns ?? [];
    for (const { fields } of types?.types.values() ?? []) {
      for (const { name, column } of fields) {
        this.#names.set(column, (this.#names.get(column) ?? new Set([column])).add(name));
      }
    }
  }

  has(table: EventTable, name: string): boolean {
    return this.#of(table).some((field) => field.name === name);
  }

  /** The name of one that the column cannot hold. */
  problem(table: EventTable, given: ReadonlyMap<string, string>): string | undefined {
    return this.#of(table).find((field) => read(field, given) === undefined)?.name;
  }

  /** JSON members, each with a comma before it: a byte string. */
  columns(table: EventTable, given: ReadonlyMap<string, string>, privacy: Privacy): string {
    let columns = '';
    for (const field of this.#of(table)) {
      const told = this.#told(field.name, read(field, given), privacy);
      if (told !== undefined && told.json !== '') columns += `,"${field.name}":${told.json}`;
    }
    return columns;
  }

  /** As it may be stored. A number with a rule cannot stay one. */
  #told(column: string, value: TypedValue | undefined, privacy: Privacy): TypedValue | undefined {
    const name = privacy.unmarked ? undefined : [...this.#names.get(column)!].find((each) => privacy.marks(each));
    if (typeof value?.value !== 'string') return name === undefined ? value : undefined;
    return privacy.unmarked ? value : textValue(privacy.keyed(name ?? column, value.value) ?? '');
  }

  #of(table: EventTable): readonly Field[] {
    return this.#fields.filter(({ tables }) => tables.includes(table));
  }
}

function read({ name, search }: Field, given: ReadonlyMap<string, string>): ReturnType<typeof readValue> {
  return readValue(HOLDS[search] ?? 'str', given.get(name) ?? 'null');
}
