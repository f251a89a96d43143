import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface CliOptions {
  /** The working directory, and with it `./steptap-data`. */
  readonly cwd: string;
  /** On top of what every program needs; nothing else of the environment gets through. */
  readonly env?: Readonly<Record<string, string>>;
  /** Written to standard input, which is then closed; without it standard input stays open. */
  readonly input?: string | Buffer;
  /** Another user than that of the test; for root only. */
  readonly uid?: number;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The lines of standard error that are steptap's own log. */
  readonly log: readonly LogEntry[];
}

export interface LogEntry {
  readonly level: string;
  readonly message: string;
  readonly [detail: string]: unknown;
}

/** `node dist/cli/main.js`, as a process of its own. */
export class Cli {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';
  #changed: () => void = () => undefined;

  constructor(args: readonly string[], { cwd, env = {}, input, uid }: CliOptions) {
    if (!existsSync(MAIN)) throw new Error(`there is no ${MAIN}: npm run build`);
    const { PATH = '', HOME = '', TMPDIR = '/tmp' } = process.env;
    const user = uid === undefined ? {} : { uid };
    this.child = spawn(process.execPath, [MAIN, ...args], { cwd, env: { PATH, HOME, TMPDIR, ...env }, ...user });
    this.child.stdin!.on('error', () => undefined);
    this.child.stdout!.on('data', (text: Buffer) => (this.stdout += text.toString('utf8')));
    this.child.stderr!.on('data', (text: Buffer) => {
      this.stderr += text.toString('utf8');
      this.#changed();
    });
    this.ended = new Promise((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('close', (code, signal) => {
        this.#changed();
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr, log: this.log });
      });
    });
    if (input !== undefined) this.child.stdin!.end(input);
  }

  get log(): LogEntry[] {
    const lines = this.stderr.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}'));
    return lines.map((line) => JSON.parse(line) as LogEntry);
  }

  /** Resolves when the text is in standard input's pipe. */
  async write(text: string): Promise<void> {
    await new Promise<void>((resolve) => {
      this.child.stdin!.write(text, () => resolve());
    });
  }

  end(): void {
    this.child.stdin!.end();
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** The first entry of the log that says so, as soon as it is there. */
  said(what: RegExp): Promise<LogEntry> {
    return this.saidTimes(what, 1);
  }

  /** The entry that says so for that time. */
  async saidTimes(what: RegExp, times: number): Promise<LogEntry> {
    for (;;) {
      const entry = this.log.filter(({ message }) => what.test(message))[times - 1];
      if (entry !== undefined) return entry;
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        throw new Error(`it ended and never said ${what.source}:\n${this.stderr}`);
      }
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }
}

export async function runCli(args: readonly string[], options: CliOptions): Promise<Ended> {
  return new Cli(args, { input: '', ...options }).ended;
}
