import { ExpressionError } from './error.ts';
import { MOST_STEPS, PatternError, patternSteps } from './pattern.ts';
import { FIELD, KEYWORD, type Literal, type Node, type Operator } from './tree.ts';

const LONGEST = 2_000;
const DEEPEST = 50;

const BLANK = /\s*/uy;
const AND = /and(?![\p{L}\p{N}_.@/-])|&&/iuy;
const OR = /or(?![\p{L}\p{N}_.@/-])|\|\|/iuy;
const NOT = /not(?![\p{L}\p{N}_.@/-])|!(?!=)/iuy;
const IN = /in(?![\p{L}\p{N}_.@/-])/iuy;
const OPERATOR = /==|!=|<=|>=|[=<>~:]/uy;
const WORD = /[^\s()'"`,=!<>&|~]+/uy;
const ODD_FIELD = /`((?:[^`]|``)+)`/uy;
const QUOTED = /'((?:[^']|'')*)'|"((?:[^"]|"")*)"/uy;

const A_FIELD = "a field's name, `not` or a parenthesis";

/** Reads an expression. Throws an ExpressionError. */
export function parse(text: string): Node {
  if (text.length > LONGEST) throw new ExpressionError(LONGEST + 1, `is longer than ${LONGEST} characters`);
  return new Parser(text).whole();
}

class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  /** Of all patterns that were read. */
  #steps = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): Node {
    const node = this.#either();
    if (this.#at < this.#text.length) throw this.#expected('`and`, `or` or the end');
    return node;
  }

  #either(): Node {
    return this.#several('or', OR, () => this.#all());
  }

  #all(): Node {
    return this.#several('and', AND, () => this.#one());
  }

  #several(kind: 'and' | 'or', word: RegExp, part: () => Node): Node {
    const parts = [part()];
    while (this.#take(word) !== undefined) parts.push(part());
    return parts.length === 1 ? parts[0]! : { kind, parts };
  }

  #one(): Node {
    this.#depth += 1;
    if (this.#depth > DEEPEST) throw new ExpressionError(this.#at + 1, `is nested deeper than ${DEEPEST} levels`);
    const node = this.#take(NOT) === undefined ? this.#plain() : ({ kind: 'not', part: this.#one() } as const);
    this.#depth -= 1;
    return node;
  }

  #plain(): Node {
    if (this.#take(/\(/y) !== undefined) {
      const node = this.#either();
      if (this.#take(/\)/y) === undefined) throw this.#expected('`)`, `and` or `or`');
      return node;
    }
    const field = this.#field();
    if (this.#take(IN) !== undefined) return { kind: 'in', field, values: this.#values() };
    const written = this.#take(OPERATOR)?.[0];
    if (written === undefined) return { kind: 'has', field };
    const operator = (written === '==' ? '=' : written) as Operator;
    this.#blanks();
    const at = this.#at;
    const value = this.#value(operator === '~' ? 'a regular expression in quotes' : 'a value');
    if (operator === '~') this.#steps += stepsIn(value, at);
    if (this.#steps > MOST_STEPS)
      throw new ExpressionError(
        at + 1,
        `the patterns repeat too much: all of them would take more than ${MOST_STEPS} steps`,
      );
    return { kind: 'is', field, operator, value };
  }

  #field(): string {
    const odd = this.#take(ODD_FIELD);
    if (odd !== undefined) return odd[1]!.replaceAll('``', '`');
    this.#blanks();
    const at = this.#at;
    const field = this.#take(FIELD)?.[0];
    if (field === undefined) throw this.#expected(A_FIELD);
    if (!KEYWORD.test(field)) return field;
    this.#at = at;
    throw this.#expected(`${A_FIELD} (a field of that name is written in backticks)`);
  }

  #values(): Literal[] {
    if (this.#take(/\(/y) === undefined) throw this.#expected('`(`');
    const values = [this.#value('a value')];
    while (this.#take(/,/y) !== undefined) values.push(this.#value('a value'));
    if (this.#take(/\)/y) === undefined) throw this.#expected('`,` or `)`');
    return values;
  }

  #value(what: string): Literal {
    const quoted = this.#take(QUOTED);
    if (quoted !== undefined) {
      const [, single, double] = quoted;
      return { text: single?.replaceAll("''", "'") ?? double!.replaceAll('""', '"'), quoted: true };
    }
    const word = this.#take(WORD)?.[0];
    if (word === undefined) throw this.#expected(what);
    return { text: word, quoted: false };
  }

  #take(what: RegExp): RegExpExecArray | undefined {
    this.#blanks();
    what.lastIndex = this.#at;
    const found = what.exec(this.#text);
    if (found === null) return undefined;
    this.#at = what.lastIndex;
    return found;
  }

  #blanks(): void {
    BLANK.lastIndex = this.#at;
    BLANK.exec(this.#text);
    this.#at = BLANK.lastIndex;
  }

  #expected(what: string): ExpressionError {
    this.#blanks();
    const rest = this.#text.slice(this.#at);
    if (/^['"`]/.test(rest)) return new ExpressionError(this.#at + 1, `expected ${what}, found a quote${closed(rest)}`);
    WORD.lastIndex = 0;
    const found = WORD.exec(rest)?.[0] ?? rest.slice(0, 1);
    const said = found === '' ? 'the end' : `\`${found.length > 20 ? `${found.slice(0, 20)}...` : found}\``;
    return new ExpressionError(this.#at + 1, `expected ${what}, found ${said}`);
  }
}

function closed(rest: string): string {
  return rest.indexOf(rest[0]!, 1) === -1 ? ' that is not closed' : '';
}

/** `at`: where the literal begins. A quote in it may stand there twice, so that the place is exact only before the first. */
function stepsIn({ text, quoted }: Literal, at: number): number {
  try {
    return patternSteps(text);
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    throw new ExpressionError(at + 1 + (quoted ? 1 : 0) + error.at, error.message);
  }
}
