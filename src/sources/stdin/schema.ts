/** Options of standard input. */
export const stdinOptions = {
  type: 'object',
  description: 'Reads standard input to its end. A pipe cannot be read again.',
  additionalProperties: false,
  properties: {
    confirm: {
      type: 'string',
      enum: ['rsyslog'],
      description:
        'Answers every message on standard output when it is in the spool, as `omprog` of rsyslog waits for with `confirmMessages="on"`.',
    },
  },
} as const;
