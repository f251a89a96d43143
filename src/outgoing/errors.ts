/**
 * Why there is no connection, or nothing to log in with: whatever was to be sent was not sent. `hold`: an operator must act. The message says what happened and,
 * behind a colon, what to do; it names addresses and files, and never a secret.
 */
export class OutgoingError extends Error {
  override readonly name = 'OutgoingError';
  readonly failure: 'retry' | 'hold';
  /** `PROXY 407`, `TLS_FILES`, ... */
  readonly code: string;

  constructor(failure: 'retry' | 'hold', code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.failure = failure;
    this.code = code;
  }
}

export interface TlsTrouble {
  /** What it means, and what to do. */
  readonly advice: string;
  /** False: no certificate was agreed upon, so nothing that was sent was read. True: it may have come behind that, in the middle of an answer. */
  readonly in_doubt: boolean;
}

/** The trouble in an error code of TLS; undefined when it is none. */
export function tlsTrouble(code: string): TlsTrouble | undefined {
  const strange = strangeCertificate(code);
  if (strange !== undefined) return { advice: strange, in_doubt: false };
  if (!/^ERR_SSL|^ERR_TLS|^EPROTO$/.test(code)) return undefined;
  return { advice: 'there is no TLS that both speak: check `https` in the address', in_doubt: true };
}

function strangeCertificate(code: string): string | undefined {
  if (code === 'CERT_HAS_EXPIRED') return 'its certificate, or that of its authority, has expired: renew it';
  if (code === 'CERT_NOT_YET_VALID') return 'its certificate is not valid yet: check the clock here and there';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return 'its certificate is of another name: use that name in the address, or give it as tls.server_name';
  }
  if (/^ERR_SSL_.*ALERT_.*(?:CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE|DECRYPT_ERROR)/.test(code)) {
    return 'it does not take the certificate of steptap: check tls.cert_file and tls.key_file';
  }
  if (/^(?!ERR_).*(?:CERT|SIGNATURE|CRL)/.test(code)) {
    return 'its certificate cannot be trusted: name its authority in tls.ca_file';
  }
  return undefined;
}

/** True when a server was not let in, or did not let us in, because of a certificate. */
export function certificateRefused(code: string): boolean {
  return tlsTrouble(code)?.in_doubt === false;
}
