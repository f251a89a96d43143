import type { IncomingMessage } from 'node:http';
import type { Intake } from '../intake.ts';
import type { OriginFields } from '../origin.ts';

/** An answer; whatever has a status of its own is told. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** What is wrong, for the log. */
  readonly told?: string | undefined;
}

/** By what a request is known when it comes again, beside the address of its client. */
export interface Identity {
  /** What its client calls it. */
  readonly key?: string | undefined;
  /** What else tells it from others: what it was let in for, where it is meant to go. */
  readonly beside: readonly (string | Buffer)[];
  /** False: without a key it is another one each time that it comes. Else the same bytes are the same request. */
  readonly compared: boolean;
}

/** What a body holds. */
export interface Read {
  /** One record a line; empty when there is none. */
  readonly lines: Buffer;
  /** The answer when they are stored. */
  readonly stored: Answer;
  readonly identity: Identity;
  /** Whose lines they are, as far as that is known beside them. */
  readonly from?: OriginFields | undefined;
}

/** A request whose body is wanted. */
export interface Wanted {
  /** Of a body that cannot be read; absent while nobody knows whose it is: then nothing of it is kept. */
  readonly identity?: Identity | undefined;
  /** Sees the body as it is sent. */
  sent?(piece: Buffer): void;
  /** Reads it; an answer where nothing of it is taken after all. */
  read(body: Buffer): Read | Answer;
}

/** What is spoken with clients: what their requests ask for, and in which words they are answered. */
export interface Protocol {
  /** What a request wants, before anything of its body is read: an answer where its body is not looked at, and where `wanted.read` would be in vain. */
  begin(request: IncomingMessage): Wanted | Answer;
  /**
   * The words for an answer that is not of the protocol's own making: 400 and 413 for a body that is none, 415 for its encoding, 500, and 503 where it should come again.
   * `doubt`: it may be stored all the same.
   */
  words?(answer: Answer, doubt: boolean): Answer;
}

/** Makes what speaks with the clients of a run. */
export type Speaks = (intake: Intake) => Protocol;

/** Without its port: a client has another one for every connection. */
export function peerOf({ socket: { remoteAddress = 'unix' } }: IncomingMessage): string {
  return remoteAddress.replace(/^::ffff:/, '');
}
