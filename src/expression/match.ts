import { parseTime } from '../time.ts';
import { compilePattern } from './pattern.ts';
import type { Literal, Node, Operator } from './tree.ts';

/** The value of a field; undefined or null where there is none. */
export type Get = (field: string) => unknown;
export type Matches = (get: Get) => boolean;

/** Never throws for what a value may be. */
export function matcher(node: Node): Matches {
  switch (node.kind) {
    case 'and': {
      const parts = node.parts.map(matcher);
      return (get) => parts.every((matches) => matches(get));
    }
    case 'or': {
      const parts = node.parts.map(matcher);
      return (get) => parts.some((matches) => matches(get));
    }
    case 'not': {
      const matches = matcher(node.part);
      return (get) => !matches(get);
    }
    case 'has':
      return (get) => present(get(node.field));
    case 'in': {
      const tests = node.values.map(equal);
      return (get) => holds(get(node.field), (value) => tests.some((test) => test(value)));
    }
    default:
      return comparison(node);
  }
}

function comparison({ field, operator, value }: Extract<Node, { kind: 'is' }>): Matches {
  if (operator === ':' && !value.quoted && value.text === '*') return (get) => present(get(field));
  const test = tests[operator](value);
  if (operator === '!=') return (get) => !holds(get(field), test);
  return (get) => holds(get(field), test);
}

type Test = (value: unknown) => boolean;

const present = (value: unknown): boolean => value !== undefined && value !== null;

/** Of a list one is enough. Nothing holds of a field that is missing. */
function holds(value: unknown, test: Test): boolean {
  return Array.isArray(value) ? value.some(test) : present(value) && test(value);
}

const tests: Readonly<Record<Operator, (literal: Literal) => Test>> = {
  '=': equal,
  '!=': equal,
  '<': ordered((order) => order < 0),
  '<=': ordered((order) => order <= 0),
  '>': ordered((order) => order > 0),
  '>=': ordered((order) => order >= 0),
  '~': ({ text }) => {
    const fits = compilePattern(text);
    return (value) => {
      const written = textOf(value);
      return written !== undefined && fits(written);
    };
  },
  ':': (literal) => (literal.quoted || !literal.text.includes('*') ? equal(literal) : like(literal.text)),
};

function equal(literal: Literal): Test {
  const wanted = numberOf(literal);
  // Beyond 2^53 two numbers that differ are the same to a computer: those are compared as they are written.
  const exact = wanted !== undefined && Math.abs(wanted) <= Number.MAX_SAFE_INTEGER;
  return (value) => textOf(value) === literal.text || (exact && numeric(value) === wanted);
}

/** Numbers as numbers, also where the value is text, and times as times; else text as text. */
function ordered(fits: (order: number) => boolean): (literal: Literal) => Test {
  return (literal) => {
    const wanted = numberOf(literal);
    const plain = numeric(literal.text);
    const time = timeOf(literal.text);
    return (value) => {
      if (wanted !== undefined || typeof value !== 'string') {
        const given = numeric(value);
        const bound = wanted ?? plain;
        return given !== undefined && bound !== undefined && fits(given - bound);
      }
      const given = time === undefined ? undefined : timeOf(value);
      if (given !== undefined) return fits(given - time!);
      return fits(value < literal.text ? -1 : value > literal.text ? 1 : 0);
    };
  };
}

/** `*` stands for anything, also for nothing. */
function like(text: string): Test {
  const pieces = text.split('*');
  const first = pieces[0]!;
  const last = pieces.at(-1)!;
  return (value) => {
    const written = textOf(value);
    if (written === undefined || written.length < first.length + last.length) return false;
    if (!written.startsWith(first) || !written.endsWith(last)) return false;
    const end = written.length - last.length;
    let at = first.length;
    for (const piece of pieces.slice(1, -1)) {
      const found = written.indexOf(piece, at);
      if (found === -1 || found + piece.length > end) return false;
      at = found + piece.length;
    }
    return true;
  };
}

const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[Ee][+-]?\d+)?$/;
const DURATION = /^([+-]?(?:\d+(?:\.\d*)?|\.\d+))(us|ms|s|m|h|d)$/;
const SECONDS: Readonly<Record<string, number>> = { us: 1e-6, ms: 1e-3, s: 1, m: 60, h: 3_600, d: 86_400 };

/** Of a bare word that is a number, or a duration: in seconds. */
function numberOf({ text, quoted }: Literal): number | undefined {
  if (quoted) return undefined;
  const [, count, unit] = DURATION.exec(text) ?? [];
  return count === undefined ? numeric(text) : scaled(Number(count), SECONDS[unit!]!);
}

/** 200 times 0.001 is a little more than 0.2, 200 divided by 1,000 is 0.2. */
function scaled(count: number, seconds: number): number {
  return seconds < 1 ? count / Math.round(1 / seconds) : count * seconds;
}

function numeric(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  return typeof value === 'string' && NUMBER.test(value) ? Number(value) : undefined;
}

const DATE = /^\d{4}-\d\d-\d\d$/;
const MINUTE = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d$/;

/** In microseconds since 1970, of UTC where nothing else is said: as text `10:30:44.5Z` is before `10:30:44Z`, and a blank before every `T`. */
function timeOf(text: string): number | undefined {
  const whole = DATE.test(text) ? `${text}T00:00:00` : MINUTE.test(text) ? `${text}:00` : text;
  return parseTime(whole)?.us;
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  const plain = typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint';
  return plain ? String(value) : undefined;
}
