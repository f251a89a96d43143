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

  /** `wrapped`: keys of a log agent stand among the line's own. */
  constructor(value: Value, inner: Value, written: Written, privacy: Privacy, wrapped: boolean) {
    this.value = value;
    this.inner = inner;
    this.written = written;
    this.#privacy = privacy;
    this.#skip = wrapped ? TRANSPORT_KEYS : NO_KEYS;
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
    (this.#left ??= []).push(name);
  }

  leaveInner(name: string): void {
    (this.#leftInner ??= []).push(name);
  }

  /** What is left, as JSON members. `taken` and `takenInner`: what columns are read from. */
  attributes(taken: ReadonlySet<string>, takenInner: ReadonlySet<string>): string {
    const told: [string, string][] = [];
    const add = (name: string, key: string, text: string | undefined): void => {
      const stored = text === undefined ? undefined : this.#privacy.attribute(key, text);
      if (stored !== undefined) told.push([name, quote(stored)]);
    };
    const remains = (name: string): boolean => !taken.has(name) || this.#left?.includes(name) === true;
    const { value, inner, written } = this;
    for (const name of Object.keys(value)) {
      if (!remains(name) || this.#skip.has(name)) continue;
      if (name !== 'attributes' || value[name] !== inner) add(name, name, written.text(name, value[name]));
      else {
        for (const each of Object.keys(inner)) {
          if (takenInner.has(each) && this.#leftInner?.includes(each) !== true) continue;
          // A field of the event's own comes before what was put beside it under the same name.
          const clashes = each in value && remains(each);
          add(clashes ? `attributes.${each}` : each, each, written.nestedText(each, inner[each]));
        }
      }
    }
    return joinMembers(told);
  }

  #marked(name: string): boolean {
    return !this.#privacy.unmarked && this.#privacy.marks(name);
  }
}
