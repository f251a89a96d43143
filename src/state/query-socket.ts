import { createServer, request, type IncomingMessage } from 'node:http';
import { errorCode } from '../errors.ts';
import { openEmbedded, type Embedded } from '../sinks/clickhouse/embedded.ts';
import { listenAlone, socketPath } from './socket.ts';

/*
 * The embedded engine lets one process at a time have its directory. While a run writes to it, queries go to that run, through a UNIX socket that its owner
 * alone can open.
 */

export interface QueryServer {
  close(): Promise<void>;
}

const LONGEST_QUERY = 1 << 20;
const socketOf = (state: string): string => socketPath(state, 'query.sock');

/** Answers queries on the engine in `path` while the run has it. The caller holds the lock of `state`. */
export async function serveQueries(state: string, path: string): Promise<QueryServer> {
  let engine: Promise<Embedded> | undefined;
  const opened = async (): Promise<Embedded> => {
    // One for all queries, also for two that come at once; one that did not open is tried again.
    engine ??= openEmbedded(path);
    try {
      return await engine;
    } catch (error) {
      engine = undefined;
      throw error;
    }
  };
  const server = createServer((incoming, response) => {
    void (async () => {
      try {
        const sql = await readBody(incoming);
        const text = await (await opened()).query(sql);
        response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end(text);
      } catch (error) {
        response.writeHead(400, { 'content-type': 'text/plain; charset=utf-8' }).end((error as Error).message);
      }
    })();
  });
  await listenAlone(server, socketOf(state));
  return {
    async close() {
      server.closeAllConnections();
      await new Promise((done) => {
        server.close(done);
      });
      await (await engine?.catch(() => undefined))?.close();
    },
  };
}

/** Asks the run that has the engine; undefined when there is none. Rejects with the engine's message. */
export function askRun(state: string, sql: string): Promise<string | undefined> {
  return new Promise((done, failed) => {
    const outgoing = request({ socketPath: socketOf(state), method: 'POST', path: '/' }, (response) => {
      void (async () => {
        try {
          const text = await readBody(response, Number.POSITIVE_INFINITY);
          if (response.statusCode === 200) done(text);
          else failed(new Error(text));
        } catch (error) {
          failed(error);
        }
      })();
    });
    outgoing.once('error', (error) => {
      if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ECONNREFUSED') done(undefined);
      else failed(error);
    });
    outgoing.end(sql);
  });
}

async function readBody(stream: IncomingMessage, most = LONGEST_QUERY): Promise<string> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of stream as AsyncIterable<Buffer>) {
    length += piece.length;
    if (length > most) throw new Error(`the query is longer than ${most} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}
