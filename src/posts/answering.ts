import { createHash, randomUUID, type Hash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../clock.ts';
import { OVER } from '../clock.ts';
import type { Intake } from '../intake.ts';
import type { Log } from '../log.ts';
import type { Requests } from '../requests.ts';
import type { Admission } from './admission.ts';
import { codingOf, HAS_ZSTD, readBody, Share, type Body, type Refused } from './body.ts';
import { peerOf, type Answer, type Identity, type Protocol, type Read } from './protocol.ts';

export interface AnsweringOptions {
  readonly name: string;
  /** Largest body, uncompressed. */
  readonly max_body_bytes: number;
  readonly protocol: Protocol;
  readonly requests: Requests;
  readonly intake: Intake;
  readonly admission: Admission;
  readonly clock: Clock;
  readonly log: Log;
  /** Once it aborts, nothing new is taken. */
  readonly stop: AbortSignal;
}

/** Of all bodies that are read or decoded: with their rows, and what runs anyway, less than 256 MB. */
const MOST_UNDER_WAY = 40 << 20;
/** A client gets an answer by then, though the commit has not come: it sends the same again, and that is known. Fluent Bit waits for 60 s. */
const LONGEST_WAIT_MS = 25_000;
/** What was refused is told once in that time. */
const TELL_MS = 60_000;
/** A client that is still sending gets so long to read that it need not. */
const LINGER_MS = 1_000;

const FULL: Answer = { status: 503, headers: { 'retry-after': '1' } };
/** The same, and it may be stored all the same. */
const DOUBT: Answer = { ...FULL };

/**
 * Answers requests. 2xx: every line is committed, as an event or as a dead letter. 503, 408 or no answer: nothing is known, and the same request may come again: it is stored
 * once. Any other: it was not taken, and will not be.
 */
export class Answering {
  readonly #given: AnsweringOptions;
  readonly #share = new Share(MOST_UNDER_WAY);
  readonly #under_way = new Set<Promise<void>>();
  /** Those whose bodies are not read to their end. */
  readonly #reading = new Set<IncomingMessage>();
  readonly #told = new Map<number, { at: number; more: number }>();

  constructor(given: AnsweringOptions) {
    this.#given = given;
  }

  /** Resolves when every request that was read has its answer. */
  async settled(): Promise<void> {
    while (this.#under_way.size > 0) await Promise.all(this.#under_way);
  }

  /** Hangs up on whoever has not sent all of a request. */
  giveUp(): void {
    for (const request of this.#reading) request.destroy();
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answered = this.#answerOf(request)
      .catch((error: Error): Answer => ({ status: 500, told: `a bug of steptap: ${error.stack ?? error.message}` }))
      .then((answer) => {
        if (answer !== undefined) this.#send(request, response, answer);
      });
    this.#under_way.add(answered);
    await answered.finally(() => this.#under_way.delete(answered));
  }

  /** Undefined when nobody waits for it. */
  async #answerOf(request: IncomingMessage): Promise<Answer | undefined> {
    const { max_body_bytes, protocol, requests, stop } = this.#given;
    const wanted = protocol.begin(request);
    if ('status' in wanted) return wanted;
    if (stop.aborted || requests.full) return FULL;
    const encoding = request.headers['content-encoding'];
    const coding = codingOf(encoding);
    if (coding === undefined) return unreadable(encoding ?? '');
    if (!this.#share.hasRoom(Math.min(Number(request.headers['content-length'] ?? 0), max_body_bytes))) return FULL;
    this.#reading.add(request);
    const body = await readBody(request, coding, max_body_bytes, this.#share, wanted.sent?.bind(wanted));
    this.#reading.delete(request);
    if (body === undefined) return undefined;
    if ('status' in body) {
      if (wanted.identity !== undefined) return this.#refused(body, request, wanted.identity);
      return body.reason === undefined ? FULL : { status: body.status, told: `the body ${body.detail}` };
    }
    const read = wanted.read(body.bytes);
    if (!('status' in read) && read.lines.length > 0) return this.#take(request, body, read);
    body.release();
    return 'status' in read ? read : read.stored;
  }

  async #take(request: IncomingMessage, body: Body, { lines, stored, identity, from }: Read): Promise<Answer> {
    const { requests, admission, clock } = this.#given;
    const over = new AbortController();
    const late = clock.sleep(LONGEST_WAIT_MS, over.signal).then(() => DOUBT);
    const head = Buffer.from(lines.subarray(0, 4096));
    // Its memory is in use until then, whoever has been told to come again meanwhile.
    const committed = requests
      .take({ id: idOf(request, identity, body.digest), lines, from })
      .finally(() => body.release());
    const taken = committed.then(
      (result) => {
        if (result === 'too_large') {
          const detail = 'makes too many rows for one record';
          return this.#refused({ status: 413, reason: 'body_too_large', detail, head }, request, identity);
        }
        admission.known(request);
        return stored;
      },
      () => DOUBT,
    );
    const answer = await Promise.race([taken, late]);
    over.abort(OVER);
    return answer;
  }

  /** The beginning of what can never be taken is kept as a dead letter, before it is answered. */
  async #refused(
    { status, reason, detail, head }: Refused,
    request: IncomingMessage,
    identity: Identity,
  ): Promise<Answer> {
    if (reason === undefined) return FULL;
    const digest = createHash('sha256').update(`${reason} ${detail} `).update(head).digest();
    // With its key it may come again as it should have been: that is another.
    const id = idOf(request, identity, digest, 'refused');
    try {
      await this.#given.requests.refuse({ id, reason, detail: `the body of a request ${detail}`, head });
    } catch {
      return FULL;
    }
    return { status, told: `the body ${detail}; a dead letter has its beginning` };
  }

  #send(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
    const { name, intake, protocol, stop } = this.#given;
    const spoken = answer.status < 400 || answer.body !== undefined;
    const words = spoken ? answer : (protocol.words?.(answer, answer === DOUBT) ?? answer);
    const { status, headers = {}, body = '', told } = words;
    intake.counters.requests(name, status);
    if (told !== undefined) this.#tell(status, peerOf(request), told);
    response.writeHead(status, {
      ...headers,
      'content-length': Buffer.byteLength(body),
      // What was not read of a body stands before the next request.
      ...(stop.aborted || !request.complete ? { connection: 'close' } : {}),
    });
    response.end(request.method === 'HEAD' ? '' : body);
    if (request.complete) return;
    setTimeout(() => request.socket.destroy(), LINGER_MS).unref();
  }

  #tell(status: number, peer: string, what: string): void {
    const { clock, log, name } = this.#given;
    const now = clock.monotonic();
    const told = this.#told.get(status);
    if (told !== undefined && now - told.at < TELL_MS) {
      told.more += 1;
      return;
    }
    const more = told === undefined || told.more === 0 ? '' : `, and ${told.more} before it`;
    this.#told.set(status, { at: now, more: 0 });
    log('warning', `${name}: answered ${status} to ${peer}${more}: ${what}`, { source: name, status });
  }
}

function unreadable(encoding: string): Answer {
  const advice =
    /zstd/i.test(encoding) && !HAS_ZSTD ? 'compress with gzip, or run steptap on Node 22.15 or later' : 'use gzip';
  return {
    status: 415,
    headers: { 'accept-encoding': HAS_ZSTD ? 'gzip, zstd' : 'gzip' },
    told: `cannot read content-encoding ${JSON.stringify(encoding.slice(0, 40))}: ${advice}`,
  };
}

/** The same for what the same client sends again, and for nothing else. */
function idOf(request: IncomingMessage, identity: Identity, digest: Buffer, what: 'key' | 'refused' = 'key'): string {
  const { key, beside, compared } = identity;
  if (key === undefined && !compared) return randomUUID();
  const hash = createHash('sha256');
  part(hash, peerOf(request));
  for (const each of beside) part(hash, each);
  if (key !== undefined) part(hash, `${what} ${key}`);
  else part(hash, digest);
  return hash.digest('base64');
}

/** With its length, so that no two lists of parts are the same bytes. */
function part(hash: Hash, bytes: string | Buffer): void {
  hash.update(`${bytes.length} `).update(bytes);
}
