import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Asked {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface Reply {
  readonly status: number;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a good server of some kind does. */
export interface Backend {
  /** True for a request that brings rows. */
  brings(asked: Pick<Asked, 'method' | 'url'>): boolean;
  /** Stores what is brought, and answers. */
  answer(asked: Asked): Reply;
}

/** What happens to a request instead of a good answer. `good` stores its rows and gives the answer that it should get. */
export interface Fault {
  /** Before the body of the request was read. */
  readonly early?: boolean;
  act(response: ServerResponse, good: () => Reply, asked: Asked): void;
}

/** A store over HTTP that can be told to misbehave, to go away, and to come back on the same port. */
export interface FaultyServer {
  readonly url: string;
  readonly port: number;
  /** Every request, whatever became of it. */
  readonly asked: Asked[];
  /** The requests that brought rows and were read. */
  readonly brought: Asked[];
  /** For requests that bring rows. */
  fault: Fault | undefined;
  /** For all others. */
  faultOfQuestions: Fault | undefined;
  /** Nothing listens any more; connections are cut. */
  leave(): Promise<void>;
  comeBack(): Promise<void>;
}

export function say(response: ServerResponse, reply: Reply): void {
  response.writeHead(reply.status, reply.headers).end(reply.body ?? '');
}

export async function startFaultyServer(backend: Backend): Promise<FaultyServer> {
  const asked: Asked[] = [];
  const brought: Asked[] = [];
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const { method = '', headers } = request;
    const url = new URL(request.url ?? '/', 'http://localhost');
    const brings = backend.brings({ method, url });
    const fault = brings ? self.fault : self.faultOfQuestions;
    const pieces: Buffer[] = [];
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    if (fault?.early === true) {
      request.once('data', () => fault.act(response, () => ({ status: 500 }), { method, url, headers, body: '' }));
      return;
    }
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const whole: Asked = { method, url, headers, body: Buffer.concat(pieces).toString('utf8') };
      asked.push(whole);
      if (brings) brought.push(whole);
      if (fault === undefined) say(response, backend.answer(whole));
      else fault.act(response, () => backend.answer(whole), whole);
    });
  };
  let server: Server;
  const listen = async (port: number): Promise<void> => {
    server = createServer(answer);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
  };
  await listen(0);
  const { port } = server!.address() as AddressInfo;
  const self: FaultyServer = {
    url: `http://127.0.0.1:${port}`,
    port,
    asked,
    brought,
    fault: undefined,
    faultOfQuestions: undefined,
    async leave() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
    comeBack: () => listen(port),
  };
  return self;
}

/** The ways in which HTTP goes wrong, for whatever stands behind it. With `stored`, the rows are stored all the same. */
export const HTTP_FAULTS = {
  hang: (waited: () => void, stored: boolean): Fault => ({
    act(_response, good) {
      if (stored) good();
      setImmediate(waited);
    },
  }),
  reset: (stored: boolean): Fault => ({
    act(response, good) {
      if (stored) good();
      response.socket?.resetAndDestroy();
    },
  }),
  resetWhileReading: (): Fault => ({ early: true, act: (response) => response.socket?.resetAndDestroy() }),
  /** The answer begins well and breaks off. */
  truncated: (stored: boolean): Fault => ({
    act(response, good) {
      const { status, body = '' } = stored ? good() : { status: 200, body: '' };
      response.writeHead(status, { 'content-length': String(body.length + 100) });
      response.write(body.slice(0, body.length >> 1) || ' ', () => response.socket?.destroy());
    },
  }),
  malformed: (stored: boolean): Fault => ({
    act(response, good) {
      if (stored) good();
      response.socket?.end('220 smtp.example.org ESMTP\r\n\r\n');
    },
  }),
  status: (reply: Reply, stored = false): Fault => ({
    act(response, good) {
      if (stored) good();
      say(response, reply);
    },
  }),
  /** 413 for every body of more than `most` bytes. */
  tooLarge: (most: number): Fault => ({
    act(response, good, { body }) {
      say(response, body.length > most ? { status: 413, body: 'too large' } : good());
    },
  }),
} as const;
