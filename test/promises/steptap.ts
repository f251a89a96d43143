import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const CRASH = new URL('crash.mjs', import.meta.url).href;

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What it said; of a long life, its end. */
  readonly stderr: string;
}

/** One life of `steptap run`. */
export interface Life {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  readonly began: number;
  running(): boolean;
  stderr(): string;
}

const MOST_SAID = 1 << 18;

/** The command as its users start it, over and over on the same state directory. */
export class Steptap {
  readonly #args: () => readonly string[];
  readonly port: number;
  life: Life | undefined;
  lives = 0;

  constructor(args: () => readonly string[], port: number) {
    if (!existsSync(MAIN)) throw new Error(`there is no ${MAIN}: npm run build`);
    this.#args = args;
    this.port = port;
  }

  /** `crash`: the point at which it kills itself; see crash.mjs. */
  start(crash?: string): Life {
    const { PATH = '', HOME = '', TMPDIR = '/tmp' } = process.env;
    const env = { PATH, HOME, TMPDIR, ...(crash === undefined ? {} : { STEPTAP_CRASH: crash }) };
    const node = crash === undefined ? [] : ['--import', CRASH];
    const child = spawn(
      process.execPath,
      [...node, MAIN, 'run', ...this.#args(), '--metrics', `127.0.0.1:${this.port}`],
      {
        env,
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    let stderr = '';
    child.stderr.on('data', (text: Buffer) => {
      stderr = (stderr + text.toString('utf8')).slice(-MOST_SAID);
    });
    const ended = new Promise<Ended>((resolve) => {
      child.once('close', (code, signal) => resolve({ code, signal, stderr }));
    });
    const running = (): boolean => child.exitCode === null && child.signalCode === null;
    this.lives += 1;
    this.life = { child, ended, began: performance.now(), running, stderr: () => stderr };
    return this.life;
  }

  /** At once, whatever it does; for callbacks that may come when there is none. */
  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    if (this.life?.running() === true) this.life.child.kill(signal);
  }

  /** The text of an address of its HTTP server; undefined when it does not answer 200. */
  async ask(path: string): Promise<string | undefined> {
    try {
      const answer = await fetch(`http://127.0.0.1:${this.port}${path}`, { signal: AbortSignal.timeout(10_000) });
      const text = await answer.text();
      return answer.ok ? text : undefined;
    } catch {
      return undefined;
    }
  }
}

export async function run(args: readonly string[]): Promise<{ code: number | null; output: string }> {
  const { PATH = '', HOME = '', TMPDIR = '/tmp' } = process.env;
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH, HOME, TMPDIR },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text: Buffer) => (output += text.toString('utf8')));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, output };
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return port;
}

/** Waits until `check` is true; fails with what `describe` says. Generous: the machine may be busy with other things. */
export async function until(
  check: () => boolean | Promise<boolean>,
  describe: () => string,
  timeout_ms = 120_000,
  every_ms = 20,
): Promise<void> {
  const deadline = performance.now() + timeout_ms;
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error(`waited for ${timeout_ms} ms: ${describe()}`);
    await sleep(every_ms);
  }
}

/** Sum of the samples of a metric whose line has the label; 0 when there are none. */
export function sample(metrics: string, name: string, label = ''): number {
  return metrics
    .split('\n')
    .filter((line) => (line.startsWith(`${name}{`) || line.startsWith(`${name} `)) && line.includes(label))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}
