import type { FromSchema } from 'json-schema-to-ts';
import { bearerTokenOptions, passwordFile, tlsSchema } from '../../outgoing/index.ts';

/** Options of the ClickHouse sink. Exactly one of `urls` and `path` names where the rows go. */
export const clickhouseOptions = {
  type: 'object',
  description: 'Stores every event once in ClickHouse 23.8 or newer, or in the ClickHouse engine inside this process.',
  additionalProperties: false,
  properties: {
    urls: {
      type: 'array',
      description:
        'HTTP addresses of the server; may hold `user:password@`. When one cannot be reached the next is tried: they have ' +
        'to be replicas of the same tables.',
      items: { type: 'string', pattern: '^https?://' },
      default: [],
    },
    path: {
      type: 'string',
      description: 'Directory of the embedded engine, used instead of a server. Needs the package `chdb`.',
      minLength: 1,
    },
    user: {
      type: 'string',
      description:
        'User for Basic authentication. One other than `default`, without a password, logs in by `tls.cert_file`.',
      default: 'default',
    },
    password: { type: 'string', description: 'Password of `user`.', default: '', writeOnly: true },
    password_file: passwordFile,
    ...bearerTokenOptions,
    tls: tlsSchema,
    database: { type: 'string', description: 'Database of the tables.', default: 'default', minLength: 1 },
    table: {
      type: 'string',
      description:
        'Writes steps into this one table, in the columns of flytekit_telemetry and at least once, instead of into ' +
        '`steps`, `logs` and `events` exactly once.',
      minLength: 1,
    },
    create: {
      enum: ['auto', 'never'],
      description:
        'Whether steptap makes the database and the tables, and adds columns that a newer steptap has. With `never` it ' +
        'says which statements to run, and waits.',
      default: 'auto',
    },
    cluster: {
      type: 'string',
      description:
        'Makes replicated tables ON CLUSTER with this name; `{cluster}` takes it from the macro of the server.',
      minLength: 1,
    },
    timeout_ms: {
      type: 'integer',
      description: 'How long one request may take.',
      default: 30_000,
      minimum: 1,
      maximum: 2_147_483_647,
    },
    compression: {
      enum: ['none', 'gzip', 'br'],
      description: 'How requests are compressed. A million rows cost about 0.5 s of CPU with `br`, 1 s with `gzip`.',
      default: 'none',
    },
  },
} as const;

export type ClickHouseOptions = FromSchema<typeof clickhouseOptions>;

/** What every option is when it is not given. */
export const CLICKHOUSE_DEFAULTS: ClickHouseOptions = {
  urls: [],
  user: 'default',
  password: '',
  database: 'default',
  create: 'auto',
  timeout_ms: 30_000,
  compression: 'none',
};

/**
 * The options that flytekit's own variables stand for, or undefined when they ask for no ClickHouse: without a URL, and when
 * FLYTE_TELEMETRY_ENABLED (by default `1`) is not `1`, `t` or `true` in any case.
 */
export function fromEnvironment(env: Readonly<Record<string, string | undefined>>): ClickHouseOptions | undefined {
  const given = (name: string): string | undefined => env[`FLYTE_TELEMETRY_${name}`];
  const url = given('CLICKHOUSE_URL');
  if (url === undefined || url.trim() === '' || !/^(?:1|t|true)$/i.test(given('ENABLED') ?? '1')) return undefined;
  const table = given('CLICKHOUSE_TABLE');
  return {
    ...CLICKHOUSE_DEFAULTS,
    urls: [url],
    user: given('CLICKHOUSE_USER') ?? CLICKHOUSE_DEFAULTS.user,
    password: given('CLICKHOUSE_PASSWORD') ?? CLICKHOUSE_DEFAULTS.password,
    database: given('CLICKHOUSE_DATABASE') ?? CLICKHOUSE_DEFAULTS.database,
    ...(table === undefined || table === '' ? {} : { table }),
  };
}
