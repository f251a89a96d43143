import { decodeUtf8 } from '../bytes.ts';
import { OWN_KEYS } from '../dialects/flytekit/keys.ts';
import type { Observer } from '../observer.ts';
import { Hash } from './hash.ts';
import { lexical, rewrite, type Found, type Pattern, type Tell } from './lexical.ts';
import { isRest, keyNames, maskPairs } from './pairs.ts';
import { prune } from './prune.ts';
import { MASK, undotted, Rules, type PrivacyOptions } from './rules.ts';
import { unescaped } from './whole.ts';

/** What becomes of an input of a task. */
export type ParamRule = 'keep' | 'redact' | 'drop' | 'hash';

/** What a rule did, for somebody who asks. */
const DONE = {
  redact: 'the value is redacted: --params does not allow it',
  drop: 'left out: --drop',
  mask: 'the value is masked: --mask',
  hash: 'the value is hashed: --hash',
} as const;

/**
 * The rules for personal data, applied before anything is appended: to events, to rejections, to text that cannot be parsed. No row, no dead letter and no
 * log of steptap has seen what they keep out.
 */
export class Privacy {
  /** True when no rule is about attributes: their values are stored as they are. */
  readonly unmarked: boolean;
  /** True when all that is stored of params is their names. */
  readonly redactsAllParams: boolean;
  readonly #rules: Rules;
  readonly #params: 'all' | ReadonlySet<string>;
  readonly #attributes: 'all' | ReadonlySet<string>;
  readonly #drops: boolean;
  readonly #keepsRaw: boolean;
  readonly #hash: Hash | undefined;
  readonly #found: Found | undefined;
  readonly #inText: Pattern | undefined;
  readonly #inSteps: Pattern | undefined;
  readonly #inBytes: Pattern | undefined;
  /** Keys whose values stay in text that is JSON or was meant to be, where attributes are allowed by name. */
  readonly #named: ReadonlySet<string> | undefined;

  /** Who is told what is done with a line; all that makes a part of its row has the observer from here. */
  readonly tell: Observer | undefined;

  constructor(given: PrivacyOptions, tell?: Observer) {
    const options = undotted(given);
    this.tell = tell;
    if (tell !== undefined) {
      this.#found = (key, hashed) =>
        tell.note('privacy', `found in text: the value is ${hashed ? 'hashed' : 'masked'}`, key);
    }
    const rules = new Rules(options);
    const { params, attributes, hash_key } = options;
    if (rules.has('hash') && hash_key === undefined) throw new Error('a key is to be hashed and there is no hash_key');
    this.#rules = rules;
    this.#hash = hash_key === undefined ? undefined : new Hash(hash_key);
    this.#keepsRaw = options.keep_raw;
    this.#drops = rules.has('drop');
    this.unmarked = rules.none && attributes === 'all';

    // A rule for the key `params` itself is one for all of them.
    const hidden = rules.of('params') !== undefined;
    this.#params = hidden ? new Set() : params === 'all' ? 'all' : new Set(params);
    const none = this.#params !== 'all' && this.#params.size === 0;
    this.redactsAllParams = none && !this.#drops && !rules.has('hash');

    this.#attributes = attributes === 'all' ? 'all' : new Set(attributes);
    const own = [...OWN_KEYS].filter((name) => name !== 'params');
    this.#named = attributes === 'all' ? undefined : keyNames(own, attributes);

    const masked = [...options.mask, ...options.drop];
    const hashed = rules.among(options.hash, 'hash');
    const withParams = this.#params === 'all' ? masked : [...masked, 'params'];
    this.#inText = lexical(masked, hashed, false);
    this.#inSteps = lexical(withParams, hashed, false);
    this.#inBytes = lexical(withParams, hashed, true);
  }

  /** True when a key has a rule: it is then an attribute, whatever a dialect would take it for. */
  marks(name: string): boolean {
    return this.#rules.of(name) !== undefined;
  }

  /** What becomes of an input of a task. One that is hashed need not be allowed too. */
  param(name: string): ParamRule {
    const rule = this.#rules.of(name);
    const allowed = rule === undefined && (this.#params === 'all' || this.#params.has(name));
    if (allowed) return 'keep';
    this.tell?.note('privacy', DONE[rule === 'mask' ? 'redact' : (rule ?? 'redact')], `params.${name}`);
    return rule === 'drop' || rule === 'hash' ? rule : 'redact';
  }

  /** True when the column `params` is left out. */
  get dropsParams(): boolean {
    return this.#rules.of('params') === 'drop';
  }

  /** The value of an attribute as it may be stored; undefined if the attribute is left out. */
  attribute(name: string, text: string): string | undefined {
    if (this.#attributes === 'all' || this.#attributes.has(name)) return this.keyed(name, text);
    this.tell?.note('privacy', 'left out: --attributes does not name it', name);
    return undefined;
  }

  /** The same under a key that somebody asked for by name, whatever attributes are allowed. */
  keyed(name: string, text: string): string | undefined {
    const rule = this.#rules.of(name);
    if (rule !== undefined) this.tell?.note('privacy', DONE[rule], name);
    switch (rule) {
      case 'drop':
        return undefined;
      case 'mask':
        return MASK;
      case 'hash':
        return this.hash(text);
      default:
        return this.value(text);
    }
  }

  hash(value: string): string {
    return this.#hash === undefined ? MASK : this.#hash.of(value);
  }

  /** A value that is text, or JSON. */
  value(text: string): string {
    return this.text(this.pruned(text));
  }

  /** JSON of an object or an array without the keys that are dropped; any other text as it is. */
  pruned(text: string): string {
    return this.#drops ? prune(text, (name) => this.#dropped(name)) : text;
  }

  /** Text (a message, a trace) in which `key: value`, `key=value` and `"key": "value"` are masked or hashed. */
  text(text: string): string {
    // What two writers left of a step's line, or an agent's record of it, may still carry its params: `"params"`, `\\"params\\"`.
    const pattern = text.includes('"params') ? this.#inSteps : this.#inText;
    return pattern === undefined ? text : rewrite(text, pattern, this.#tell, this.#found);
  }

  /** A line of text. One that is what was left of JSON has attributes all the same. */
  line(text: string): string {
    return this.text(this.#named !== undefined && isRest(text) ? this.#pairs(text, this.#named) : text);
  }

  /** A whole line that could not be read, a byte string: as `text`, and the params of a step are masked too, and attributes that nobody allowed. */
  raw(line: string): string {
    if (this.#keepsRaw) return line;
    const told = this.#named === undefined ? line : this.#pairs(line, this.#named);
    return this.#inBytes === undefined ? told : rewrite(told, this.#inBytes, this.#tellBytes, this.#found);
  }

  #dropped(name: string): boolean {
    const drops = this.#rules.of(name) === 'drop';
    if (drops) this.tell?.note('privacy', DONE.drop, name);
    return drops;
  }

  #pairs(text: string, allowed: ReadonlySet<string>): string {
    const told = maskPairs(text, allowed);
    if (told !== text) this.tell?.note('privacy', 'masked but for the keys that --attributes names', 'text');
    return told;
  }

  readonly #tell: Tell = (content, levels) => {
    const said = unescaped(content, levels);
    return said === undefined ? undefined : this.hash(said);
  };

  readonly #tellBytes: Tell = (content, levels) => this.#tell(decodeUtf8(content), levels);
}
