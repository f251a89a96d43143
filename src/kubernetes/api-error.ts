import { errorCode } from '../errors.ts';

/** Why the API gave no answer that can be used. The message goes on after the name of the API, and has nothing of a secret. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** `403`, `ECONNREFUSED`, `TIMEOUT`, `TOO_LARGE`, `UNREADABLE`. */
  readonly code: string;
  /** Of the answer; 0 when there was none. */
  readonly status: number;
  /** How long the API wants to be left alone. */
  readonly retry_after_ms: number;

  constructor(code: string, message: string, { status = 0, retry_after_ms = 0 } = {}) {
    super(message);
    this.code = code;
    this.status = status;
    this.retry_after_ms = retry_after_ms;
  }
}

/** What came is not what the API says. */
export function unreadable(what: string): ApiError {
  return new ApiError('UNREADABLE', `gave ${what}: is it Kubernetes?`);
}

/** What the API says of a request that it does not answer, with the message of its `Status`, if it gave one. */
export function refused(status: number, said: unknown, retry_after_ms = 0): ApiError {
  const why = typeof said === 'string' && said !== '' ? `: ${said.slice(0, 300)}` : '';
  const message = status === 403 ? `forbids it${why}` : `answered ${status}${why}`;
  return new ApiError(String(status), message, { status, retry_after_ms });
}

/** Of a file that cannot be read, and of a connection. */
export function apiErrorOf(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const code = errorCode(error) ?? 'ECONNRESET';
  const { syscall, path } = error as NodeJS.ErrnoException;
  if (path !== undefined) return new ApiError(code, `cannot be asked: ${path} cannot be read (${code})`);
  if (/CERT|SIGNATURE/.test(code)) {
    return new ApiError(code, `has no certificate that can be trusted (${code}): check its certificate authority`);
  }
  if (/^ERR_(OSSL|SSL|TLS|INVALID)/.test(code)) {
    return new ApiError(code, `cannot be asked: the token, certificate or key cannot be used (${code})`);
  }
  // An AggregateError is what is left when none of a name's addresses could be reached.
  const unreachable = syscall === 'connect' || syscall === 'getaddrinfo' || error instanceof AggregateError;
  return new ApiError(code, unreachable ? `cannot be reached (${code})` : `broke the connection (${code})`);
}
