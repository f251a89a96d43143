import { joinMembers, quote } from '../../bytes.ts';
import type { Privacy } from '../../privacy/index.ts';
import { TRANSPORT_KEYS } from '../flytekit/keys.ts';
import type { Times, When } from '../when.ts';
import type { Value } from './base.ts';
import type { Written } from './written.ts';

const NO_KEYS: ReadonlySet<string> = new Set();
const NONE: readonly string[] = [];
/** Nanoseconds, and what is counted, as bytes. */
const MOST_DIGITS = /^\d{1,19}$/;

/**
 * Reads columns out of a line, and then what is left of it as attributes: members that no column is read from, and those whose value the column cannot hold. A key that has a rule for
 * personal data fills no column: it is an attribute, and treated as the rule says.
 */
export class Reading {
  readonly value: Value;
  /** Its `attributes`. */
  readonly inner: Value;
  readonly written: Written;
  readonly #privacy: Privacy;
  readonly #skip: ReadonlySet<string>;
  #left: string[] | undefined;
  #leftInner: string[] | undefined;
  /** How many columns could not be read. */
  leaves = 0;

  /** `wrapped`: keys of a log agent stand among the line's own. `declared`: keys from which columns are read elsewhere. */
  constructor(
    value: Value,
    inner: Value,
    written: Written,
    privacy: Privacy,
    wrapped: boolean,
    declared: ReadonlySet<string> = NO_KEYS,
  ) {
    this.value = value;
    this.inner = inner;
    this.written = written;
    this.#privacy = privacy;
    const none = declared.size === 0;
    this.#skip = !wrapped ? declared : none ? TRANSPORT_KEYS : new Set([...TRANSPORT_KEYS, ...declared]);
  }

  text(name: string): string {
    const value = this.value[name];
    if (typeof value === 'string' && value !== '' && !this.#marked(name)) return this.#privacy.text(value);
    if (value !== null && value !== undefined && value !== '') this.leave(name);
    return '';
  }

  /** The same of a member of `attributes`. */
  innerText(name: string): string {
    const value = this.inner[name];
    if (value === undefined || value === null) return '';
    if (typeof value === 'string' && value !== '' && !this.#marked(name)) return this.#privacy.text(value);
    this.leaveInner(name);
    return '';
  }

  /** Texts in `attributes`. */
  innerTexts(name: string): readonly string[] {
    const value = this.inner[name];
    if (value === undefined || value === null) return NONE;
    if (Array.isArray(value) && value.every((each) => typeof each === 'string') && !this.#marked(name)) {
      return value.map((each) => this.#privacy.text(each));
    }
    this.leaveInner(name);
    return NONE;
  }

  /** JSON of a number that is 0 or more; `''` for what is none. */
  figure(name: string): string {
    const value = this.value[name];
    if (value === undefined) return '';
    if (typeof value === 'number' && value >= 0 && value < Number.POSITIVE_INFINITY && !this.#marked(name)) {
      return String(value);
    }
    this.leave(name);
    return '';
  }

  /** An id as `read` reads it. */
  id(name: string, read: (written: unknown) => string): string {
    const value = this.value[name];
    if (value === null || value === undefined) return '';
    const id = this.#marked(name) ? '' : read(value);
    if (id === '') this.leave(name);
    return id;
  }

  /** Seconds since 1970. Their doubles are up to 0.24 us apart, so the nearest microsecond is the one that was meant. */
  when(name: string, runtime: string, times: Times): When {
    const value = this.value[name];
    const us = typeof value === 'number' ? Math.round(value * 1e6) : Number.NaN;
    const when = this.#marked(name) ? times.ofNone(runtime) : times.of({ us, zoned: true }, runtime);
    // A time that cannot be stored stays an attribute, as it was written.
    if (when.from !== 'line') this.leave(name);
    return when;
  }

  /** Nanoseconds since 1970, which a double cannot hold. */
  nanoseconds(name: string): bigint | undefined {
    const json = this.written.json(name) ?? '';
    if (MOST_DIGITS.test(json) && !this.#marked(name)) return BigInt(json);
    this.leave(name);
    return undefined;
  }

  leave(name: string): void {
    this.leaves += 1;
    (this.#left ??= []).push(name);
  }

  leaveInner(name: string): void {
    this.leaves += 1;
    (this.#leftInner ??= []).push(name);
  }

  /** What is left, as JSON members. `taken` and `takenInner`: what columns are read from. */
  attributes(taken: ReadonlySet<string>, takenInner: ReadonlySet<string>): string {
    const { value, inner, written } = this;
    const told = new Members();
    const left = this.#left;
    for (const name of Object.keys(value)) {
      if ((taken.has(name) && left?.includes(name) !== true) || this.#skip.has(name)) continue;
      if (name === 'attributes' && value[name] === inner) this.#innerOnes(told, taken, takenInner);
      else this.#tell(told, name, name, written.text(name, value[name]));
    }
    return told.text;
  }

  #innerOnes(told: Members, taken: ReadonlySet<string>, takenInner: ReadonlySet<string>): void {
    const { value, inner, written } = this;
    for (const name of Object.keys(inner)) {
      if (takenInner.has(name) && this.#leftInner?.includes(name) !== true) continue;
      // A field of the event's own comes before what was put beside it under the same name.
      const clashes = name in value && (!taken.has(name) || this.#left?.includes(name) === true);
      this.#tell(told, clashes ? `attributes.${name}` : name, name, written.nestedText(name, inner[name]));
    }
  }

  /** `key`: what a rule for personal data would call it. */
  #tell(told: Members, name: string, key: string, text: string | undefined): void {
    const stored = text === undefined ? undefined : this.#privacy.attribute(key, text);
    if (stored !== undefined) told.add(name, quote(stored));
  }

  /** True when somebody is told what is read from where. */
  get told(): boolean {
    return this.#privacy.tell !== undefined;
  }

  #marked(name: string): boolean {
    return !this.#privacy.unmarked && this.#privacy.marks(name);
  }
}

/** Names that come again and again, as JSON. */
const NAMES = new Map(['event_id', 'emit_time', 'task_type'].map((name) => [name, `"${name}":`]));

/** Members of a JSON object, of which nearly none have names that could become equal. */
class Members {
  #told = '';
  #all: [string, string][] | undefined;

  /** `json`: a byte string. */
  add(name: string, json: string): void {
    const known = this.#all === undefined ? NAMES.get(name) : undefined;
    if (known !== undefined) this.#told += this.#told === '' ? known + json : `,${known}${json}`;
    else (this.#all ??= []).push([name, json]);
  }

  get text(): string {
    if (this.#all === undefined) return this.#told;
    const rest = joinMembers(this.#all);
    return this.#told === '' ? rest : `${this.#told},${rest}`;
  }
}
