import type { FromSchema } from 'json-schema-to-ts';
import { bearerTokenOptions, passwordFile, tlsSchema } from '../../outgoing/index.ts';

/** Options of the Elasticsearch and OpenSearch sink. `${env:NAME}` in any text is resolved before they are checked. */
export const elasticsearchOptions = {
  type: 'object',
  description: 'Stores every event once in Elasticsearch 7.8 or newer, or OpenSearch 2.7 or newer.',
  additionalProperties: false,
  required: ['urls'],
  properties: {
    urls: {
      type: 'array',
      description: 'Addresses of the cluster; when one cannot be reached the next is tried. May hold `user:password@`.',
      minItems: 1,
      items: { type: 'string', pattern: '^https?://' },
    },
    user: { type: 'string', description: 'User for Basic authentication.' },
    password: { type: 'string', description: 'Password of `user`.', writeOnly: true },
    password_file: passwordFile,
    api_key: {
      type: 'string',
      description: 'API key, instead of a user and a password: `id:key`, or both encoded as one.',
      pattern: '^[!-~]+$',
      writeOnly: true,
    },
    api_key_file: {
      type: 'string',
      description: 'File that holds the key, instead of `api_key`; read again when it is replaced.',
      minLength: 1,
    },
    ...bearerTokenOptions,
    tls: tlsSchema,
    prefix: {
      type: 'string',
      description:
        'Indices are named `<prefix>-<table>-<YYYY.MM.DD>`, after the UTC day on which steptap took the row.',
      default: 'steptap',
      pattern: '^[a-z0-9][a-z0-9_.-]*$',
      maxLength: 100,
    },
    max_body_bytes: {
      type: 'integer',
      description: 'Largest bulk request; a single larger row goes alone.',
      default: 5_000_000,
      minimum: 1_000,
      maximum: 100_000_000,
    },
    timeout_ms: {
      type: 'integer',
      description: 'How long one request may take.',
      default: 60_000,
      minimum: 1,
      maximum: 2_147_483_647,
    },
    create_template: {
      enum: ['auto', 'never'],
      description: 'Whether steptap puts and updates the index templates that its indices need.',
      default: 'auto',
    },
    replicas: { type: 'integer', description: 'Replicas of a new index; else the default of the cluster.', minimum: 0 },
    shards: { type: 'integer', description: 'Shards of a new index; else the default of the cluster.', minimum: 1 },
  },
} as const;

export type ElasticsearchOptions = FromSchema<typeof elasticsearchOptions>;

/** What every option is when it is not given. */
export const ELASTICSEARCH_DEFAULTS: Omit<ElasticsearchOptions, 'urls'> = {
  prefix: 'steptap',
  max_body_bytes: 5_000_000,
  timeout_ms: 60_000,
  create_template: 'auto',
};
