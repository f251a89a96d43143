import { listenerProperties, tokenProperties, type TokenListenerOptions } from '../../listening/schema.ts';
import { bodyProperties } from '../../posts/schema.ts';

/** Options of the HTTP source. */
export const httpOptions = {
  type: 'object',
  description:
    "Takes NDJSON, a JSON array or JSON objects one after the other by POST, as Fluent Bit's `out_http` and others send them: 200 when all of it is stored in the spool, 503 when it has to come again. One request is stored once.",
  additionalProperties: false,
  properties: {
    listen: {
      type: 'string',
      description:
        'Address: `host:port`, `:port` for every address, or `unix:/path`. One that other machines can reach needs `tls` and `token_file` or `signature_secret_file`, or `insecure`.',
      // Fluentd's and Fluent Bit's own HTTP inputs have 9880; this one may stand beside them.
      default: '127.0.0.1:9881',
      minLength: 1,
      examples: [':9881', 'unix:/run/steptap/http.sock'],
    },
    path: {
      type: 'string',
      description: 'Where requests go; `/` is taken too.',
      default: '/ingest',
      pattern: '^/[!-~]*$',
    },
    ...listenerProperties,
    ...tokenProperties,
    signature_secret: {
      type: 'string',
      description:
        "Secret of a webhook: lets in whoever signs the body with it (HMAC-SHA256 in hex), with or without a token. Orchest's webhooks do; better out of the environment, or a file.",
      minLength: 1,
      writeOnly: true,
    },
    signature_secret_file: {
      type: 'string',
      description: 'A file with it, or with several, one a line, any of which will do. Read again when it changes.',
      minLength: 1,
    },
    signature_header: {
      type: 'string',
      description: 'Where the signature stands.',
      default: 'X-Hub-Signature',
      pattern: '^[A-Za-z0-9-]{1,64}$',
      examples: ['X-Hub-Signature', 'X-Hub-Signature-256'],
    },
    ...bodyProperties,
    elasticsearch: {
      type: 'boolean',
      description:
        "Also answers as Elasticsearch's `_bulk` does, to senders that have no other output, such as Filebeat.",
      default: false,
    },
    deduplicate: {
      type: 'boolean',
      description:
        'A body that comes again within an hour from the same address, byte for byte, is taken for a retry and not stored twice. False: only requests of one `Idempotency-Key` are; then a retry whose answer was lost is stored twice by those who send none, as Fluent Bit.',
      default: true,
    },
  },
} as const;

export interface HttpSourceOptions extends TokenListenerOptions {
  readonly path: string;
  readonly signature_secret?: string;
  readonly signature_secret_file?: string;
  readonly signature_header: string;
  readonly max_body_bytes: number;
  readonly elasticsearch: boolean;
  readonly deduplicate: boolean;
}

/** Those of it that let in who signs. */
export const SIGNATURE_OPTIONS = ['signature_secret', 'signature_secret_file'] as const;

export const HTTP_DEFAULTS = {
  listen: httpOptions.properties.listen.default,
  path: httpOptions.properties.path.default,
  signature_header: httpOptions.properties.signature_header.default,
  elasticsearch: httpOptions.properties.elasticsearch.default,
  deduplicate: httpOptions.properties.deduplicate.default,
} as const;
