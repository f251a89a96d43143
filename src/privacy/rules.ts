/*
 * What a person may say about keys. The names of keys are read in any case of letters; those of allow-lists as they are written.
 */

/** Stands where a value was masked. */
export const MASK = '***';
/** Stands where the value of a param that is not allowed was. */
export const REDACTED = '[redacted]';

export interface PrivacyOptions {
  /** Inputs of a task whose values are kept: names, or `all`. The values of all others are redacted. */
  readonly params: 'all' | readonly string[];
  /** Keys of a line, beside its dialect's own, that are stored: names, or `all`. The others are left out of the row. */
  readonly attributes: 'all' | readonly string[];
  /** Keys that vanish from attributes, nested JSON and params. Text cannot lose a key safely: there their values are masked. */
  readonly drop: readonly string[];
  /** Keys whose values are masked: in attributes, nested JSON, messages and traces. */
  readonly mask: readonly string[];
  /** Keys whose values are replaced by their HMAC, so that the same person is the same again and cannot be read. */
  readonly hash: readonly string[];
  /** The secret of the HMAC; needed when `hash` names a key. */
  readonly hash_key?: string | Buffer | undefined;
  /** True: a line that is rejected keeps its very bytes, whatever the rules say. */
  readonly keep_raw: boolean;
}

/** What holds when nobody says anything: the names of params and not their values. */
export const PRIVACY_DEFAULTS: PrivacyOptions = {
  params: [],
  attributes: 'all',
  drop: [],
  mask: [],
  hash: [],
  keep_raw: false,
};

export type Rule = 'drop' | 'mask' | 'hash';

/**
 * The options with the last name of each key that has dots: `user.email` in an object is `email` in another, and text does not say where it stands. Masking too much
 * is safe. Of what is allowed nothing becomes more.
 */
export function undotted(options: PrivacyOptions): PrivacyOptions {
  const names = (keys: readonly string[]): string[] =>
    keys.flatMap((key) => [key, key.slice(key.lastIndexOf('.') + 1)].filter((name) => name !== ''));
  return { ...options, drop: names(options.drop), mask: names(options.mask), hash: names(options.hash) };
}

/** The rule of each key. Of several the strictest counts: drop, then mask, then hash. */
export class Rules {
  readonly #rules = new Map<string, Rule>();

  constructor(options: PrivacyOptions) {
    for (const rule of ['hash', 'mask', 'drop'] as const) {
      for (const name of options[rule]) this.#rules.set(name.toLowerCase(), rule);
    }
  }

  get none(): boolean {
    return this.#rules.size === 0;
  }

  of(name: string): Rule | undefined {
    return this.#rules.size === 0 ? undefined : this.#rules.get(name.toLowerCase());
  }

  has(rule: Rule): boolean {
    return [...this.#rules.values()].includes(rule);
  }

  /** Of these names the ones with that rule. */
  among(names: readonly string[], rule: Rule): string[] {
    return names.filter((name) => this.of(name) === rule);
  }
}
