import { decodeUtf8 } from '../../bytes.ts';

/*
 * As much of ClickHouse's SQL as a sender of rows needs:
 *
 *   INSERT INTO [TABLE] [database.]table [(columns)] [SETTINGS name = value, ...] [FORMAT name]
 *   SELECT 1, SELECT 'text'            what clients ask to see whether somebody is there
 *
 * Read from the beginning of a text of bytes behind which the rows stand, in one pass.
 */

export interface Insert {
  readonly database: string | undefined;
  readonly table: string;
  /** Undefined where nothing is said. */
  readonly format: string | undefined;
  readonly settings: ReadonlyMap<string, string>;
  /** Where the rows begin. */
  readonly end: number;
}

/** `other`: a statement of which the first word is known; `''` where there is none. */
export type Statement =
  | { readonly kind: 'insert'; readonly insert: Insert }
  | { readonly kind: 'literal'; readonly value: string }
  | { readonly kind: 'other'; readonly word: string }
  | { readonly kind: 'wrong'; readonly expected: string; readonly at: number };

/** What stands between tokens; no part of it can be read in two ways, so that it takes as long as it is long. */
const BLANK = /(?:\s|--[^\n]*|#[ !][^\n]*|\/\*(?:[^*]|\*(?!\/))*\*\/)+/y;
const TOKEN = /[A-Za-z_]\w*|-?\d[\w.]*|`(?:[^`\\]|\\.)*`|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s\w]/sy;
const NAME = /^[A-Za-z_`"]/;
/** A quote that nothing closes is a token by itself. */
const OPEN = /^[`"']$/;
/** What may begin behind a statement. */
const ROWS: ReadonlySet<string> = new Set(['', '{', '[']);
const LITERAL = /^(?:-?\d|'.*'$)/s;

class Wrong extends Error {
  readonly expected: string;
  readonly at: number;

  constructor(expected: string, at: number) {
    super(expected);
    this.expected = expected;
    this.at = at;
  }
}

export function readStatement(text: string): Statement {
  const tokens = new Tokens(text);
  try {
    const word = tokens.take().toUpperCase();
    if (word === 'INSERT') return { kind: 'insert', insert: readInsert(tokens) };
    const value = word === 'SELECT' ? tokens.take() : '';
    if (LITERAL.test(value)) {
      if (tokens.next === ';') tokens.take();
      if (tokens.next === '') return { kind: 'literal', value: plain(value) };
    }
    return { kind: 'other', word: /^[A-Z]{1,20}$/.test(word) ? word : '' };
  } catch (error) {
    if (!(error instanceof Wrong)) throw error;
    return { kind: 'wrong', expected: error.expected, at: error.at };
  }
}

function readInsert(tokens: Tokens): Insert {
  tokens.word('INTO');
  tokens.maybe('TABLE');
  if (tokens.is('FUNCTION')) throw new Wrong('a table, not a function', tokens.at);
  const first = tokens.name();
  const second = tokens.next === '.' ? (tokens.take(), tokens.name()) : undefined;
  // What is named is of no account: a row says itself which fields it has.
  if (tokens.next === '(') skipBrackets(tokens);
  const settings = new Map<string, string>();
  readSettings(tokens, settings);
  const format = tokens.maybe('FORMAT') ? tokens.name() : undefined;
  const end = tokens.end;
  if (format === undefined && !ROWS.has(tokens.next)) throw new Wrong('FORMAT', tokens.at);
  const [database, table] = second === undefined ? [undefined, first] : [first, second];
  return { database, table, format, settings, end };
}

function skipBrackets(tokens: Tokens): void {
  let depth = 0;
  do {
    if (tokens.next === '') throw new Wrong(')', tokens.at);
    // Each would be looked for to the end of the text.
    if (OPEN.test(tokens.next)) throw new Wrong('the end of what stands in quotes', tokens.at);
    const token = tokens.take();
    if (token === '(') depth++;
    if (token === ')') depth--;
  } while (depth > 0);
}

function readSettings(tokens: Tokens, settings: Map<string, string>): void {
  if (!tokens.maybe('SETTINGS')) return;
  do {
    const name = tokens.name();
    tokens.word('=');
    if (!LITERAL.test(tokens.next) && !NAME.test(tokens.next)) throw new Wrong('the value of a setting', tokens.at);
    settings.set(name, plain(tokens.take()));
  } while (tokens.maybe(','));
}

/** Of a name or a literal: without its quotes. */
function plain(token: string): string {
  return decodeUtf8(/^[`"']/.test(token) ? token.slice(1, -1).replace(/\\(.)/gs, '$1') : token);
}

class Tokens {
  readonly #text: string;
  /** Of the token that comes next; `''` at the end. */
  next = '';
  at = 0;
  /** Behind the token that was taken last. */
  end = 0;

  constructor(text: string) {
    this.#text = text;
    this.#read();
  }

  take(): string {
    const taken = this.next;
    this.end = this.at + taken.length;
    this.#read();
    return taken;
  }

  is(word: string): boolean {
    return this.next.toUpperCase() === word;
  }

  maybe(word: string): boolean {
    const is = this.is(word);
    if (is) this.take();
    return is;
  }

  word(word: string): void {
    if (!this.maybe(word)) throw new Wrong(word, this.at);
  }

  name(): string {
    if (!NAME.test(this.next) || OPEN.test(this.next)) throw new Wrong('a name', this.at);
    return plain(this.take());
  }

  #read(): void {
    BLANK.lastIndex = this.end;
    this.at = this.end + (BLANK.exec(this.#text)?.[0].length ?? 0);
    TOKEN.lastIndex = this.at;
    this.next = TOKEN.exec(this.#text)?.[0] ?? '';
  }
}
