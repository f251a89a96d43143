/** Options of the sink that writes NDJSON files. */
export const filesOptions = {
  type: 'object',
  description: 'Appends every event once to NDJSON files, `<table>-<number>.ndjson`.',
  additionalProperties: false,
  required: ['directory'],
  properties: {
    directory: { type: 'string', description: 'Where the files are; made if need be.', minLength: 1 },
    max_file_bytes: {
      type: ['integer', 'string'],
      description: 'A file is closed, and the next begun, past this size.',
      default: '64m',
      pattern: '^\\d+(\\.\\d+)?[kmgKMG]?(i?[bB])?$',
      examples: ['64m', '1g'],
      minimum: 1024,
    },
  },
} as const;
