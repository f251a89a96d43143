import { listenerProperties, type ListenerOptions } from '../../listening/schema.ts';
import { bodyProperties } from '../../posts/schema.ts';

/** Options of the source that speaks ClickHouse's HTTP interface. */
export const clickhouseHttpOptions = {
  type: 'object',
  description:
    "Takes `INSERT INTO ... FORMAT JSONEachRow` as ClickHouse's HTTP interface does, from flytekit's telemetry and from any client of ClickHouse: 200 when all rows are stored in the spool, 503 when it has to come again. " +
    'A row that cannot be an event is a dead letter, and the answer is still 200: a client that is told of an error gives up the good rows with it. Rows of any table are read alike; settings and lists of columns are not looked at. ' +
    'With `enrichment.kubernetes`, rows are of the pod that has the address of the connection, unless something in between says that it passes requests on.',
  additionalProperties: false,
  properties: {
    listen: {
      type: 'string',
      description:
        'Address: `host:port`, `:port` for every address, or `unix:/path`. One that other machines can reach needs `tls` and `password_file`, or `insecure`.',
      // ClickHouse's own is 8123, and may stand beside it.
      default: '127.0.0.1:8124',
      minLength: 1,
      examples: [':8123', 'unix:/run/steptap/clickhouse.sock'],
    },
    ...listenerProperties,
    username: {
      type: 'string',
      description: 'The user who has the password. Without a password everybody is let in, whatever user he says.',
      default: 'default',
      minLength: 1,
    },
    password: {
      type: 'string',
      description:
        'What clients have to send: as Basic credentials, in `X-ClickHouse-Key`, or in the URL. Better out of the environment, or a file.',
      minLength: 1,
      writeOnly: true,
    },
    password_file: {
      type: 'string',
      description:
        'A file with the password, or with several, one a line, any of which will do. Read again when it changes.',
      minLength: 1,
    },
    tables: {
      type: 'array',
      description:
        'Tables that are there, as `table` or `database.table`: an insert into any other is answered with UNKNOWN_TABLE, and is not stored. All, when nothing is said.',
      items: { type: 'string', minLength: 1 },
      minItems: 1,
      uniqueItems: true,
      examples: [['default.flytekit_telemetry']],
    },
    ...bodyProperties,
    deduplicate: {
      type: 'boolean',
      description:
        "An insert that comes again within an hour from the same address, byte for byte, is taken for a retry and not stored twice, unless it has `insert_deduplicate=0`. Not so a single row from Python's urllib: flytekit sends each event by itself and never again, and two events may be the same bytes. False: only inserts of one `insert_deduplication_token` are retries.",
      default: true,
    },
  },
} as const;

export interface ClickHouseHttpOptions extends ListenerOptions {
  readonly username: string;
  readonly password?: string;
  readonly password_file?: string;
  readonly tables?: readonly string[];
  readonly max_body_bytes: number;
  readonly deduplicate: boolean;
}

export const CLICKHOUSE_HTTP_DEFAULTS = {
  listen: clickhouseHttpOptions.properties.listen.default,
  username: clickhouseHttpOptions.properties.username.default,
  deduplicate: clickhouseHttpOptions.properties.deduplicate.default,
} as const;

/** Those that say for what it lets somebody in. */
export const PASSWORD_OPTIONS = ['password', 'password_file'] as const;
