import { EventError } from './event-error.ts';
import { compileFields, type Field } from './fields.ts';
import { namesOf } from './key.ts';
import { compileLabels, type LabelField } from './labels.ts';
import { Match } from './match.ts';
import type { EventOptions, Kind } from './schema.ts';
import { compileSchema, type Validate } from './validator.ts';

/** One kind of line that a user described, ready to be read. */
export interface CustomEvent {
  readonly name: string;
  /** Place in the file: of several that a line fits, the first takes it. */
  readonly order: number;
  readonly kind: Kind;
  readonly match: Match;
  readonly validate: Validate | undefined;
  readonly fields: readonly Field[];
  readonly labels: readonly LabelField[];
  readonly privacy: Required<NonNullable<EventOptions['privacy']>>;
  /** Keys of the line that are said elsewhere, and so are no attributes. */
  readonly taken: ReadonlySet<string>;
}

/** Throws an EventError. */
export function compileEvent(name: string, order: number, options: EventOptions): CustomEvent {
  const { match: pairs, kind = 'custom', schema, fields: columns, labels: keys, privacy } = options;
  const match = new Match(pairs);
  const fields = compileFields(columns, kind, [name, 'fields']);
  const labels = compileLabels(keys, kind, [name, 'labels']);
  const validate = schema === undefined ? undefined : compileSchema(schema, [name, 'schema']);
  const { drop = [], mask = [], hash = [] } = privacy ?? {};
  const rules = { drop, mask, hash };
  checkRules(name, rules, fields);
  const mapped = fields.flatMap(({ key }) => (key === undefined ? [] : [key.name]));
  const taken = new Set([...match.constants, ...mapped, ...labels.map(({ key }) => key.name)]);
  return { name, order, kind, match, validate, fields, labels, privacy: rules, taken };
}

/** A key with a rule is no column: whoever says both wants one of them. */
function checkRules(name: string, rules: CustomEvent['privacy'], fields: readonly Field[]): void {
  for (const [rule, keys] of Object.entries(rules)) {
    keys.forEach((marked, n) => {
      const field = fields.find(
        ({ key }) => key !== undefined && namesOf(key).some((each) => each.toLowerCase() === marked.toLowerCase()),
      );
      if (field === undefined) return;
      const message = `${field.column} is read from ${marked}, and a key with a rule fills no column; leave one out`;
      throw new EventError([name, 'privacy', rule, n], message);
    });
  }
}
