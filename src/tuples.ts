import type { Tuple } from './batch.ts';

/** Past this many the table is emptied, and numbered anew: two living tuples may then have one number, and equal ones may be two objects. */
const MOST = 60_000;
/** The same past so many characters of labels. */
const MOST_TEXT = 16 << 20;

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
  const { error_kind = '', root_error_type = '', reason = '' } = labels;
  const key = JSON.stringify([
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
  };
  interned.set(key, tuple);
  return tuple;
}
