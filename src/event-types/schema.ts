import type { FromSchema } from 'json-schema-to-ts';

/** What a field may hold, in the words of Python. */
export const FIELD_TYPES = ['int', 'float', 'str', 'bool', 'any'] as const;
export type FieldType = (typeof FIELD_TYPES)[number];

/** Options of one field that are more than its type. */
export const eventFieldOptions = {
  type: 'object',
  description: 'One field of an event type; `name: type` where the type says enough.',
  additionalProperties: false,
  required: ['type'],
  properties: {
    type: {
      enum: FIELD_TYPES,
      description:
        'What it holds: `int` (64 bits), `float` (also `Infinity` and `NaN`), `str`, `bool`, or `any` JSON, stored as its text.',
    },
    default: {
      type: ['string', 'number', 'boolean', 'array', 'object', 'null'],
      description:
        'What stands for it where a line has not got it. Without one: 0, 0.0, empty text, false, nothing (`any`).',
    },
    required: { type: 'boolean', description: 'True: a line without it is a dead letter.', default: false },
    description: { type: 'string', description: 'What it means, for people: the comment of its column.' },
    unit: { type: 'string', description: 'What it is counted in: `s`, `bytes`.', pattern: '^[A-Za-z%/_0-9]{1,20}$' },
    column: {
      type: 'string',
      description: 'Its column in the table `events`, where its own name is taken. Default: its name.',
      pattern: '^[A-Za-z][A-Za-z0-9_]{0,39}$',
      examples: ['checkpoint_step'],
    },
  },
} as const;

/** Options of one event type. What names, and what several options together mean, is told by compileEventTypes. */
export const eventTypeOptions = {
  type: 'object',
  description:
    "One type of event, as RHAPSODY's `define_event` makes them: lines of it are checked, and each field is a column of the table `events`. Its name has a dot, or colons as Orchest's have.",
  additionalProperties: false,
  properties: {
    description: { type: 'string', description: 'What it says, for people.' },
    extends: {
      type: 'string',
      description: 'Another type, whose fields, conditions and privacy it has as well: its fields come first.',
      minLength: 1,
    },
    fields: {
      type: 'object',
      description: 'Its fields: `name: type`, or an object. Other keys of a line stay attributes. Default: none.',
      additionalProperties: { ...eventFieldOptions, type: ['string', 'object'], minLength: 1 },
      examples: [{ metric: 'str', loss: { type: 'float', default: 'inf' } }],
    },
    conditions: {
      type: 'object',
      description:
        'Expressions on its fields, as of `--filter`, by a name of your own: `poor: score < 0.95`. Those that hold stand in the column `conditions`, and are counted.',
      additionalProperties: { type: 'string', minLength: 1 },
    },
    histogram: {
      type: 'object',
      description: 'Observes a field of it in a Prometheus histogram.',
      additionalProperties: false,
      required: ['field'],
      properties: {
        field: { type: 'string', description: 'An `int` or a `float`; what is not finite is not observed.' },
        buckets: {
          type: 'array',
          description: 'Upper bounds, ascending. Default: those of the steps, for a field in seconds.',
          items: { type: 'number' },
          minItems: 1,
          maxItems: 100,
        },
        labels: {
          type: 'array',
          description:
            'Fields of it that become labels, of type `str`, `int` or `bool`, and `project`, `domain`, `workflow`, `task`, `backend`. Default: none.',
          items: { type: 'string', minLength: 1 },
          maxItems: 8,
          uniqueItems: true,
        },
      },
    },
    privacy: {
      type: 'object',
      description: 'Rules for keys of this type, beside those of the pipeline.',
      additionalProperties: false,
      properties: {
        drop: keys('Keys that are left out. Default: none.'),
        mask: keys('Keys whose values are masked. Default: none.'),
        hash: keys('Keys whose values become an HMAC. Default: none.'),
      },
    },
  },
} as const;

/** What becomes of events whose type nobody declared. */
export const unknownEventsOption = {
  enum: ['accept', 'log', 'reject'],
  description:
    'What becomes of an event of a type that neither its producer nor `event_types` declares: `accept` stores it, its fields as attributes; `log` takes the line for an ordinary log; `reject` makes it a dead letter (`unknown_event`).',
  default: 'accept',
} as const;

function keys<const D extends string>(description: D) {
  return { type: 'array', description, items: { type: 'string', minLength: 1 } } as const;
}

export type EventFieldOptions = FromSchema<typeof eventFieldOptions, { keepDefaultedPropertiesOptional: true }>;
export interface EventTypeOptions extends Omit<FromSchema<typeof eventTypeOptions>, 'fields'> {
  readonly fields?: Readonly<Record<string, FieldType | EventFieldOptions>>;
}
export type Unknown = (typeof unknownEventsOption.enum)[number];
