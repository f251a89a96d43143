// The real ClickHouse engine (chdb) behind an HTTP port, in a process of its own: tests talk to it over the wire with
// @clickhouse/client and can kill it. See clickhouse-child.mjs for what it speaks.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface ClickHouseOptions {
  /** The data directory. Without it a temporary one, which `stop` removes. */
  path?: string;
  /** Without it a free one. */
  port?: number;
  /** With a password every query has to carry it; without, any user is let in. */
  password?: string;
  /** The user the password is for: `default` unless said otherwise. */
  user?: string;
}

export interface ClickHouseServer {
  readonly url: string;
  readonly path: string;
  readonly port: number;
  /** The child's process id, while there is one. */
  readonly pid: number | undefined;
  /** Runs one statement over HTTP and returns the body; throws with the server's own text on an error. */
  query(sql: string): Promise<string>;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** The same port and the same data. Ends the process gracefully first if it is still there. */
  restart(): Promise<void>;
  /** Lets what is running finish, ends the process and removes the data directory if it was a temporary one. */
  stop(): Promise<void>;
}

const ENTRY = fileURLToPath(new URL('./clickhouse-child.mjs', import.meta.url));
const START_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 30_000;

/** Starts the child and resolves with the port it listens on. */
async function launch(argument: object): Promise<{ child: ChildProcess; port: number }> {
  const child = spawn(process.execPath, [ENTRY, JSON.stringify(argument)], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // Each running query holds one thread of libuv's pool.
    env: { ...process.env, UV_THREADPOOL_SIZE: '16', NODE_OPTIONS: '' },
  });
  let output = '';
  const port = await new Promise<number>((resolve, reject) => {
    const fail = (why: string): void => {
      child.kill('SIGKILL');
      reject(new Error(`ClickHouse did not start: ${why}\n${output}`));
    };
    const timer = setTimeout(() => fail(`not ready after ${START_TIMEOUT_MS} ms`), START_TIMEOUT_MS);
    const listen = (chunk: Buffer): void => {
      output = (output + chunk.toString('utf8')).slice(-16_384);
      const ready = /^clickhouse-child ready (\d+)$/m.exec(output)?.[1];
      if (ready === undefined) return;
      clearTimeout(timer);
      resolve(Number(ready));
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    child.stdin.on('error', () => undefined);
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      fail(`it ended with ${signal ?? code}`);
    });
  });
  // A test that forgets to stop its server must not hang the run: the child ends with its parent.
  child.unref();
  for (const stream of [child.stdin, child.stdout, child.stderr]) {
    if ('unref' in stream && typeof stream.unref === 'function') stream.unref();
  }
  return { child, port };
}

async function end(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.ref();
  const gone = once(child, 'exit');
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await gone;
  clearTimeout(timer);
}

export async function startClickHouse(options: ClickHouseOptions = {}): Promise<ClickHouseServer> {
  const owned = options.path === undefined;
  const path = options.path ?? (await mkdtemp(join(tmpdir(), 'steptap-clickhouse-')));
  const user = options.user ?? 'default';
  const { password } = options;
  const start = (port: number): ReturnType<typeof launch> => launch({ path, port, owned, user, password });

  let launched: Awaited<ReturnType<typeof launch>>;
  try {
    launched = await start(options.port ?? 0);
  } catch (error) {
    if (owned) await rm(path, { recursive: true, force: true });
    throw error;
  }
  let { child } = launched;
  const { port } = launched;
  const url = `http://127.0.0.1:${port}`;

  return {
    url,
    path,
    port,
    get pid() {
      return child.exitCode === null && child.signalCode === null ? child.pid : undefined;
    },

    query(sql) {
      return new Promise<string>((resolve, reject) => {
        const headers: Record<string, string> = password === undefined ? {} : { 'X-ClickHouse-User': user };
        if (password !== undefined) headers['X-ClickHouse-Key'] = password;
        // No agent: a connection kept from before a restart would fail the first query after it.
        const sent = request(url, { method: 'POST', headers, agent: false }, (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const body = Buffer.concat(chunks).toString('utf8');
            if (response.statusCode === 200) resolve(body);
            else reject(new Error(body.trimEnd()));
          });
        });
        sent.on('error', reject);
        sent.end(sql);
      });
    },

    kill() {
      return end(child, 'SIGKILL');
    },

    async restart() {
      await end(child, 'SIGTERM');
      ({ child } = await start(port));
    },

    async stop() {
      await end(child, 'SIGTERM');
      if (owned) await rm(path, { recursive: true, force: true });
    },
  };
}
