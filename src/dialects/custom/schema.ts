import type { FromSchema } from 'json-schema-to-ts';

/** Where a column's value comes from. What fits which column is told apart by compileEvents, which can say why. */
const source = {
  type: ['string', 'object'],
  minLength: 1,
  additionalProperties: false,
  properties: {
    key: {
      type: 'string',
      description: 'Key of the line; dots go into nested objects (`meta.kind`), unless a key is written with dots.',
      minLength: 1,
    },
    unit: {
      enum: ['ns', 'us', 'ms', 's', 'min', 'h'],
      description: 'Unit of a duration (default `s`), or of a time that is a number since 1970 (default: recognised).',
    },
    values: {
      type: 'object',
      description: 'What is stored for each value that the line may have. A line with another value is rejected.',
      minProperties: 1,
      additionalProperties: { type: 'string' },
    },
    const: { type: ['string', 'number'], description: 'Stored on every such event; stands instead of `key`.' },
  },
} as const;

/** Options of one event of a user's own. */
export const eventOptions = {
  type: 'object',
  description:
    'One kind of JSON line that your own code writes. Lines that a built-in dialect knows are read by that; of several events that match, the first is taken.',
  additionalProperties: false,
  required: ['match'],
  properties: {
    match: {
      type: 'object',
      description:
        'Keys of the line and the constant that each must equal, or a list of which it must be one. Dots go into nested objects (`meta.kind`).',
      minProperties: 1,
      additionalProperties: {
        type: ['string', 'number', 'boolean', 'null', 'array'],
        minItems: 1,
        items: { type: ['string', 'number', 'boolean', 'null'] },
      },
    },
    kind: {
      enum: ['step', 'run', 'resource', 'error', 'custom'],
      description: 'What the event is. Steps go to the table `steps` and into the histogram, all others to `events`.',
      default: 'custom',
    },
    schema: {
      type: 'object',
      description:
        'JSON Schema (draft 2020-12, or draft 7 if `$schema` says so) of the line. One that matches and does not satisfy it is a dead letter. Default: any object.',
    },
    fields: {
      type: 'object',
      description: 'Which key of the line each column is filled from: `column: key`, or an object. Default: none.',
      additionalProperties: false,
      properties: {
        ts: {
          ...source,
          description:
            'When it ended or happened: ISO text or a number since 1970. Default: the time of the runtime, else of the arrival.',
        },
        event: { ...source, description: 'Name of the event. Default: its name here.' },
        step: {
          ...source,
          description:
            'Name of the step; numbers, ids and URIs in it are folded, `step_raw` has it as written. Default for kind `step`: the name of the event.',
        },
        status: {
          ...source,
          description:
            '`success`, `error`, `canceled`, `running` or `unknown`. Default for kind `step`: `error` where there is an `error_type`, else `success`.',
        },
        wall_time_s: { ...source, description: 'Duration.' },
        process_time_s: { ...source, description: 'CPU time.' },
        error_type: { ...source, description: 'Class of the exception.' },
        root_error_type: { ...source, description: 'Class of its root cause; not for kind `step`.' },
        error_kind: { ...source, description: '`user` or `system`; not for kind `step`.' },
        execution_id: { ...source, description: 'Execution or run.' },
        workflow: { ...source, description: 'Name of the workflow.' },
        task: { ...source, description: 'Name of the task.' },
        task_version: { ...source, description: 'Version under which the task was registered.' },
        node_id: { ...source, description: 'Node of the workflow.' },
        attempt: { ...source, description: 'Attempt, from 0 to 65535.' },
        map_index: { ...source, description: 'Index inside a map task, from 0 to 65535.' },
        project: { ...source, description: 'Project of the execution.' },
        domain: { ...source, description: 'Domain of the execution.' },
        task_project: { ...source, description: 'Project under which the task is registered.' },
        task_domain: { ...source, description: 'Domain under which the task is registered.' },
        level: { ...source, description: 'Severity, in the word or number of any library; not for kind `step`.' },
        message: { ...source, description: 'Text for people; not for kind `step`.' },
        logger: { ...source, description: 'Name of the logger; not for kind `step`.' },
        params: { ...source, description: 'Inputs: an object, or one as text. Values are redacted unless allowed.' },
      },
    },
    labels: {
      type: 'array',
      description:
        'Keys that become labels of the histogram of steps, or `label: key`; at most 8 in all events together. They are kept in `attributes` under the name of the label. Default: none.',
      items: {
        type: ['string', 'object'],
        minLength: 1,
        minProperties: 1,
        maxProperties: 1,
        additionalProperties: { type: 'string', minLength: 1 },
      },
    },
    privacy: {
      type: 'object',
      description:
        'Rules for keys of this event, beside those of the pipeline. A line with keys that is no JSON may be the rest of any event, and is told under the rules of all.',
      additionalProperties: false,
      properties: {
        drop: keys('Keys that are left out. Default: none.'),
        mask: keys('Keys whose values are masked. Default: none.'),
        hash: keys('Keys whose values become an HMAC. Default: none.'),
      },
    },
  },
} as const;

function keys<const D extends string>(description: D) {
  return { type: 'array', description, items: { type: 'string', minLength: 1 } } as const;
}

export type EventOptions = FromSchema<typeof eventOptions, { keepDefaultedPropertiesOptional: true }>;
export type Kind = NonNullable<EventOptions['kind']>;
export type FieldOptions = Exclude<NonNullable<NonNullable<EventOptions['fields']>[Column]>, string>;
export type Unit = NonNullable<FieldOptions['unit']>;
/** A column that may be filled from a line. */
export type Column = keyof (typeof eventOptions)['properties']['fields']['properties'];
export type Scalar = string | number | boolean | null;
