import { encodeUtf8 } from './bytes.ts';

/*
 * Personal data is masked before anything is appended: in events, in rejections, in text that cannot be parsed.
 */

export const MASK = '***';
export const REDACTED = '[redacted]';

export interface PrivacyOptions {
  /** Inputs of a task whose values are kept: names, or `all`. The values of all others are redacted. */
  readonly params: 'all' | readonly string[];
  /** Names of keys whose values are masked, in any spelling of case: in attributes, nested JSON, messages and traces. */
  readonly mask: readonly string[];
}

export class Privacy {
  readonly #params: 'all' | ReadonlySet<string>;
  readonly #marked: ReadonlySet<string>;
  readonly #inText: RegExp | undefined;
  readonly #inRaw: RegExp | undefined;

  constructor(options: PrivacyOptions) {
    this.#params = options.params === 'all' ? 'all' : new Set(options.params);
    this.#marked = new Set(options.mask.map((name) => name.toLowerCase()));
    this.#inText = lexical(options.mask);
    this.#inRaw = lexical(options.params === 'all' ? options.mask : [...options.mask, 'params']);
  }

  /** True when `mask` names no key: nothing but params has to be looked at. */
  get unmarked(): boolean {
    return this.#marked.size === 0;
  }

  /** True when no value of any param is stored. */
  get redactsAllParams(): boolean {
    return this.#params !== 'all' && this.#params.size === 0;
  }

  allowsParam(name: string): boolean {
    return (this.#params === 'all' || this.#params.has(name)) && !this.marks(name);
  }

  marks(name: string): boolean {
    return this.#marked.size > 0 && this.#marked.has(name.toLowerCase());
  }

  /** The value of an attribute as it may be stored. */
  value(name: string, text: string): string {
    return this.marks(name) ? MASK : this.text(text);
  }

  /** Text (a message, a trace, nested JSON) in which `key: value`, `key=value` and `"key": "value"` are masked. */
  text(text: string): string {
    // What two writers left of a step's line, or an agent's record of it, may still carry its params: `"params"`, `\\"params\\"`.
    const pattern = text.includes('"params') ? this.#inRaw : this.#inText;
    return pattern === undefined ? text : text.replace(pattern, masked);
  }

  /** A whole line that could not be read: as `text`, and the params of a step are masked too. */
  raw(line: string): string {
    return this.#inRaw === undefined ? line : line.replace(this.#inRaw, masked);
  }
}

/** Keeps the quotes, and gives them to a number, so that JSON stays JSON. */
function masked(
  _match: string,
  key: string,
  keyQuote: string,
  before: string | undefined,
  quote: string | undefined,
  _mark: string | undefined,
  scalar: string | undefined,
): string {
  if (quote !== undefined) return `${key}${before}${quote}${MASK}${quote}`;
  return scalar === undefined ? key + MASK : `${key}${keyQuote}${MASK}${keyQuote}`;
}

/** Behind these, in a header, come several values with blanks between. */
const SCHEMES = 'Digest|AWS4-HMAC-SHA\\d+|OAuth|Hawk|Signature';
/** Behind these comes one. */
const PREFIXES = 'Bearer|Basic|Token|ApiKey|Negotiate|NTLM';

/**
 * Matches a marked key and its value. A quoted value goes to its closing quote, whatever the quoting's depth (`\"`, `\\\"`), or to the end of
 * the line; any other goes to the next blank, or in JSON to the comma: masking too much is safe, too little is not. `Bearer x` is one value.
 */
function lexical(names: readonly string[]): RegExp | undefined {
  if (names.length === 0) return undefined;
  const keys = names.map((name) => Array.from(name, spellings).join('')).join('|');
  const key = `(?<![\\w-])(?:${keys})(\\\\*["']|)\\s*[:=]{1,2}>?\\s*`;
  // The same number of backslashes before the closing quote as before the opening one. Python writes b'' and u''.
  const quoted = `([bru]{0,2})(\\\\*(["']))[^\\n]*?(?<!\\\\)\\4|[bru]{0,2}\\\\*["'][^\\n]*`;
  const scalar = `((?<=["']\\s*[:=]\\s*)[\\w.+-]+(?=\\s*[,}\\]]))`;
  const rest = `(?:[[{]|(?:${SCHEMES})\\s)[^\\n]*`;
  const bare = `(?:(?:${PREFIXES})\\s+)?[^\\s"']\\S*`;
  return new RegExp(`(${key})(?:${quoted}|${scalar}|${rest}|${bare})`, 'gi');
}

/**
 * A character of a key as it may stand in a line: as it is, and where it is not ASCII as UTF-8 in a byte string or escaped in JSON, in either case.
 */
function spellings(character: string): string {
  if (/[\x00-\x7f]/.test(character)) return character.replace(/[.*+?^${}()|[\]\\]/, '\\$&');
  const cases = [...new Set([character, character.toLowerCase(), character.toUpperCase()])];
  const escaped = (each: string): string =>
    Array.from({ length: each.length }, (_, n) => `\\\\+u${each.charCodeAt(n).toString(16).padStart(4, '0')}`).join('');
  return `(?:${cases.flatMap((each) => [each, encodeUtf8(each), escaped(each)]).join('|')})`;
}
