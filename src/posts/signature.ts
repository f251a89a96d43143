import { createHmac, timingSafeEqual, type Hmac } from 'node:crypto';
import type { Secret } from '../listening/secret.ts';

/**
 * Whether a body was signed by who knows the secret: HMAC-SHA256 over its bytes as they are sent, in hex, with or without `sha256=` before it. As Orchest's webhooks (`X-Hub-Signature`, bare) and
 * those of GitHub (`X-Hub-Signature-256`) do.
 */
export class Signature {
  readonly #given: Buffer;
  /** One for each secret that is good now. */
  readonly #sums: readonly Hmac[];

  constructor(header: string, secret: Secret) {
    const hex = header.trim().replace(/^sha256=/i, '');
    this.#given = Buffer.from(/^[0-9a-f]{64}$/i.test(hex) ? hex : '', 'hex');
    this.#sums = secret.values.map((value) => createHmac('sha256', value));
  }

  update(piece: Buffer): void {
    for (const sum of this.#sums) sum.update(piece);
  }

  /** To be called once, when all of the body has come. Takes as long for a wrong one as for a right one. */
  holds(): boolean {
    let right = false;
    for (const sum of this.#sums) {
      const wanted = sum.digest();
      if (this.#given.length === wanted.length && timingSafeEqual(this.#given, wanted)) right = true;
    }
    return right;
  }
}
