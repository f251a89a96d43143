import type { Problem } from '../config/document.ts';
import { FIELDS, IDENTITY } from '../fields.ts';
import type { EventTypeOptions } from './schema.ts';
import type { EventType, TypedField } from './type.ts';

const TAKEN: ReadonlySet<string> = new Set([...FIELDS, ...IDENTITY].map(({ name }) => name));

/** A column has one meaning: none that every event has, one type, and one field of each type of event. Types that share a field share its column. */
export function compileColumns(
  types: readonly EventType[],
  options: Readonly<Record<string, EventTypeOptions>>,
): Problem[] {
  const problems: Problem[] = [];
  const first = new Map<string, { readonly field: TypedField; readonly type: string }>();
  for (const { name, fields } of types) {
    for (const [n, field] of fields.entries()) {
      // What was inherited was looked at where it is declared.
      if (!Object.hasOwn(options[name]!.fields ?? {}, field.name)) continue;
      const said = options[name]!.fields![field.name];
      const named = typeof said === 'object' && said.column !== undefined;
      const path = [name, 'fields', field.name, ...(named ? ['column'] : [])];
      const wrong = (why: string): void => {
        const advice = `name another, as in \`column: ${suggestion(name, field.name)}\``;
        problems.push({ path, message: `${field.column} ${why}; ${advice}`, name: !named });
      };
      const other = first.get(field.column);
      // A row with one key twice is refused by every store. Inherited fields come first.
      const twin = fields.slice(0, n).find(({ column }) => column === field.column);
      if (TAKEN.has(field.column)) wrong('is a column of all events');
      else if (twin !== undefined) wrong(`is the column of ${twin.name} already`);
      else if (other === undefined) first.set(field.column, { field, type: name });
      else if (other.field.type !== field.type) wrong(`is the column of ${other.type}, of type ${other.field.type}`);
    }
  }
  return problems;
}

/** `myframework.ModelCheckpoint`, `step`: `checkpoint_step`. */
function suggestion(type: string, field: string): string {
  const last = type.split(/[.:]/).at(-1) ?? type;
  const word = last.match(/[A-Z]?[a-z0-9]+|[A-Z]+/g)?.at(-1) ?? last;
  return `${word.toLowerCase()}_${field}`.slice(0, 40);
}
