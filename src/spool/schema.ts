const size = (description: string, fallback: string, least: number) =>
  ({
    type: ['integer', 'string'],
    description,
    default: fallback,
    minimum: least,
    pattern: '^(\\d+(\\.\\d+)?[kmgKMG]?(i?[bB])?)$',
    examples: ['64m', '1g'],
  }) as const;

/** Options of what a run keeps: spool, embedded store, dead letters. */
export const stateOptions = {
  type: 'object',
  description: 'What a run keeps between its parts, and for the next one. Changing any of it needs a restart.',
  additionalProperties: false,
  properties: {
    directory: {
      type: 'string',
      description: 'Directory of the spool, the embedded store and the dead letters; `none` keeps nothing on disk.',
      default: './steptap-data',
      minLength: 1,
    },
    sync: {
      enum: ['group', 'always', 'never'],
      description:
        'When what was read is synced: every 20 ms or 1 MiB, each batch by itself, or never (a power cut then loses or repeats rows).',
      default: 'group',
    },
    spool_bytes: {
      type: ['integer', 'string'],
      description:
        'What the spool may take on disk before sources have to wait; `auto` is 4g, or half of what is free.',
      default: 'auto',
      minimum: 8 << 20,
      pattern: '^(auto|\\d+(\\.\\d+)?[kmgKMG]?(i?[bB])?)$',
      examples: ['auto', '512m', '4g'],
    },
    spool_memory: size(
      'Records kept in memory for sinks that keep up; without a directory the whole spool.',
      '12m',
      1 << 20,
    ),
  },
} as const;
