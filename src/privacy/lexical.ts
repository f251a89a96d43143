import { encodeUtf8 } from '../bytes.ts';
import { MASK } from './rules.ts';
import { PREFIXES, wholeValue } from './whole.ts';

/*
 * Text in which `key: value`, `key=value` and `"key": "value"` are found as they stand there, JSON or not.
 */

/** Says what stands in the place of a value that was inside of so many strings; undefined where it has to be masked after all. */
export type Tell = (content: string, levels: number) => string | undefined;

/** Hears of every value that was found: its key, and what became of it. */
export type Found = (key: string, hashed: boolean) => void;

/** Behind these, in a header, come several values with blanks between. */
const SCHEMES = 'Digest|AWS4-HMAC-SHA\\d+|OAuth|Hawk|Signature';

/**
 * Matches a marked key and its value. A quoted value goes to its closing quote, whatever the quoting's depth (`\"`, `\\\"`), or to the end of
 * the line; any other goes to the next blank, or in JSON to the comma: masking too much is safe, too little is not. `Bearer x` is one value.
 *
 * With `bytes`, of a byte string: there 0xa0 is no blank but a part of a letter, such as that of `à`.
 */
export function lexical(masked: readonly string[], hashed: readonly string[], bytes: boolean): Pattern | undefined {
  if (masked.length === 0 && hashed.length === 0) return undefined;
  return { plain: compiled(masked, hashed, bytes, false), escaped: compiled(masked, hashed, bytes, true) };
}

/** Letters of a key may be escaped as well; such text is rare, and looking for it takes longer. */
export interface Pattern {
  readonly plain: RegExp;
  readonly escaped: RegExp;
}

/** Stands in text with escaped letters that need not be. */
const ESCAPE = '\\u00';

function compiled(masked: readonly string[], hashed: readonly string[], bytes: boolean, escapes: boolean): RegExp {
  const [blank, other] = bytes ? [' \\t\\r\\n\\v\\f', '^ \\t\\r\\n\\v\\f'] : ['\\s', '^\\s'];
  // A blank may be escaped, too.
  const gap = `(?:[${blank}]|\\\\+(?:[tnrvf]|u00(?:09|0[a-d]|20)))*`;
  const keys = masked.map((name) => spelled(name, escapes));
  if (hashed.length > 0) keys.push(`(?<hashed>${hashed.map((name) => spelled(name, escapes)).join('|')})`);
  const key = `(?<![\\w-])(?:${keys.join('|')})(?<keyQuote>\\\\*["']|)${gap}[:=]{1,2}>?${gap}`;
  // The same number of backslashes before the closing quote as before the opening one. Python writes b'' and u''.
  const quoted = `(?<before>[bru]{0,2})(?<quote>\\\\*["'])[^\\n]*?(?<!\\\\)\\k<quote>|[bru]{0,2}\\\\*["'][^\\n]*`;
  const scalar = `(?<scalar>(?<=["']\\s*[:=]\\s*)[\\w.+-]+(?=\\s*[,}\\]]))`;
  const rest = `(?:[[{]|(?:${SCHEMES})\\s)[^\\n]*`;
  const bare = `(?:(?:${PREFIXES})[${blank}]+)?[${other}"'][${other}]*`;
  return new RegExp(`(?<key>${key})(?:${quoted}|${scalar}|${rest}|${bare})`, 'gi');
}

/** The text with every value that `pattern` finds masked, or told where its key is to be hashed and both its ends are known. */
export function rewrite(text: string, { plain, escaped }: Pattern, tell: Tell | undefined, found?: Found): string {
  const pattern = text.includes(ESCAPE) ? escaped : plain;
  let told = '';
  let from = 0;
  pattern.lastIndex = 0;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const { key = '', keyQuote = '', before, quote, scalar, hashed } = match.groups!;
    const at = match.index + key.length;
    const limit = pattern.lastIndex;
    told += text.slice(from, at);
    from = limit;
    const whole = hashed === undefined ? undefined : wholeValue(text, at, limit);
    const hash = whole === undefined ? undefined : tell?.(text.slice(whole.start, whole.end), whole.levels);
    found?.(key.replace(BEHIND_KEY, ''), hash !== undefined);
    if (scalar !== undefined) {
      // In quotes, so that JSON stays JSON.
      told += keyQuote + (hash ?? MASK) + keyQuote;
    } else if (whole !== undefined && hash !== undefined) {
      told += text.slice(at, whole.start) + hash;
      from = whole.end;
      pattern.lastIndex = from;
    } else told += quote === undefined ? MASK : `${before ?? ''}${quote}${MASK}${quote}`;
  }
  return from === 0 ? text : told + text.slice(from);
}

/** What a match has between the letters of its key and its value. */
const BEHIND_KEY = /(?:\\+(?:[tnrvf]|u00(?:09|0[a-d]|20))|[\\"'\s:=>])+$/i;

/**
 * A key as it may stand in a line, in either case: as it is, and what of it is not ASCII also as UTF-8 in a byte string or escaped in JSON. With `escapes` so may
 * ASCII be.
 */
function spelled(name: string, escapes: boolean): string {
  return Array.from(name, (each) => spellings(each, escapes)).join('');
}

function spellings(character: string, escapes: boolean): string {
  if (/[\x00-\x7f]/.test(character)) {
    const itself = character.replace(/[.*+?^${}()|[\]\\]/, '\\$&');
    const codes = new Set([character.toLowerCase(), character.toUpperCase()].map((each) => each.charCodeAt(0)));
    const escaped = [...codes].map((code) => `\\\\+u00${code.toString(16).padStart(2, '0')}`);
    return escapes ? `(?:${[itself, ...escaped].join('|')})` : itself;
  }
  const cases = [...new Set([character, character.toLowerCase(), character.toUpperCase()])];
  const escaped = (each: string): string =>
    Array.from({ length: each.length }, (_, n) => `\\\\+u${each.charCodeAt(n).toString(16).padStart(4, '0')}`).join('');
  return `(?:${cases.flatMap((each) => [each, encodeUtf8(each), escaped(each)]).join('|')})`;
}
