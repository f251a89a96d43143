import { EventError } from './event-error.ts';
import { keyOf, valueAt, type Key } from './key.ts';
import type { EventOptions, Scalar } from './schema.ts';

interface Pair {
  readonly key: Key;
  readonly values: ReadonlySet<Scalar>;
}

/** Which lines are an event's: every key equals one of its constants. */
export class Match {
  readonly pairs: readonly Pair[];
  /** Of each pair of the line's own keys, how it is written. */
  readonly #written: readonly RegExp[];

  constructor(options: EventOptions['match']) {
    this.pairs = Object.entries(options).map(([name, said]) => ({
      key: keyOf(name),
      values: new Set(Array.isArray(said) ? said : [said]),
    }));
    this.#written = this.pairs.filter(({ key }) => key.path.length === 1).map(written);
  }

  /** What all its lines are looked up by. */
  get first(): Pair {
    return this.pairs[0]!;
  }

  fits(line: Record<string, unknown>): boolean {
    return this.pairs.every(({ key, values }) => values.has(valueAt(line, key) as Scalar));
  }

  /** True for text that is no JSON and says it is such a line. */
  claims(text: string): boolean {
    return this.#written.length > 0 && this.#written.every((pattern) => pattern.test(text));
  }

  /** True when no line is left for `other`. */
  covers(other: Match): boolean {
    return this.pairs.every(({ key, values }) => {
      const same = other.pairs.find((pair) => pair.key.name === key.name);
      return same !== undefined && [...same.values].every((value) => values.has(value));
    });
  }

  /** Keys that say nothing which the event's name does not say. */
  get constants(): string[] {
    return this.pairs.filter(({ values }) => values.size === 1).map(({ key }) => key.name);
  }
}

/** Finds the first event that a line fits. Of many events few are looked at: they are kept by the constants of their first keys. */
export class Matches<T extends { readonly match: Match; readonly order: number }> {
  readonly #by = new Map<string, { readonly key: Key; readonly events: Map<Scalar, T[]> }>();

  constructor(events: readonly T[]) {
    for (const event of events) {
      const { key, values } = event.match.first;
      let by = this.#by.get(key.name);
      if (by === undefined) this.#by.set(key.name, (by = { key, events: new Map() }));
      for (const value of values) by.events.set(value, [...(by.events.get(value) ?? []), event]);
    }
  }

  find(line: Record<string, unknown>): T | undefined {
    let found: T | undefined;
    for (const { key, events } of this.#by.values()) {
      const fitting = events.get(valueAt(line, key) as Scalar)?.find(({ match }) => match.fits(line));
      if (fitting !== undefined && (found === undefined || fitting.order < found.order)) found = fitting;
    }
    return found;
  }
}

/** Throws an EventError for events that no line can reach. */
export function checkReachable(events: readonly { readonly name: string; readonly match: Match }[]): void {
  events.forEach(({ name, match }, n) => {
    const earlier = events.slice(0, n).find((event) => event.match.covers(match));
    if (earlier !== undefined) {
      throw new EventError(
        [name, 'match'],
        `never matches: ${earlier.name}, which comes first, takes all its lines; put ${name} before it`,
      );
    }
    const flytekit = match.pairs.find(({ key }) => key.name === 'event')?.values;
    if (flytekit?.size === 1 && flytekit.has('flytekit_step')) {
      throw new EventError(
        [name, 'match', 'event'],
        'never matches: lines with flytekit_step are read as steps of flytekit',
      );
    }
  });
}

/** `"key": constant`, as it may be written, and not in a string of another key. */
function written({ key, values }: Pair): RegExp {
  const constants = [...values].flatMap((value) => {
    const json = JSON.stringify(value);
    return typeof value === 'string' ? spellings(json) : [`${literal(json)}(?![\\w.+-])`];
  });
  return new RegExp(
    `(?<!\\\\)(?:${spellings(JSON.stringify(key.name)).join('|')})\\s{0,8}:\\s{0,8}(?:${constants.join('|')})`,
  );
}

/** Python escapes what is not ASCII, JavaScript does not. */
function spellings(json: string): string[] {
  const escaped = (digits: (hex: string) => string): string =>
    json.replace(/[^\x00-\x7f]/g, (unit) => `\\u${digits(unit.charCodeAt(0).toString(16).padStart(4, '0'))}`);
  return [...new Set([json, escaped((hex) => hex), escaped((hex) => hex.toUpperCase())])].map(literal);
}

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
