import { createReadStream, readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Cli, type Ended } from '../support/run-cli.ts';
import { record } from '../sources/http-parts.ts';

/** What somebody does who means harm, until `stop` aborts. It may fail as it likes: what counts is what becomes of steptap and of the honest. */
export interface Attack {
  readonly name: string;
  run(target: Target, stop: AbortSignal): Promise<void>;
}

/** A steptap in a process of its own, with a listener of each kind. */
export interface Target {
  readonly cli: Cli;
  readonly url: string;
  readonly metrics: string;
  /** What lets somebody in. */
  readonly token: string;
  /** The most memory that it ever had, in MB. */
  peakMb(): number;
  /** Ends it in order, and gives the messages that it stored. */
  end(): Promise<{ ended: Ended; messages: readonly string[] }>;
}

/** The bound of the promise. */
export const MOST_MB = 256;

export async function startTarget(): Promise<Target> {
  const home = await mkdtemp(join(tmpdir(), 'steptap-attack-'));
  const token = 'let-me-in';
  const source = `in: { type: http, listen: '127.0.0.1:0', token: ${token} }`;
  const sinks = `files: { directory: rows }, prometheus: { listen: '127.0.0.1:0' }`;
  await writeFile(join(home, 'p.yaml'), `sources: { ${source} }\nsinks: { ${sinks} }\n`);
  const cli = new Cli(['-c', 'p.yaml'], { cwd: home });
  const url = String((await cli.said(/: listening on /))['url']);
  const metrics = String((await cli.said(/^reading/))['metrics']);
  return {
    cli,
    url,
    metrics,
    token,
    peakMb() {
      const status = readFileSync(`/proc/${cli.child.pid}/status`, 'utf8');
      return Math.round(Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024);
    },
    async end() {
      cli.kill('SIGTERM');
      const ended = await cli.ended;
      const messages = await honestMessages(join(home, 'rows'));
      await rm(home, { recursive: true, force: true });
      return { ended, messages };
    },
  };
}

const HONEST = 'honest-pod';

/** Only those, since a bomb may have become a million rows. */
async function honestMessages(directory: string): Promise<string[]> {
  const messages: string[] = [];
  for (const name of await readdir(directory)) {
    for await (const line of createInterface({ input: createReadStream(join(directory, name)) })) {
      if (line.includes(`"pod":"${HONEST}"`)) messages.push((JSON.parse(line) as { message: string }).message);
    }
  }
  return messages;
}

/** Sends as many records as it can, a request behind the other, until `stop` aborts; what is not taken is sent again, as by an agent. */
export class Honest {
  /** Records that were answered with 200. */
  sent: string[] = [];
  /** The longest that a request waited for its 200, in milliseconds. */
  slowest_ms = 0;
  readonly #target: Target;
  #number = 0;

  constructor(target: Target) {
    this.#target = target;
  }

  async run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      // A new connection now and then, since that is where others may be in the way.
      for (let n = 0; n < 20 && !stop.aborted; n++) await this.#request(agent);
      agent.destroy();
    }
  }

  async #request(agent: Agent): Promise<void> {
    const texts = Array.from({ length: 200 }, () => `honest ${this.#number++}`);
    const body = texts.map((text) => record(text, HONEST)).join('\n');
    const began = performance.now();
    while ((await send(this.#target.url, body, { token: this.#target.token, agent })) !== 200) await pause(50);
    this.slowest_ms = Math.max(this.slowest_ms, Math.round(performance.now() - began));
    this.sent.push(...texts);
  }
}

/** The status; 0 when there was none. */
export function send(
  url: string,
  body: string | Buffer,
  options: { token?: string; agent?: Agent; headers?: Readonly<Record<string, string>> } = {},
): Promise<number> {
  const { token = '', agent, headers = {} } = options;
  return new Promise((resolve) => {
    const all = { authorization: `Bearer ${token}`, ...headers };
    const outgoing = request(url, { method: 'POST', headers: all, ...(agent === undefined ? {} : { agent }) });
    outgoing.once('response', (response) => response.resume().once('close', () => resolve(response.statusCode!)));
    outgoing.once('error', () => resolve(0));
    outgoing.end(body);
  });
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
