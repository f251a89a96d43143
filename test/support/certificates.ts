// Certificates for tests, made here: an authority, what it signs, and dates as a test wants them.

import { createPrivateKey, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';

export interface Certified {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

export interface Wanted {
  readonly name: string;
  /** Names and IPv4 addresses that it is of. */
  readonly of?: readonly string[];
  /** Days from now. */
  readonly from?: number;
  readonly to?: number;
}

const DAY_MS = 86_400_000;

/** Signs for others, and is its own. */
export class Authority {
  readonly cert: string;
  readonly #name: string;
  readonly #key: KeyObject;

  constructor(name: string, to = 3650) {
    const made = certificate({ name, to }, undefined);
    this.#name = name;
    this.#key = createPrivateKey(made.key);
    this.cert = made.cert;
  }

  sign(wanted: Wanted): Certified {
    return certificate(wanted, { name: this.#name, key: this.#key });
  }
}

function certificate(wanted: Wanted, issuer: { name: string; key: KeyObject } | undefined): Certified {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { name, of = [], from = -1, to = 365 } = wanted;
  const algorithm = sequence(oid('1.2.840.10045.4.3.2'));
  const days = [from, to].map((day) => time(new Date(Date.now() + day * DAY_MS)));
  const basic = sequence(...(issuer === undefined ? [der(0x01, Buffer.from([0xff]))] : []));
  const names = of.map((each) =>
    /^[\d.]+$/.test(each) ? der(0x87, Buffer.from(each.split('.').map(Number))) : der(0x82, Buffer.from(each)),
  );
  const extensions = [
    sequence(oid('2.5.29.19'), der(0x04, basic)),
    ...(names.length === 0 ? [] : [sequence(oid('2.5.29.17'), der(0x04, sequence(...names)))]),
  ];
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1, ...randomBytes(8)])),
    algorithm,
    common(issuer?.name ?? name),
    sequence(...days),
    common(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = sign('sha256', body, issuer?.key ?? privateKey);
  const whole = sequence(body, algorithm, der(0x03, Buffer.concat([Buffer.from([0]), signature])));
  const lines = whole.toString('base64').match(/.{1,64}/g)!;
  return {
    cert: ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n'),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  };
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = rest.flatMap((part) => {
    const digits = [part & 0x7f];
    for (let left = part >> 7; left > 0; left >>= 7) digits.unshift((left & 0x7f) | 0x80);
    return digits;
  });
  return der(0x06, Buffer.from([first * 40 + second, ...bytes]));
}

function common(name: string): Buffer {
  return sequence(der(0x31, sequence(oid('2.5.4.3'), der(0x0c, Buffer.from(name)))));
}

function time(date: Date): Buffer {
  return der(0x18, Buffer.from(date.toISOString().replace(/[-:T]|\.\d+/g, '')));
}
