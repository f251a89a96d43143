import { members } from '../../json.ts';

/** A key as the options name it: of the line itself, or with dots of an object within. A key that is written with dots comes first. */
export interface Key {
  readonly name: string;
  readonly path: readonly string[];
}

export function keyOf(name: string): Key {
  return { name, path: name.split('.') };
}

/** Names that a rule for it may have: its own, and those of what it is in. */
export function namesOf({ name, path }: Key): string[] {
  return path.length === 1 ? [name] : [name, ...path];
}

/** What stands under the key in a parsed object. */
export function valueAt(object: Record<string, unknown>, { name, path }: Key): unknown {
  if (Object.hasOwn(object, name)) return object[name];
  if (path.length === 1) return undefined;
  let value: unknown = object;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}

/** The same as it was written: `line` is what `members` gives. Null is nothing. */
export function jsonAt(line: ReadonlyMap<string, string>, { name, path }: Key): string | undefined {
  let json = line.get(name);
  if (json === undefined && path.length > 1) {
    let object: ReadonlyMap<string, string> | undefined = line;
    for (const part of path) {
      json = object?.get(part);
      object = json?.startsWith('{') === true ? members(json) : undefined;
    }
  }
  return json === 'null' ? undefined : json;
}
