import type { FromSchema } from 'json-schema-to-ts';

/** Options of a file that is read. */
export const fileOptions = {
  type: 'object',
  description: 'Reads a file, plain or as a container runtime or Fluent Bit writes it, and goes on where it was left.',
  additionalProperties: false,
  required: ['path'],
  properties: {
    path: {
      type: 'string',
      description: 'The file; a named pipe is read to its end, or with `follow` for as long as steptap runs.',
      minLength: 1,
    },
    follow: {
      type: 'boolean',
      description: 'Goes on at the end, with what is written later and with the file that takes its place.',
      default: false,
    },
    once: {
      type: 'boolean',
      description:
        'It is handed over under any name until it is stored, as by `out_exec` of Fluentd: what it holds is stored once within an hour.',
      default: false,
    },
    from_start: {
      type: 'boolean',
      description: 'Reads it from its beginning, though it was read before.',
      default: false,
    },
  },
} as const;

export type FileSourceOptions = FromSchema<typeof fileOptions>;
