import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { errorCode } from '../errors.ts';
import { messagesOf, type Message } from './messages.ts';
import { HEARTBEAT_MS } from './stream.ts';

/** A run that can be watched: by the socket of its state, or by its address. */
export interface Target {
  readonly url: URL;
  readonly socketPath?: string | undefined;
  readonly token?: string | undefined;
}

/** What came of asking: events until they end, an answer that is none, or nobody there, with the code of why. */
export type Attached =
  | { readonly messages: AsyncIterable<Message> }
  | { readonly status: number; readonly text: string }
  | { readonly absent: string };

/** Three heartbeats that did not come. */
const SILENCE_MS = 3 * HEARTBEAT_MS;
const LONGEST_ANSWER = 2_000;

/** Asks for events. Rejects for nothing that the other end may do. */
export async function attach({ url, socketPath, token }: Target, signal: AbortSignal): Promise<Attached> {
  const headers = { accept: 'text/event-stream', ...(token !== undefined && { authorization: `Bearer ${token}` }) };
  const options: RequestOptions = {
    headers,
    signal,
    timeout: SILENCE_MS,
    agent: false,
    ...(socketPath !== undefined && { socketPath }),
  };
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const ask = url.protocol === 'https:' ? httpsRequest : httpRequest;
      const outgoing = ask(url, options, resolve);
      outgoing.once('error', reject).once('timeout', () => outgoing.destroy(new Error('it does not answer')));
      outgoing.end();
    });
    const status = response.statusCode ?? 0;
    const type = response.headers['content-type'] ?? '';
    if (status === 200 && type.startsWith('text/event-stream')) return { messages: until(response) };
    return { status, text: await answerOf(response) };
  } catch (error) {
    return { absent: errorCode(error) ?? (error as Error).message };
  }
}

/** A connection that breaks is the end. */
async function* until(response: IncomingMessage): AsyncGenerator<Message> {
  try {
    yield* messagesOf(response as AsyncIterable<Buffer>);
  } catch {
    // Whoever attaches again is told that it broke off.
  } finally {
    response.destroy();
  }
}

async function answerOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of response as AsyncIterable<Buffer>) {
    text += piece.toString('utf8');
    if (text.length > LONGEST_ANSWER) break;
  }
  return text.slice(0, LONGEST_ANSWER).trim();
}
