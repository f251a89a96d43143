/** Of every source that takes posts. */
export const bodyProperties = {
  max_body_bytes: {
    type: ['integer', 'string'],
    description:
      'Largest body, uncompressed. A larger one, or one whose rows come to more than 15 MB, is answered with 413, and its beginning becomes a dead letter.',
    default: '16m',
    minimum: 1024,
    pattern: '^\\d+(\\.\\d+)?[kmKM]?(i?[bB])?$',
    examples: ['16m', '4m'],
  },
} as const;
