import type { Answer } from '../../posts/protocol.ts';

/*
 * Errors as ClickHouse says them: `Code: 60. DB::Exception: text. (UNKNOWN_TABLE)`, with the code in a header as well. Numbers, names and statuses are ClickHouse's own
 * (ErrorCodes.cpp, exceptionCodeToHTTPStatus.cpp), but for a 500 or a 501 where the same request will never be taken: who sees those sends it again.
 */
const EXCEPTIONS = {
  48: ['NOT_IMPLEMENTED', 400],
  49: ['LOGICAL_ERROR', 500],
  60: ['UNKNOWN_TABLE', 404],
  62: ['SYNTAX_ERROR', 400],
  73: ['UNKNOWN_FORMAT', 404],
  117: ['INCORRECT_DATA', 400],
  159: ['TIMEOUT_EXCEEDED', 503],
  164: ['READONLY', 405],
  194: ['REQUIRED_PASSWORD', 401],
  252: ['TOO_MANY_PARTS', 503],
  307: ['TOO_MANY_BYTES', 413],
  516: ['AUTHENTICATION_FAILED', 403],
} as const;

export type Code = keyof typeof EXCEPTIONS;

/** Says it, to the client and to the log. */
export function exception(code: Code, text: string, headers: Answer['headers'] = {}): Answer {
  const [name, status] = EXCEPTIONS[code];
  return {
    status,
    headers: { ...PLAIN, ...headers, 'x-clickhouse-exception-code': String(code) },
    body: `Code: ${code}. DB::Exception: ${text}. (${name})\n`,
    told: text,
  };
}

export const PLAIN = { 'content-type': 'text/plain; charset=UTF-8' } as const;

/** What the listener says by its status alone. */
const BY_STATUS: Readonly<Record<number, Code>> = { 400: 117, 413: 307, 415: 48 };

/** What is said of them that the listener does not tell. */
const TEXTS: Readonly<Partial<Record<Code, string>>> = {
  49: 'a bug of steptap: its log has more',
  159: 'it is not stored yet, and may be: send the same again',
  252: 'the spool of steptap is full, or it is stopping, and nothing was taken: send it again',
};

/** The same in ClickHouse's words. `doubt`: it may be stored all the same. */
export function inWords({ status, headers, told }: Answer, doubt: boolean): Answer {
  const code = status === 503 ? (doubt ? 159 : 252) : (BY_STATUS[status] ?? 49);
  const said = exception(code, TEXTS[code] ?? told ?? '', headers);
  return { ...said, status, told };
}
