import { FIELDS } from '../../fields.ts';
import { members, parseObject } from '../../json.ts';

/*
 * Objects (`attributes`, `params`, `labels`) hold what the producer wrote, and both engines refuse a whole row for some of it: measured
 * on OpenSearch 2.19.1 a value above 32,766 bytes (flat_object knows no ignore_above), on Elasticsearch 8.14.3 a NUL in a key, on both a
 * key of that size. Such a row is sent once more with its objects under names that are stored and not indexed.
 */

/** Fields that hold objects. */
const OBJECTS: ReadonlySet<string> = new Set(
  FIELDS.filter(({ search }) => search === 'object').map(({ name }) => name),
);

/** The name under which an object is kept when it cannot be indexed. */
export function unindexedName(name: string): string {
  return `${name}_unindexed`;
}

/** The row (a byte string) with its objects under names that are not indexed; undefined when it has none or is no JSON. */
export function withoutIndex(row: string): string | undefined {
  if (parseObject(row) === undefined) return undefined;
  const parts: string[] = [];
  let moved = false;
  for (const [name, value] of members(row)) {
    const object = OBJECTS.has(name);
    moved ||= object;
    parts.push(`${JSON.stringify(object ? unindexedName(name) : name)}:${value}`);
  }
  return moved ? `{${parts.join(',')}}\n` : undefined;
}
