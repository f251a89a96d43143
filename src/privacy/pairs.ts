import { encodeUtf8 } from '../bytes.ts';
import { MASK } from './rules.ts';
import { contentEnd } from './whole.ts';

const COLON = /"\s*:\s*/g;
const OPENING = /(\\*)"/y;
/** In JSON a value is followed by one of these. */
const NEXT = /\s*(?:[,}\]]|$)/y;
const SCALAR = /[\w.+-]+(?=\s*[,}\]])/y;

/** Names as a key may have them, in text and in a byte string. */
export function keyNames(...names: readonly Iterable<string>[]): ReadonlySet<string> {
  const both = new Set<string>();
  for (const some of names) for (const name of some) both.add(name).add(encodeUtf8(name));
  return both;
}

/** True for a line that is no JSON and begins or ends as an object does: the other end was cut off. */
export function isRest(line: string): boolean {
  return line.startsWith('{') || line.split('{').length < line.split('}').length;
}

/**
 * The text of a line that could not be read, with the values of all its `"key":` masked but those of `allowed`. A string is masked to its closing quote, a
 * number to the comma; everything else, and a string behind which JSON does not go on, to the end. A key is known by the quote and the colon behind it, in
 * whatever depth of quoting: what went wrong before it does not hide it.
 */
export function maskPairs(text: string, allowed: ReadonlySet<string>): string {
  let told = '';
  let from = 0;
  COLON.lastIndex = 0;
  for (let match = COLON.exec(text); match !== null; match = COLON.exec(text)) {
    const at = COLON.lastIndex;
    const { name, slashes } = keyBefore(text, match.index);
    if ((name !== undefined && allowed.has(name)) || at === text.length) continue;
    const [opening, depth = ''] = execAt(OPENING, text, at) ?? [];
    const [scalar] = execAt(SCALAR, text, at) ?? [];
    if (opening !== undefined) {
      const start = at + opening.length;
      const end = contentEnd(text, start, depth.length, '"', text.length);
      if (end === undefined || execAt(NEXT, text, end + opening.length) === null) {
        return `${told}${text.slice(from, start)}${MASK}`;
      }
      told += text.slice(from, start) + MASK;
      from = end;
      COLON.lastIndex = end + opening.length;
    } else if (scalar !== undefined) {
      told += `${text.slice(from, at)}${slashes}"${MASK}${slashes}"`;
      from = at + scalar.length;
      COLON.lastIndex = from;
    } else return `${told}${text.slice(from, at)}${MASK}`;
  }
  return told + text.slice(from);
}

/** The name that ends at a quote, with the backslashes before that; no name where it does not begin with the same: then it may be the end of one. */
function keyBefore(text: string, quote: number): { name: string | undefined; slashes: string } {
  const slashes = slashesBefore(text, quote);
  const end = quote - slashes.length;
  const opening = end === 0 ? -1 : text.lastIndexOf('"', end - 1);
  const whole = opening !== -1 && slashesBefore(text, opening) === slashes;
  return { name: whole ? text.slice(opening + 1, end) : undefined, slashes };
}

function slashesBefore(text: string, at: number): string {
  let start = at;
  while (text[start - 1] === '\\') start--;
  return text.slice(start, at);
}

function execAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}
