import type { Tuple } from './batch.ts';

/** Past this many the table is emptied, and numbered anew: two living tuples may then have one number, and equal ones may be two objects. */
const MOST = 60_000;
/** The same past so many characters of labels. */
const MOST_TEXT = 16 << 20;

/** Of everything but custom steps. */
export const NO_LABELS: ReadonlyMap<string, string> = new Map();

const interned = new Map<string, Tuple>();
let next = 0;
let length = 0;

/** The one object for these labels; what is not named is `''`. */
export function tupleOf(labels: Partial<Omit<Tuple, 'id'>>): Tuple {
  const {
    dialect = '',
    kind = '',
    step = '',
    status = '',
    project = '',
    domain = '',
    task = '',
    workflow = '',
  } = labels;
  const { error_kind = '', root_error_type = '', reason = '', user = NO_LABELS } = labels;
  let key = JSON.stringify([
    dialect,
    kind,
    step,
    status,
    project,
    domain,
    task,
    workflow,
    error_kind,
    root_error_type,
    reason,
  ]);
  if (user.size > 0) key += JSON.stringify([...user]);
  const known = interned.get(key);
  if (known !== undefined) return known;
  length += key.length;
  if (interned.size >= MOST || length > MOST_TEXT) {
    interned.clear();
    next = 0;
    length = key.length;
  }
  // Every tuple is written with the same keys in the same order, and not frozen: its fields are read for every row.
  const id = next++;
  const tuple: Tuple = {
    id,
    dialect,
    kind,
    step,
    status,
    project,
    domain,
    task,
    workflow,
    error_kind,
    root_error_type,
    reason,
    user,
  };
  interned.set(key, tuple);
  return tuple;
}

/** Those of the named attributes that say something, in the order of `names`. */
export function labelsAmong(
  attributes: ReadonlyMap<string, string>,
  names: readonly string[],
): ReadonlyMap<string, string> {
  const user = new Map<string, string>();
  for (const name of names) {
    const value = attributes.get(name) ?? '';
    if (value !== '') user.set(name, value);
  }
  return user;
}
