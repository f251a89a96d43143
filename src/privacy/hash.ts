import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { MASK, REDACTED } from './rules.ts';

/** Half of SHA-256: two people are not taken for one. */
const HEX_DIGITS = 32;
const TOLD = /^hmac:[\da-f]{32}$/;

/**
 * A value as `hmac:` and the first half of HMAC-SHA-256 over its UTF-8 text. Without the secret nobody can try names until one fits, as they could with a
 * plain hash. Text may come by twice (a line, then the message that is read out of it): what was hashed or masked before stays as it is.
 */
export class Hash {
  /** Node's own object for a secret, which shows nothing of it when it is printed. */
  readonly #key: KeyObject;

  constructor(key: string | Buffer) {
    this.#key = createSecretKey(Buffer.from(key));
  }

  of(value: string): string {
    if (value === MASK || value === REDACTED || TOLD.test(value)) return value;
    return `hmac:${createHmac('sha256', this.#key).update(value, 'utf8').digest('hex').slice(0, HEX_DIGITS)}`;
  }
}
