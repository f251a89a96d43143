import { Agent, request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';

/** What a request is about, as the sink's own side of the proxy reads it. */
export interface Exchange {
  readonly sink: string;
  /** `insert steps`, `bulk`, `count`, `processes`, `kill`, `other`. */
  readonly what: string;
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** False once whoever asked is gone. */
  readonly present: () => boolean;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Where a request has come to: what crash points wait for. */
export type Moment = 'received' | 'asked' | 'committed' | 'half';

/** What happens to the answer. `half`: it breaks off; `hang`: nothing comes, until the connection breaks. */
export type Ending = 'good' | 'reset' | 'half' | 'hang' | Answer;

/** What is done with a request: `ask` passes it on, perhaps changed, and may be left out. */
export type Treatment = (exchange: Exchange, ask: Ask) => Promise<Ending | Answer>;
export type Ask = (change?: { readonly url?: URL; readonly body?: Buffer }) => Promise<Answer>;

/** The sink may be killed: no connection is kept. */
const agent = new Agent({ keepAlive: false });

/** Passes a request on, and resolves with the whole answer. `asked` is called when all of it is sent. */
export function passOn(
  upstream: string,
  { method, headers: given }: Exchange,
  url: URL,
  body: Buffer,
  asked: () => void,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers: Record<string, string | string[] | undefined> = { ...given, 'content-length': `${body.length}` };
    for (const name of ['host', 'connection', 'transfer-encoding', 'accept-encoding']) delete headers[name];
    if (method === 'GET') delete headers['content-length'];
    const path = url.pathname + url.search;
    const sent = request(new URL(upstream), { method, path, headers, agent }, (response) => {
      bodyOf(response).then((bytes) => {
        const said: Record<string, string> = {};
        for (const [name, value] of Object.entries(response.headers)) {
          if (!/^(?:connection|keep-alive|transfer-encoding|content-length)$/.test(name)) said[name] = String(value);
        }
        resolve({ status: response.statusCode ?? 0, headers: said, body: bytes });
      }, reject);
    });
    sent.on('error', reject);
    sent.end(method === 'GET' ? undefined : body, asked);
  });
}

export function answerOf(status: number, body: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, headers, body: Buffer.from(body) };
}

export async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
