import { quote } from '../bytes.ts';
import { stringText } from '../json.ts';
import type { Privacy } from '../privacy/index.ts';
import type { PrivacyOptions } from '../privacy/rules.ts';
import { withRules } from '../privacy/with-rules.ts';
import type { Unknown } from './schema.ts';
import type { EventType, TypedField } from './type.ts';
import { MEANT, NOTHING, readValue, textValue, type TypedValue } from './value.ts';

/** What a line of a declared type comes to. */
export interface TypedEvent {
  /** `,"conditions":["poor"],"loss":0.41`: columns for behind all others, a byte string; may be empty. */
  readonly fragment: string;
  /** Keys that became columns, and so are no attributes. */
  readonly taken: ReadonlySet<string>;
  /** The pipeline's rules and the type's own, for the attributes of the row. */
  readonly privacy: Privacy;
}

/** A type with its rules, made at the first event of it: sources are many, and most have few types. */
interface Plan {
  readonly type: EventType;
  readonly privacy: Privacy;
  readonly columns: readonly TypedField[];
  readonly taken: ReadonlySet<string>;
}

/** Reads the fields of events for one decoder: the one place where a declaration meets a line, whatever dialect wrote it. */
export class EventReader {
  /** What becomes of an event of a type that is not declared. */
  readonly unknown: Unknown;
  readonly #types: ReadonlyMap<string, EventType>;
  readonly #options: PrivacyOptions;
  readonly #pipeline: Privacy;
  readonly #plans = new Map<string, Plan>();

  /** `options` and `privacy`: the pipeline's. */
  constructor(types: ReadonlyMap<string, EventType>, unknown: Unknown, options: PrivacyOptions, privacy: Privacy) {
    this.unknown = unknown;
    this.#types = types;
    this.#options = options;
    this.#pipeline = privacy;
  }

  /**
   * `fields`: the JSON of each key of the line, as it was written; only those that are declared are looked at. Undefined when nobody declared the type; a text says why
   * it is no such event, and quotes no value.
   */
  read(name: string, fields: ReadonlyMap<string, string>): TypedEvent | string | undefined {
    const plan = this.#plan(name);
    if (plan === undefined) return undefined;
    const { type, privacy, columns, taken } = plan;
    const values = new Map<string, TypedValue>();
    for (const field of type.fields) {
      const value = valueOf(field, fields.get(field.name));
      if (typeof value === 'string') return value;
      values.set(field.name, value);
    }
    let fragment = conditionsOf(type, values);
    for (const field of columns) {
      const { json } = told(field, values.get(field.name)!, fields.get(field.name), privacy);
      if (json !== '') fragment += `,"${field.column}":${json}`;
    }
    return { fragment, taken, privacy };
  }

  has(name: string): boolean {
    return this.#types.has(name);
  }

  #plan(name: string): Plan | undefined {
    const known = this.#plans.get(name);
    const type = known === undefined ? this.#types.get(name) : undefined;
    if (type === undefined) return known;
    const privacy = withRules([type.privacy], this.#options, this.#pipeline);
    // A number with a rule cannot stay one: it is an attribute, and treated as the rule says.
    const columns = type.fields.filter(
      ({ name: key, type: is }) => is === 'str' || is === 'any' || !privacy.marks(key),
    );
    const plan = { type, privacy, columns, taken: new Set(columns.map((field) => field.name)) };
    this.#plans.set(name, plan);
    return plan;
  }
}

/** The value of a field; a text says what is wrong with it. */
function valueOf({ name, type, required, fallback }: TypedField, json: string | undefined): TypedValue | string {
  if (required && (json === undefined || json === 'null')) return `${name} is missing`;
  if (json === undefined) return fallback;
  return readValue(type, json) ?? `${name} must be ${MEANT[type]}`;
}

/** As it may be stored. */
function told({ name, type }: TypedField, value: TypedValue, json: string | undefined, privacy: Privacy): TypedValue {
  if (privacy.unmarked || json === undefined || json === 'null' || (type !== 'str' && type !== 'any')) return value;
  const text = type === 'str' ? stringText(json) : json;
  const stored = privacy.keyed(name, text);
  return stored === undefined ? NOTHING : textValue(stored);
}

function conditionsOf({ conditions }: EventType, values: ReadonlyMap<string, TypedValue>): string {
  if (conditions.length === 0) return '';
  const get = (field: string): unknown => values.get(field)?.value;
  const hold = conditions.filter(({ expression }) => expression.matches(get));
  return hold.length === 0 ? '' : `,"conditions":[${hold.map(({ name }) => quote(name)).join(',')}]`;
}
