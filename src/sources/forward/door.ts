import { randomBytes } from 'node:crypto';
import {
  encodeHelo,
  encodePong,
  keyDigest,
  NONCE_BYTES,
  passwordDigest,
  readPing,
  sameDigest,
  type Helo,
  type Ping,
} from '../../forward/handshake.ts';
import type { Secret } from '../../listening/secret.ts';

export interface User {
  readonly username: string;
  readonly password: Secret;
}

export interface DoorOptions {
  readonly key: Secret;
  /** Who may come in with a password, too; absent: whoever has the key. */
  readonly users?: readonly User[] | undefined;
  /** The name of this server, which is in its own digest. */
  readonly hostname: string;
  /** Random bytes. */
  readonly random?: (size: number) => Buffer;
}

/** What a peer was greeted with. */
export interface Greeting extends Helo {
  readonly helo: Uint8Array;
}

/** `hostname` of whoever is let in; else why not, without anything that was sent. */
export type Answer =
  | { readonly pong: Uint8Array; readonly hostname: string }
  | { readonly pong: Uint8Array; readonly hostname: undefined; readonly why: string };

const NOBODY = Buffer.alloc(0);

/** Lets in who has the key, and a password where users are named. A nonce is of one connection. */
export class Door {
  readonly #options: DoorOptions;

  constructor(options: DoorOptions) {
    this.#options = options;
  }

  greet(): Greeting {
    const { users, random = randomBytes } = this.#options;
    const nonce = random(NONCE_BYTES);
    const auth = users === undefined ? NOBODY : random(NONCE_BYTES);
    return { nonce, auth, helo: encodeHelo({ nonce, auth }) };
  }

  /** Throws a MsgpackError for what is no answer to the greeting. */
  open(frame: Buffer, greeting: Greeting): Answer {
    const { hostname } = this.#options;
    const ping = readPing(frame);
    const key = this.#keyOf(ping, greeting);
    if (key === undefined) return refusal('shared key mismatch');
    if (!this.#knows(ping, greeting)) return refusal('username/password mismatch');
    const right = keyDigest(ping.salt, Buffer.from(hostname), greeting.nonce, key);
    return { pong: encodePong(true, '', hostname, right), hostname: ping.hostname.toString('utf8') };
  }

  /** While a key is exchanged for another, the peer may have either. */
  #keyOf({ salt, hostname, digest }: Ping, { nonce }: Greeting): Buffer | undefined {
    let found: Buffer | undefined;
    for (const key of this.#options.key.values) {
      if (sameDigest(digest, keyDigest(salt, hostname, nonce, key))) found = key;
    }
    return found;
  }

  /** Looks at all of them, whoever it is. */
  #knows({ username, password }: Ping, { auth }: Greeting): boolean {
    const { users } = this.#options;
    let known = users === undefined;
    for (const user of users ?? []) {
      for (const right of user.password.values) {
        const same = sameDigest(password, passwordDigest(auth, username, right));
        if (same && username.toString('utf8') === user.username) known = true;
      }
    }
    return known;
  }
}

function refusal(why: string): Answer {
  return { pong: encodePong(false, why, '', ''), hostname: undefined, why };
}
