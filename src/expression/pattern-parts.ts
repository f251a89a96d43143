/** `at`: where in the pattern, from 0. */
export class PatternError extends Error {
  override readonly name = 'PatternError';
  readonly at: number;

  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

export type Part =
  | { readonly kind: 'one'; readonly test: (point: string) => boolean }
  | { readonly kind: 'assert'; readonly holds: Holds }
  | { readonly kind: 'all' | 'either'; readonly parts: readonly Part[] }
  | { readonly kind: 'repeat'; readonly part: Part; readonly least: number; readonly most: number };

export type Holds = (before: string | undefined, after: string | undefined) => boolean;

const ATOM =
  /\\(?:x[\dA-Fa-f]{2}|u[\dA-Fa-f]{4}|u\{[\dA-Fa-f]{1,6}\}|[pP]\{[\w=]+\}|[^1-9bBckpPux])|\[(?:\\.|[^\]\\])*\]|[^\\[\](){}*+?|^$]/suy;
const REPEAT = /(?:[*+?]|\{\d{1,3}(?:,\d{0,3})?\})\??/uy;
const WORD = /^\w$/;

/** Throws a PatternError. `fold`: upper and lower case are the same; the `(?i)` that says so is passed over. */
export function readPattern(source: string, fold: boolean): Part {
  return new Reader(source, fold).whole();
}

class Reader {
  readonly #source: string;
  readonly #flags: string;
  #at: number;
  #depth = 0;

  constructor(source: string, fold: boolean) {
    this.#source = source;
    this.#flags = fold ? 'iu' : 'u';
    this.#at = fold ? 4 : 0;
  }

  whole(): Part {
    const part = this.#either();
    if (this.#at < this.#source.length) throw this.#wrong('closes a group that was not opened: write \\)');
    return part;
  }

  #either(): Part {
    const parts = [this.#all()];
    while (this.#source[this.#at] === '|') {
      this.#at += 1;
      parts.push(this.#all());
    }
    return { kind: 'either', parts };
  }

  #all(): Part {
    const parts: Part[] = [];
    while (this.#at < this.#source.length && !'|)'.includes(this.#source[this.#at]!)) {
      const part = this.#one();
      const at = this.#at;
      const times = this.#take(REPEAT);
      if (times !== undefined && part.kind === 'assert') throw this.#wrong('repeats a place', at);
      const { least, most } = bounds(times ?? '{1}');
      if (least > most) throw this.#wrong('repeats from more to less', at);
      parts.push(times === undefined ? part : { kind: 'repeat', part, least, most });
    }
    return { kind: 'all', parts };
  }

  #one(): Part {
    const at = this.#at;
    const rest = this.#source.slice(at, at + 3);
    if (rest.startsWith('(')) return this.#group(rest);
    const place = PLACES.find(([text]) => rest.startsWith(text));
    if (place !== undefined) {
      this.#at += place[0].length;
      return { kind: 'assert', holds: place[1] };
    }
    const atom = this.#take(ATOM);
    if (atom === undefined)
      throw this.#wrong(
        /^\\[1-9k]/.test(rest) ? 'references to groups are not known here' : 'is no regular expression from here on',
      );
    try {
      return { kind: 'one', test: tester(new RegExp(`^(?:${atom})$`, this.#flags)) };
    } catch {
      throw this.#wrong('is no regular expression from here on', at);
    }
  }

  #group(rest: string): Part {
    const at = this.#at;
    if (rest.startsWith('(?') && rest !== '(?:')
      throw this.#wrong('looking ahead or behind, names and flags are not known here; groups are ( ) or (?: )');
    this.#depth += 1;
    if (this.#depth > 20) throw this.#wrong('has more than 20 groups in each other');
    this.#at += rest === '(?:' ? 3 : 1;
    const part = this.#either();
    if (this.#source[this.#at] !== ')') throw this.#wrong('opens a group that is not closed: write \\(', at);
    this.#at += 1;
    this.#depth -= 1;
    return part;
  }

  #take(what: RegExp): string | undefined {
    what.lastIndex = this.#at;
    const found = what.exec(this.#source)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #wrong(message: string, at = this.#at): PatternError {
    return new PatternError(at, `the pattern ${message}`);
  }
}

const isWord = (point: string | undefined): boolean => point !== undefined && WORD.test(point);
const PLACES: readonly (readonly [string, Holds])[] = [
  ['^', (before) => before === undefined],
  ['$', (_before, after) => after === undefined],
  [String.raw`\b`, (before, after) => isWord(before) !== isWord(after)],
  [String.raw`\B`, (before, after) => isWord(before) === isWord(after)],
];

function bounds(times: string): { least: number; most: number } {
  const [sign] = times;
  if (sign === '*') return { least: 0, most: Number.POSITIVE_INFINITY };
  if (sign === '+') return { least: 1, most: Number.POSITIVE_INFINITY };
  if (sign === '?') return { least: 0, most: 1 };
  const [least = 0, most] = times
    .replace(/[{}?]/g, '')
    .split(',')
    .map((text) => (text === '' ? Number.POSITIVE_INFINITY : Number(text)));
  return { least, most: most ?? least };
}

/** Asking a table is ten times faster than asking a RegExp. */
function tester(one: RegExp): (point: string) => boolean {
  const ascii = Uint8Array.from({ length: 128 }, (_, code) => (one.test(String.fromCharCode(code)) ? 1 : 0));
  return (point) => {
    const code = point.charCodeAt(0);
    return code < 128 ? ascii[code] === 1 : one.test(point);
  };
}
