import { encodeUtf8, joinMembers, quote } from '../../bytes.ts';
import { members, valueText } from '../../json.ts';
import type { Privacy } from '../../privacy/index.ts';
import { REDACTED } from '../../privacy/rules.ts';

/**
 * The inputs of a task: a JSON string that holds an object of name to string, and each of these strings is JSON text again, or repr text, or
 * cut at 256 characters and no longer JSON. Makes the object to store, as a byte string: decoded twice where that works, the values redacted
 * unless the privacy rules allow them. `text` is the content of the outer string. Gives `''` where not even names are stored.
 */
export function paramsObject(text: string, privacy: Privacy): string {
  if (privacy.dropsParams) {
    privacy.tell?.note('privacy', 'left out: --drop', 'params');
    return '';
  }
  const named = read(text);
  if (named === undefined)
    return `{"_unparsed":${quote(privacy.param('_unparsed') === 'keep' ? privacy.value(text) : REDACTED)}}`;
  const parts: [string, string][] = [];
  for (const [name, value] of named) {
    const rule = privacy.param(name);
    if (rule === 'keep') parts.push([name, decoded(value, privacy)]);
    else if (rule === 'hash') parts.push([name, quote(hashed(value, privacy))]);
    else if (rule === 'redact') parts.push([name, `"${REDACTED}"`]);
  }
  return `{${joinMembers(parts)}}`;
}

/** The hash of what the value says, as an attribute of that name would have it. Of a value that was cut it would be another. */
function hashed(value: string, privacy: Privacy): string {
  try {
    const inner: unknown = JSON.parse(value);
    return privacy.hash(typeof inner === 'string' ? inner : value.trim());
  } catch {
    if (!/^\s*["[{]|\.\.\.$/.test(value)) return privacy.hash(value);
    privacy.tell?.note('privacy', 'a value that was cut is redacted: its hash would be another', 'params');
    return REDACTED;
  }
}

/** Names and texts. What is no string, which flytekit never writes, is its JSON text: it may be deep, or have numbers that JSON.parse changes. */
function read(text: string): [string, string][] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    // Object.entries gives `__proto__` too: JSON.parse makes it an own property.
    const entries = Object.entries(value);
    if (entries.every((entry): entry is [string, string] => typeof entry[1] === 'string')) return entries;
    return [...members(text)].map(([name, json]) => [name, valueText(json) ?? json]);
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
function decoded(value: string, privacy: Privacy): string {
  try {
    const inner: unknown = JSON.parse(value);
    if (typeof inner === 'string') return quote(privacy.value(inner));
    // Elasticsearch refuses a row with a number of more than 1,000 characters.
    if (typeof inner !== 'object' || inner === null) {
      if (value.length <= 1_000) return value.trim();
      privacy.tell?.note('rule', 'a number of more than 1,000 characters stays text', 'params');
      return quote(value);
    }
    const kept = privacy.pruned(value);
    const text = privacy.text(kept);
    const plain = text === kept && !/\d{16}|\\u|[eE]/.test(kept) && depth(inner) <= DEEPEST;
    if (!plain) privacy.tell?.note('rule', 'JSON that stays text: it would change, or a rule has changed it', 'params');
    return plain ? encodeUtf8(JSON.stringify(kept === value ? inner : JSON.parse(kept))) : quote(text);
  } catch {
    return quote(privacy.value(value));
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
