import { encodeUtf8, quote } from '../../bytes.ts';
import { REDACTED, type Privacy } from '../../privacy.ts';

/**
 * The inputs of a task: a JSON string that holds an object of name to string, and each of these strings is JSON text again, or repr text, or
 * cut at 256 characters and no longer JSON. Makes the object to store, as a byte string: decoded twice where that works, the values redacted
 * unless the privacy rules allow them. `text` is the content of the outer string.
 */
export function paramsObject(text: string, privacy: Privacy): string {
  const named = read(text);
  if (named === undefined)
    return `{"_unparsed":${quote(privacy.allowsParam('_unparsed') ? privacy.text(text) : REDACTED)}}`;
  const parts: string[] = [];
  for (const [name, value] of named) {
    parts.push(`${quote(name)}:${privacy.allowsParam(name) ? decoded(value, privacy) : `"${REDACTED}"`}`);
  }
  return `{${parts.join(',')}}`;
}

function read(text: string): [string, unknown][] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    // Object.entries gives `__proto__` too: JSON.parse makes it an own property.
    return Object.entries(value);
  } catch {
    return undefined;
  }
}

/** Past this depth a value stays text: Elasticsearch flattens 20 levels and refuses more. */
const DEEPEST = 8;

/**
 * The second decoding. A number keeps its digits. An array or object is written anew, so that no name is repeated in it; it stays text where that
 * would change a number, where it is deep, or where an escape may hide half a surrogate pair.
 */
function decoded(value: unknown, privacy: Privacy): string {
  if (typeof value !== 'string') return encodeUtf8(JSON.stringify(value));
  try {
    const inner: unknown = JSON.parse(value);
    if (typeof inner === 'string') return quote(privacy.text(inner));
    if (typeof inner !== 'object' || inner === null) return value.trim();
    const text = privacy.text(value);
    const plain = text === value && !/\d{16}|\\u|[eE]/.test(value) && depth(inner) <= DEEPEST;
    return plain ? encodeUtf8(JSON.stringify(inner)) : quote(text);
  } catch {
    return quote(privacy.text(value));
  }
}

function depth(value: unknown): number {
  let deepest = 0;
  const stack: [unknown, number][] = [[value, 1]];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const [each, level] = next;
    if (typeof each !== 'object' || each === null) continue;
    if (level > DEEPEST) return level;
    deepest = Math.max(deepest, level);
    for (const child of Object.values(each)) stack.push([child, level + 1]);
  }
  return deepest;
}
