/*
 * What JSON.parse does not give: the text of a value as it was written (numbers beyond 2^53, `1.0` against `1`), bare NaN and
 * Infinity, and where an object ends when something was written behind it.
 */

/** Parses JSON; NaN, Infinity and -Infinity outside of strings become null (Python's json module writes them). Undefined if it is not JSON. */
export function parseLenient(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    if (!text.includes('NaN') && !text.includes('Infinity')) return undefined;
  }
  try {
    return JSON.parse(withoutBare(text));
  } catch {
    return undefined;
  }
}

const BARE = /-?\bInfinity\b|\bNaN\b/g;

/** By hand over the strings: a regular expression that passes one of some megabytes runs out of stack. */
function withoutBare(text: string): string {
  let strict = '';
  for (let at = 0; at < text.length;) {
    const quote = text.indexOf('"', at);
    const start = quote === -1 ? text.length : quote;
    strict += text.slice(at, start).replace(BARE, 'null');
    const end = quote === -1 ? -1 : stringEnd(text, start);
    at = end === -1 ? text.length : end;
    strict += text.slice(start, at);
  }
  return strict;
}

/** The same for an object; undefined for anything else. */
export function parseObject(text: string): Record<string, unknown> | undefined {
  const value = parseLenient(text);
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Offset just past the string that starts at `start`; -1 if it does not end. */
export function stringEnd(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return end + 1;
  }
  return -1;
}

/** Offset just past the value that starts at `start`; -1 if it does not end. Iterative: depth costs nothing. */
export function valueEnd(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = stringEnd(text, at) - 1;
        if (at === -2) return -1;
        if (depth === 0) return at + 1;
        break;
      case 0x7b: // {
      case 0x5b: // [
        depth++;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        if (depth === 0) return at;
        if (--depth === 0) return at + 1;
        break;
      case 0x2c: // ,
        if (depth === 0) return at;
        break;
      default:
    }
  }
  return -1;
}

/** No line that means something has more; what has is told before anybody parses it. */
const MOST_DEPTH = 1_000;
const MOST_KEYS = 10_000;

/** Why the object that the text begins with should not be parsed; undefined when it may be. Iterative, and parses nothing. */
export function tooMuch(text: string): string | undefined {
  let depth = 0;
  let keys = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = stringEnd(text, at) - 1;
        // It is no JSON: parsing ends there.
        if (at === -2) return undefined;
        break;
      case 0x7b: // {
      case 0x5b: // [
        if (++depth > MOST_DEPTH) return `nested more than ${MOST_DEPTH} deep`;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        // What stands behind it is another record, and looked at by itself.
        if (--depth === 0) return undefined;
        break;
      case 0x3a: // :
        if (++keys > MOST_KEYS) return `has more than ${MOST_KEYS} keys`;
        break;
      default:
    }
  }
  return undefined;
}

/** Offset just past the object that starts at `start`; -1 if it does not end. */
export function objectEnd(text: string, start: number): number {
  return text.charCodeAt(start) === 0x7b ? valueEnd(text, start) : -1;
}

/**
 * The members of an object that parseObject took: name and the text of the value, as written. Of a repeated name the last counts, as in JSON.parse.
 */
export function members(text: string): Map<string, string> {
  const found = new Map<string, string>();
  let at = text.indexOf('{') + 1;
  for (;;) {
    at = text.indexOf('"', at);
    if (at === -1) return found;
    const nameEnd = stringEnd(text, at);
    const colon = text.indexOf(':', nameEnd);
    if (nameEnd === -1 || colon === -1) return found;
    const name = stringText(text.slice(at, nameEnd));
    let start = colon + 1;
    while (text.charCodeAt(start) <= 0x20) start++;
    const end = valueEnd(text, start);
    if (end === -1) return found;
    found.set(name, text.slice(start, end).trimEnd());
    at = end;
    // Past a nested value there is a comma or the closing brace.
    while (at < text.length && text.charCodeAt(at) !== 0x2c && text.charCodeAt(at) !== 0x7d) at++;
    if (text.charCodeAt(at) !== 0x2c) return found;
  }
}

/** The values of an array that parseLenient took, as written. */
export function elements(text: string): string[] {
  const found: string[] = [];
  let at = text.indexOf('[') + 1;
  while (at < text.length) {
    while (text.charCodeAt(at) <= 0x20) at++;
    if (text.charCodeAt(at) === 0x5d) return found;
    const end = valueEnd(text, at);
    if (end <= at) return found;
    found.push(text.slice(at, end).trimEnd());
    at = end;
    while (at < text.length && text.charCodeAt(at) !== 0x2c && text.charCodeAt(at) !== 0x5d) at++;
    if (text.charCodeAt(at) !== 0x2c) return found;
    at++;
  }
  return found;
}

/** What a JSON string says. */
export function stringText(json: string): string {
  return json.includes('\\') ? (JSON.parse(json) as string) : json.slice(1, -1);
}

/** A value as text: a string's content, null as undefined, everything else as it was written. */
export function valueText(json: string): string | undefined {
  if (json.startsWith('"')) return stringText(json);
  return json === 'null' ? undefined : json;
}
