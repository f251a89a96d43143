/** What every listener can be told beside its address. */
export const listenerProperties = {
  tls: {
    type: 'object',
    description: 'Speaks TLS. The files are in PEM, and are read again when they change.',
    additionalProperties: false,
    required: ['cert_file', 'key_file'],
    properties: {
      cert_file: { type: 'string', description: 'Certificate, with those between it and its authority.', minLength: 1 },
      key_file: { type: 'string', description: 'Its private key, without a passphrase.', minLength: 1 },
      client_ca_file: {
        type: 'string',
        description: 'Authorities of the certificates that clients must have.',
        minLength: 1,
      },
    },
  },
  insecure: {
    type: 'boolean',
    description:
      'True: an address that other machines can reach may do without TLS or without a secret, because the network is closed in some other way.',
    default: false,
  },
} as const;

/** A bearer token. */
export const tokenProperties = {
  token: {
    type: 'string',
    description:
      'What clients have to send as `Authorization: Bearer TOKEN`; better out of the environment, or a file.',
    pattern: '^[!-~]+$',
    writeOnly: true,
  },
  token_file: {
    type: 'string',
    description:
      'A file with the token, or with several, one a line, any of which will do. Read again when it changes.',
    minLength: 1,
  },
} as const;

export interface ListenerTls {
  readonly cert_file: string;
  readonly key_file: string;
  readonly client_ca_file?: string;
}

/** A listener as a pipeline names it. */
export interface ListenerOptions {
  readonly listen: string;
  readonly tls?: ListenerTls;
  readonly insecure?: boolean;
}

/** One whose clients have a bearer token. */
export interface TokenListenerOptions extends ListenerOptions {
  readonly token?: string;
  readonly token_file?: string;
}

/** Those of it that say for what it lets somebody in. */
export const TOKEN_OPTIONS = ['token', 'token_file'] as const;
