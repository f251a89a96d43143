import { listenerProperties } from '../../listening/schema.ts';

/** Who lets peers in by a key. */
const keyProperties = {
  shared_key: {
    type: 'string',
    description: 'What peers have to know; better out of the environment, or a file.',
    minLength: 1,
    writeOnly: true,
  },
  shared_key_file: {
    type: 'string',
    description: 'A file with the key, or with several, one a line, any of which will do. Read again when it changes.',
    minLength: 1,
  },
} as const;

/** Options of the source that speaks Fluentd's forward protocol. */
export const forwardSourceOptions = {
  type: 'object',
  description:
    'Takes what Fluent Bit, Fluentd and other steptaps send in the forward protocol, and acknowledges it when it is committed. With acknowledgements asked for ' +
    '(`Require_ack_response`) nothing is lost, and a chunk that is sent again within an hour is stored once. The tag is not stored; heartbeats over UDP are not answered.',
  additionalProperties: false,
  properties: {
    listen: {
      type: 'string',
      description: 'HOST:PORT, :PORT for every address of the machine, [IPV6]:PORT, or unix:/PATH.',
      default: '127.0.0.1:24224',
      examples: ['127.0.0.1:24224', ':24224', 'unix:/run/steptap.sock'],
      minLength: 1,
    },
    ...keyProperties,
    users: {
      type: 'array',
      description: 'Who may send; each with a password, beside the key. Nobody else is let in.',
      minItems: 1,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['username'],
        properties: {
          username: { type: 'string', description: 'Name.', minLength: 1 },
          password: { type: 'string', description: 'Password.', minLength: 1, writeOnly: true },
          password_file: {
            type: 'string',
            description: 'A file with the password, instead of `password`. Read again when it changes.',
            minLength: 1,
          },
        },
      },
    },
    hostname: {
      type: 'string',
      description: 'The name of this server in the handshake; else that of the machine.',
      minLength: 1,
    },
    ...listenerProperties,
  },
} as const;

/** What every option is when it is not given. */
export const FORWARD_DEFAULTS = { listen: forwardSourceOptions.properties.listen.default } as const;

/** One of these is enough. */
export const KEY_OPTIONS = ['shared_key', 'shared_key_file'] as const;
