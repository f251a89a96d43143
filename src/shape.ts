/*
 * Reads JSON that an earlier version may have written. Unlike a schema it gives what it has read, typed, and costs nothing at a start that has none to
 * read: ajv takes 100 ms.
 */

/** Says that a value is not what it should be: `shaped` makes it undefined. */
class WrongShape extends Error {}

export type Read<T> = (value: unknown) => T;

/** What `read` makes of the value; undefined if it has another shape. */
export function shaped<T>(read: Read<T>, value: unknown): T | undefined {
  try {
    return read(value);
  } catch (error) {
    if (error instanceof WrongShape) return undefined;
    throw error;
  }
}

export const text: Read<string> = (value) => (typeof value === 'string' ? value : wrong());
export const flag: Read<boolean> = (value) => (typeof value === 'boolean' ? value : wrong());
export const number: Read<number> = (value) => (Number.isFinite(value) ? (value as number) : wrong());
export const count: Read<number> = (value) =>
  Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : wrong();

export function oneOf<T>(...allowed: readonly T[]): Read<T> {
  return (value) => (allowed.includes(value as T) ? (value as T) : wrong());
}

export function optional<T>(read: Read<T>): Read<T | undefined> {
  return (value) => (value === undefined ? undefined : read(value));
}

export function list<T>(read: Read<T>): Read<T[]> {
  return (value) => (Array.isArray(value) ? value.map((each) => read(each)) : wrong());
}

export function pair<T>(read: Read<T>): Read<[T, T]> {
  return (value) => {
    const [first, second, ...more] = list(read)(value);
    return first === undefined || second === undefined || more.length > 0 ? wrong() : [first, second];
  };
}

/** Only the named fields. */
export function object<T extends object>(fields: { readonly [K in keyof T]-?: Read<T[K]> }): Read<T> {
  const names = Object.keys(fields) as (keyof T)[];
  return (value) => {
    if (typeof value !== 'object' || value === null) return wrong();
    const read: Partial<T> = {};
    for (const name of names) {
      const field = fields[name]((value as Partial<T>)[name]);
      if (field !== undefined) read[name] = field;
    }
    return read as T;
  };
}

function wrong(): never {
  throw new WrongShape();
}
