import type { Path, Problem } from '../config/document.ts';
import { didYouMean } from '../config/suggest.ts';
import { compileExpression, ExpressionError } from '../expression/index.ts';
import type { KeyRules } from '../privacy/with-rules.ts';
import { compileColumns } from './clashes.ts';
import { compileField } from './field.ts';
import { compileHistogram, sameNames } from './histogram.ts';
import { EventTypes } from './event-types.ts';
import type { EventTypeOptions, Unknown } from './schema.ts';
import type { Condition, EventType, TypedField } from './type.ts';

type Options = Readonly<Record<string, EventTypeOptions>>;

/** With a namespace, as `define_event` wants it (`myframework.Checkpoint`) or as Orchest writes it (`project:created`). */
const NAME = /^[A-Za-z_][\w-]*(?:[.:][\w-]+)+$/;
const CONDITION = /^[A-Za-z][\w-]{0,39}$/;
const NO_RULES: KeyRules = { drop: [], mask: [], hash: [] };

/** The types, as far as they make sense, and all that is wrong with them: for what `eventTypeOptions`, which they must satisfy, cannot say. Paths begin at the section. */
export function compileEventTypes(
  options: Options,
  unknown: Unknown = 'accept',
): { types: EventTypes; problems: readonly Problem[] } {
  const compiling = new Compiling(options);
  const types = Object.keys(options).map((name) => compiling.type(name));
  compiling.problems.push(...compileColumns(types, options), ...sameNames(types));
  return { types: new EventTypes(types, unknown), problems: compiling.problems };
}

class Compiling {
  readonly problems: Problem[] = [];
  readonly #options: Options;
  readonly #done = new Map<string, EventType>();
  /** Those whose base is being compiled. */
  readonly #open = new Set<string>();

  constructor(options: Options) {
    this.#options = options;
  }

  type(name: string): EventType {
    const known = this.#done.get(name);
    if (known !== undefined) return known;
    if (!NAME.test(name)) {
      this.#wrong([name], 'needs a namespace: write myframework.Checkpoint, with letters, digits, - and _', true);
    } else if (name === 'asyncflow.TaskResolved') this.#wrong([name], 'is built in: leave it out', true);
    this.#open.add(name);
    const { description = '', privacy, histogram, ...said } = this.#options[name]!;
    const base = this.#base(name, said.extends);
    this.#open.delete(name);
    const fields = this.#fields(name, base);
    const type: EventType = {
      name,
      description,
      fields,
      conditions: this.#conditions(name, fields, base),
      privacy: together(base?.privacy ?? NO_RULES, { ...NO_RULES, ...privacy }),
      histogram: undefined,
    };
    const wrong = (path: Path, message: string): void => this.#wrong([name, 'histogram', ...path], message);
    const whole = histogram === undefined ? type : { ...type, histogram: compileHistogram(type, histogram, wrong) };
    this.#done.set(name, whole);
    return whole;
  }

  #base(name: string, named: string | undefined): EventType | undefined {
    if (named === undefined) return undefined;
    if (this.#open.has(named)) {
      this.#wrong([name, 'extends'], named === name ? 'is the type itself' : `${named} extends this type already`);
    } else if (Object.hasOwn(this.#options, named)) return this.type(named);
    else this.#wrong([name, 'extends'], `there is no type ${named}${didYouMean(named, others(this.#options, name))}`);
    return undefined;
  }

  #fields(name: string, base: EventType | undefined): TypedField[] {
    const fields = [...(base?.fields ?? [])];
    for (const [field, said] of Object.entries(this.#options[name]!.fields ?? {})) {
      const path = [name, 'fields', field];
      if (fields.some((other) => other.name === field)) {
        this.#wrong(path, `is a field of ${base!.name} already: leave it out`, true);
        continue;
      }
      const compiled = compileField(field, said, (part, message, key) => this.#wrong([...path, ...part], message, key));
      if (compiled !== undefined) fields.push(compiled);
    }
    return fields;
  }

  #conditions(name: string, fields: readonly TypedField[], base: EventType | undefined): Condition[] {
    const conditions = [...(base?.conditions ?? [])];
    for (const [own, text] of Object.entries(this.#options[name]!.conditions ?? {})) {
      const path = [name, 'conditions', own];
      if (!CONDITION.test(own)) this.#wrong(path, 'is no name: write letters, digits, - and _', true);
      if (conditions.some((other) => other.name === own)) {
        this.#wrong(path, `is a condition of ${base!.name} already: give it another name`, true);
      }
      try {
        const expression = compileExpression(text);
        const known = fields.map((field) => field.name);
        for (const field of expression.fields) {
          if (!known.includes(field)) this.#wrong(path, `there is no field ${field}${didYouMean(field, known)}`);
        }
        conditions.push({ name: own, text, expression });
      } catch (error) {
        if (!(error instanceof ExpressionError)) throw error;
        this.#wrong(path, error.message);
      }
    }
    return conditions;
  }

  #wrong(path: Path, message: string, name = false): void {
    this.problems.push({ path, message, name });
  }
}

function others(options: Options, name: string): string[] {
  return Object.keys(options).filter((other) => other !== name);
}

function together(base: KeyRules, own: KeyRules): KeyRules {
  return {
    drop: [...base.drop, ...own.drop],
    mask: [...base.mask, ...own.mask],
    hash: [...base.hash, ...own.hash],
  };
}
