import type { FromSchema } from 'json-schema-to-ts';

const FILE = { type: 'string', minLength: 1 } as const;

/** Of everything that connects to a server with TLS: the same words everywhere. */
export const tlsSchema = {
  type: 'object',
  description:
    'TLS of addresses that are https. The files are read again when they are replaced: new connections use what they ' +
    'say then.',
  additionalProperties: false,
  properties: {
    ca_file: {
      ...FILE,
      description: 'Certificates (PEM) of the authorities that are trusted; else those that Node.js trusts.',
    },
    cert_file: { ...FILE, description: 'Certificate (PEM) that steptap shows, with those in between behind it.' },
    key_file: { ...FILE, description: 'Private key (PEM) of `cert_file`.' },
    key_passphrase: { type: 'string', description: 'What `key_file` is encrypted with.', writeOnly: true },
    server_name: {
      type: 'string',
      description: 'Name that the certificate of the server has to be of; else that in the address.',
      minLength: 1,
    },
    insecure_skip_verify: {
      type: 'boolean',
      description:
        'True: any certificate of the server will do, so anybody in between can read and change all that is sent.',
    },
  },
} as const;

export type TlsOptions = FromSchema<typeof tlsSchema>;

/** A password out of a file. */
export const passwordFile = {
  ...FILE,
  description: 'File that holds the password, instead of `password`; read again when it is replaced.',
} as const;

/** A token, as it is or out of a file. */
export const bearerTokenOptions = {
  bearer_token: {
    type: 'string',
    description: 'Sent as `Authorization: Bearer`, instead of a user and a password.',
    pattern: '^[!-~]+$',
    writeOnly: true,
  },
  bearer_token_file: {
    ...FILE,
    description: 'File that holds the token, instead of `bearer_token`; read again when it is replaced.',
  },
} as const;
