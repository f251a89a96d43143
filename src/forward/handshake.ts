import { createHash, timingSafeEqual } from 'node:crypto';
import type { Decoder } from '@msgpack/msgpack';
import { msgpack } from '../msgpack/library.ts';
import { MsgpackError } from '../msgpack/values.ts';

/*
 * How two peers of the forward protocol make sure of each other, where they have a key:
 *
 *   server -> client   HELO   a nonce, and a salt for a password where users are known
 *   client -> server   PING   its name, a salt, the digest of both with nonce and key; a user, and the digest of the password
 *   server -> client   PONG   whether that was right; its own name, and its own digest with the client's salt
 *
 * Salts and nonces are bytes: Fluent Bit sends 16 raw ones as text, which is no UTF-8, and Fluentd hexadecimal digits. Each is hashed as it was sent.
 */

/** Bytes of a nonce and of a salt. */
export const NONCE_BYTES = 16;

export interface Helo {
  readonly nonce: Uint8Array;
  /** Salt for the password; empty where nobody is asked for one. */
  readonly auth: Uint8Array;
}

export interface Ping {
  readonly hostname: Buffer;
  readonly salt: Buffer;
  readonly digest: Buffer;
  readonly username: Buffer;
  readonly password: Buffer;
}

export interface Pong {
  readonly ok: boolean;
  readonly reason: string;
  readonly hostname: Buffer;
  readonly digest: Buffer;
}

/** Hexadecimal digits: of the key, for who says that he has it. */
export function keyDigest(salt: Uint8Array, hostname: Uint8Array, nonce: Uint8Array, key: Uint8Array): string {
  return digest(salt, hostname, nonce, key);
}

export function passwordDigest(auth: Uint8Array, username: Uint8Array, password: Uint8Array): string {
  return digest(auth, username, password);
}

function digest(...parts: readonly Uint8Array[]): string {
  const hash = createHash('sha512');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

/** Whether the digests are the same; takes as long when they are not. */
export function sameDigest(given: Uint8Array, right: string): boolean {
  const expected = Buffer.from(right);
  return given.length === expected.length && timingSafeEqual(given, expected);
}

export function encodeHelo({ nonce, auth }: Helo): Uint8Array {
  // An empty salt is text in Fluentd, too.
  return msgpack().encode(['HELO', { nonce, auth: auth.length === 0 ? '' : auth, keepalive: true }]);
}

export function readHelo(frame: Buffer): Helo {
  const [word, options] = read(frame, 2);
  if (textOf(word) !== 'HELO' || typeof options !== 'object' || options === null) throw unknown('HELO');
  const { nonce, auth } = options as Record<string, unknown>;
  return { nonce: bytesOf(nonce, 'HELO'), auth: auth === undefined ? Buffer.alloc(0) : bytesOf(auth, 'HELO') };
}

/** `texts`: hostname, salt, digest, user, digest of the password. */
export function encodePing(texts: readonly (string | Uint8Array)[]): Uint8Array {
  return msgpack().encode(['PING', ...texts]);
}

export function readPing(frame: Buffer): Ping {
  const [word, ...rest] = read(frame, 6);
  if (textOf(word) !== 'PING') throw unknown('PING');
  const [hostname, salt, given, username, password] = rest.map((part) => bytesOf(part, 'PING'));
  return { hostname: hostname!, salt: salt!, digest: given!, username: username!, password: password! };
}

export function encodePong(ok: boolean, reason: string, hostname: string, right: string): Uint8Array {
  return msgpack().encode(['PONG', ok, reason, hostname, right]);
}

export function readPong(frame: Buffer): Pong {
  const [word, ok, reason, hostname, given] = read(frame, 5);
  if (textOf(word) !== 'PONG') throw unknown('PONG');
  return {
    ok: ok === true,
    reason: textOf(reason) ?? '',
    hostname: bytesOf(hostname, 'PONG'),
    digest: bytesOf(given, 'PONG'),
  };
}

let decoder: Decoder | undefined;

/** Text comes as the bytes that it is: what is hashed must not be read. */
function decode(frame: Buffer): unknown {
  decoder ??= new (msgpack().Decoder)({ rawStrings: true, mapKeyConverter: (key) => textOf(key) ?? String(key) });
  return decoder.decode(frame);
}

function read(frame: Buffer, items: number): unknown[] {
  let value: unknown;
  try {
    value = decode(frame);
  } catch {
    throw new MsgpackError('a handshake that cannot be read');
  }
  if (!Array.isArray(value) || value.length < items) throw new MsgpackError('something else than a handshake');
  return value.slice(0, items);
}

function unknown(word: string): MsgpackError {
  return new MsgpackError(`something else than ${word}`);
}

function bytesOf(value: unknown, word: string): Buffer {
  if (value instanceof Uint8Array) return Buffer.from(value);
  throw unknown(`a ${word} of the protocol`);
}

function textOf(value: unknown): string | undefined {
  return value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : undefined;
}
