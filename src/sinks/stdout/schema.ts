import type { FromSchema } from 'json-schema-to-ts';

/** Options of the sink that writes to standard output. */
export const stdoutOptions = {
  type: 'object',
  description:
    'Writes every event as one line of JSON to standard output, for the next program in a shell pipe. With no server named it is the only sink, and nothing is kept on disk unless a state is named. Rows of `tasks` are written when `tables` names them.',
  additionalProperties: false,
  properties: {
    linger_ms: {
      type: 'integer',
      description: 'How long an event may wait for others to be written with it.',
      default: 20,
      minimum: 0,
      maximum: 1_000,
    },
  },
} as const;

export type StdoutOptions = FromSchema<typeof stdoutOptions>;

/** What every option is when it is not given. */
export const STDOUT_DEFAULTS: Required<StdoutOptions> = { linger_ms: 20 };
