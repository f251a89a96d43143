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
        'Address: `host:port`, `:port` for every address, or `unix:/path`. One that other machines can reach needs `tls` and `token_file`, or `insecure`.',
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
  readonly max_body_bytes: number;
  readonly elasticsearch: boolean;
  readonly deduplicate: boolean;
}

export const HTTP_DEFAULTS = {
  listen: httpOptions.properties.listen.default,
  path: httpOptions.properties.path.default,
  elasticsearch: httpOptions.properties.elasticsearch.default,
  deduplicate: httpOptions.properties.deduplicate.default,
} as const;
