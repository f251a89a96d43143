/** Options of standard input: there are none. */
export const stdinOptions = {
  type: 'object',
  description: 'Reads standard input to its end. A pipe cannot be read again.',
  additionalProperties: false,
  properties: {},
} as const;
