import type { FromSchema } from 'json-schema-to-ts';

export const repeatOptions = {
  type: 'object',
  description:
    'Lines that say the same about the same execution, but for digits: so many are stored, and the others as one row with their number. Never those of level ERROR and FATAL.',
  additionalProperties: false,
  properties: {
    most: {
      type: 'integer',
      minimum: 1,
      maximum: 1_000_000,
      description: 'How many of them are stored as they are, within a window.',
      default: 10,
    },
    window_s: {
      type: 'number',
      minimum: 0,
      maximum: 86_400,
      description: 'How long a window is, by the time of the lines. 0: every line is stored.',
      default: 60,
    },
  },
} as const;

export type RepeatOptions = FromSchema<typeof repeatOptions>;

export const REPEAT_DEFAULTS: RepeatOptions = {
  most: repeatOptions.properties.most.default,
  window_s: repeatOptions.properties.window_s.default,
};
