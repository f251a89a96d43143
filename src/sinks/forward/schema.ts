import { tlsSchema } from '../../outgoing/schema.ts';

/** Options of the sink that passes events on in Fluentd's forward protocol. */
export const forwardSinkOptions = {
  type: 'object',
  description:
    'Passes events on to another steptap, which takes them as the events that they are, or to Fluentd or Fluent Bit. Exactly once to a steptap that is always the ' +
    'same one; at least once to others, which get `_src`, `_seq` and `_i` to know an event by that comes twice. Rows of `tasks` go there only when `tables` names them, to a receiver that ' +
    'derives none: a steptap derives its own from the events that it gets, and two of one task would replace each other.',
  additionalProperties: false,
  required: ['address'],
  properties: {
    address: {
      type: 'string',
      description:
        'HOST:PORT, [IPV6]:PORT or unix:/PATH. Behind a name that stands for several receivers, one that did not see an event does not know it when it comes again.',
      examples: ['aggregator-0.steptap:24224', 'unix:/run/steptap.sock'],
      minLength: 1,
    },
    tag: { type: 'string', description: 'Tag of the events.', default: 'steptap', pattern: '^[A-Za-z0-9._-]{1,128}$' },
    compress: { enum: ['none', 'gzip'], description: 'How entries are packed.', default: 'none' },
    require_ack: {
      type: 'boolean',
      description: 'False: what was written to the connection counts as stored, so that it may be lost.',
      default: true,
    },
    timeout_ms: {
      type: 'integer',
      description: 'How long to wait for a connection, and for an acknowledgement.',
      default: 60_000,
      minimum: 1,
      maximum: 3_600_000,
    },
    tls: {
      ...tlsSchema,
      description: 'Speaks TLS, also with nothing in it: {}. The files are read again when they are replaced.',
    },
    shared_key: {
      type: 'string',
      description: 'What the receiver asks for; better out of the environment, or a file.',
      minLength: 1,
      writeOnly: true,
    },
    shared_key_file: {
      type: 'string',
      description: 'A file with the key; of several the first. Read again when it changes.',
      minLength: 1,
    },
    username: { type: 'string', description: 'User, where the receiver asks for one, too.', minLength: 1 },
    password: { type: 'string', description: "The user's password.", minLength: 1, writeOnly: true },
    password_file: {
      type: 'string',
      description: 'A file with the password, instead of `password`. Read again when it changes.',
      minLength: 1,
    },
    hostname: {
      type: 'string',
      description: 'The name of this sender in the handshake; else that of the machine.',
      minLength: 1,
    },
  },
} as const;

/** What every option is when it is not given. */
export const FORWARD_SINK_DEFAULTS: {
  readonly tag: string;
  readonly compress: 'none' | 'gzip';
  readonly require_ack: boolean;
  readonly timeout_ms: number;
} = { tag: 'steptap', compress: 'none', require_ack: true, timeout_ms: 60_000 };
