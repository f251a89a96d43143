import type { FieldType } from '../../event-types/schema.ts';
import { readValue, textValue } from '../../event-types/value.ts';
import type { EventTable, Field, SearchType } from '../../fields.ts';
import type { Privacy } from '../../privacy/index.ts';

/** What a column of a declared field holds, as it stands in a row: any JSON is text there. */
const HOLDS: Partial<Record<SearchType, FieldType>> = { long: 'int', double: 'float', boolean: 'bool' };

/** Columns of event types that this pipeline declares, in rows of another steptap that declares them too. What it does not declare becomes an attribute. */
export class Declared {
  readonly #fields: readonly Field[];

  constructor(fields: readonly Field[]) {
    this.#fields = fields;
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
      const value = read(field, given);
      const told =
        typeof value?.value === 'string' && !privacy.unmarked
          ? textValue(privacy.keyed(field.name, value.value) ?? '')
          : value;
      if (told !== undefined && told.json !== '') columns += `,"${field.name}":${told.json}`;
    }
    return columns;
  }

  #of(table: EventTable): readonly Field[] {
    return this.#fields.filter(({ tables }) => tables.includes(table));
  }
}

function read({ name, search }: Field, given: ReadonlyMap<string, string>): ReturnType<typeof readValue> {
  return readValue(HOLDS[search] ?? 'str', given.get(name) ?? 'null');
}
