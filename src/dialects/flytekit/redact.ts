import { REDACTED } from '../../privacy/rules.ts';

/*
 * The params of a step when none of their values may be stored: only the names are wanted, so nothing is decoded. The text is a JSON object inside
 * a JSON string, `"{\"epochs\": \"3\", \"ds\": \"\\\"s3://x\\\"\"}"`, and is understood to its last character or not at all.
 */

const OPEN = ', "params": "{';
const PRINTABLE = /^[\x20-\x7e]*$/;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MOST = 64;

/** The object to store, as a byte string; undefined where the text has to be decoded to be understood. */
export function redactedParams(text: string): string | undefined {
  if (!text.startsWith(OPEN) || !text.endsWith('}"}') || !PRINTABLE.test(text)) return undefined;
  const end = text.length - 3;
  const names: string[] = [];
  let at = OPEN.length;
  while (at < end) {
    if (names.length > 0) {
      if (text.charCodeAt(at) !== 0x2c) return undefined;
      at += text.charCodeAt(at + 1) === 0x20 ? 2 : 1;
    }
    const nameEnd = text.indexOf('\\"', at + 2);
    if (!text.startsWith('\\"', at) || nameEnd === -1 || text.charCodeAt(nameEnd + 2) !== 0x3a) return undefined;
    const name = text.slice(at + 2, nameEnd);
    // JSON.parse puts names that are numbers first, and of a repeated one the last counts.
    if (!/^[A-Za-z_][\w.-]*$/.test(name) || names.includes(name) || names.length === MOST) return undefined;
    names.push(name);
    at = nameEnd + (text.charCodeAt(nameEnd + 3) === 0x20 ? 4 : 3);
    if (!text.startsWith('\\"', at)) return undefined;
    at = valueEnd(text, at + 2, end);
    if (at === -1) return undefined;
  }
  if (at !== end) return undefined;
  let object = '';
  for (const name of names) object += `${object === '' ? '{' : ','}"${name}":"${REDACTED}"`;
  return object === '' ? '{}' : `${object}}`;
}

/** Offset past the `\"` that ends the string whose content starts at `at`; -1 if it is not plain. */
function valueEnd(text: string, at: number, end: number): number {
  for (let n = at; n < end; n++) {
    const code = text.charCodeAt(n);
    // A quote on its own would end the outer string.
    if (code === QUOTE) return -1;
    if (code !== BACKSLASH) continue;
    const next = text.charCodeAt(++n);
    if (next === QUOTE) return n + 1;
    // `\\` is a backslash of the inner text, which escapes its next character: `\"`, `\\` or a plain letter.
    if (next !== BACKSLASH) return -1;
    const escaped = text.charCodeAt(++n);
    if (escaped === BACKSLASH) {
      const last = text.charCodeAt(++n);
      if (last !== QUOTE && last !== BACKSLASH) return -1;
    } else if (!'/bfnrt'.includes(String.fromCharCode(escaped))) return -1;
  }
  return -1;
}
