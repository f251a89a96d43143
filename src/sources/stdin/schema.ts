/** Options of standard input. */
export const stdinOptions = {
  type: 'object',
  description: 'Reads standard input to its end. A pipe cannot be read again.',
  additionalProperties: false,
  properties: {
    rows: {
      type: 'boolean',
      description:
        'True: the lines are events as another steptap wrote them with `--stdout`, and become the same events. Whoever writes them says of which pod they are.',
      default: false,
    },
    confirm: {
      type: 'string',
      enum: ['rsyslog'],
      description:
        'Answers every message on standard output when it is in the spool, as `omprog` of rsyslog waits for with `confirmMessages="on"`.',
    },
  },
} as const;
