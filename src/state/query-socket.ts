import { createHash } from 'node:crypto';
import { chmodSync, rmSync } from 'node:fs';
import { createServer, request, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { errorCode } from '../errors.ts';
import { openEmbedded, type Embedded } from '../sinks/clickhouse/embedded.ts';

/*
 * The embedded engine lets one process at a time have its directory. While a run writes to it, queries go to that run, through a UNIX socket that its owner
 * alone can open.
 */

export interface QueryServer {
  close(): Promise<void>;
}

const LONGEST_QUERY = 1 << 20;
/** Linux takes 107 bytes for a socket's path. */
const LONGEST_PATH = 100;

/** Where the socket of a state directory is: in it, or under the temporary directory when its path is too long for a socket. */
export function socketPath(state: string): string {
  const path = join(resolve(state), 'query.sock');
  if (Buffer.byteLength(path) <= LONGEST_PATH) return path;
  const name = createHash('sha256').update(path).digest('hex').slice(0, 24);
  return join(tmpdir(), `steptap-${process.getuid?.() ?? 0}-${name}.sock`);
}

/** Answers queries on the engine in `path` while the run has it. The caller holds the lock of `state`. */
export async function serveQueries(state: string, path: string): Promise<QueryServer> {
  const socket = socketPath(state);
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
  rmSync(socket, { force: true });
  const before = process.umask(0o177);
  try {
    await new Promise<void>((done, failed) => {
      server.once('error', failed);
      server.listen(socket, done);
    });
  } finally {
    process.umask(before);
  }
  chmodSync(socket, 0o600);
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
    const outgoing = request({ socketPath: socketPath(state), method: 'POST', path: '/' }, (response) => {
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
