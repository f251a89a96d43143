import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import type { LogEntry } from '../support/run-cli.ts';

export const STEPTAP = fileURLToPath(new URL('../../dist/cli/steptap.js', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  /** All that came out of standard error until the last process that had it open ended. */
  readonly stderr: Buffer;
}

export interface Options {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A process whose output is kept. */
export class Program {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** The process itself has ended; others may go on writing. */
  readonly left: Promise<unknown>;
  readonly #pieces: Buffer[] = [];

  constructor([file = '', ...args]: readonly string[], { cwd, env = {} }: Options) {
    const { PATH = '', HOME = '', TMPDIR = '/tmp' } = process.env;
    // Not in the group of a terminal at which the tests are run: there, SIGINT is taken for a key.
    this.child = spawn(file, args, { cwd, env: { PATH, HOME, TMPDIR, ...env }, detached: true });
    let stdout = '';
    this.child.stdout!.on('data', (text: Buffer) => (stdout += text.toString('utf8')));
    this.child.stderr!.on('data', (piece: Buffer) => this.#pieces.push(piece));
    this.child.stdin!.on('error', () => undefined);
    this.left = new Promise((resolve) => {
      this.child.once('exit', resolve);
    });
    this.ended = new Promise((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr: this.stderr }));
    });
  }

  get stderr(): Buffer {
    return Buffer.concat(this.#pieces);
  }

  get pid(): number {
    return this.child.pid!;
  }
}

const started: Program[] = [];
afterEach(async () => {
  for (const program of started.splice(0)) {
    // With the command, which may be waiting for something.
    try {
      process.kill(-program.pid, 'SIGKILL');
    } catch {
      // All of them have ended.
    }
    await program.ended;
  }
});

/** A command with nothing between it and us. */
export function plain(command: readonly string[], options: Options): Program {
  return kept(new Program(command, options));
}

/** The same under `steptap exec`. */
export function exec(words: readonly string[], command: readonly string[], options: Options): Program {
  if (!existsSync(STEPTAP)) throw new Error(`there is no ${STEPTAP}: npm run build`);
  return kept(new Program([process.execPath, STEPTAP, 'exec', ...words, '--', ...command], options));
}

function kept(program: Program): Program {
  started.push(program);
  return program;
}

export async function until(done: () => boolean): Promise<void> {
  while (!done()) await systemClock.sleep(5, new AbortController().signal);
}

/** The tapping process of a `steptap exec`, as soon as there is one. */
export async function tapOf(front: number): Promise<number> {
  for (;;) {
    const found = childrenOf(front).find((pid) => words(pid).includes('tap'));
    if (found !== undefined) return found;
    await systemClock.sleep(5, new AbortController().signal);
  }
}

export function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => statOf(pid)?.[1] === `${parent}`);
}

export function isThere(pid: number): boolean {
  const state = statOf(pid)?.[0];
  return state !== undefined && state !== 'Z';
}

function words(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

/** State and parent of a process. */
function statOf(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

/** The log of tapping processes. */
export function logOf(state: string): LogEntry[] {
  const lines = readFileSync(`${state}/exec.log`, 'utf8').split('\n').slice(0, -1);
  return lines.map((each) => JSON.parse(each) as LogEntry);
}

/** What is compared of how a command has ended; 100 MB are no good error message. */
export function whole({ code, signal, stdout, stderr }: Ended): object {
  const hash = createHash('sha256').update(stderr).digest('hex');
  return { code, signal, stdout, bytes: stderr.length, hash, begins: stderr.toString('utf8', 0, 500) };
}

/** A program that Node runs. */
export const node = (text: string): string[] => [process.execPath, '-e', `const fs = require('node:fs'); ${text}`];

/** Waits until there is such a file. */
export const WAIT = 'while [ ! -e go ]; do sleep 0.02; done';
export const WAIT_IN_NODE =
  "const nap = new Int32Array(new SharedArrayBuffer(4)); while (!fs.existsSync('go')) Atomics.wait(nap, 0, 0, 20);";

/** So many megabytes that are no lines at all. */
export const megabytes = (count: number): string =>
  `let seed = 7; const piece = Buffer.alloc(1 << 16);
  for (let n = 0; n < ${count * 16}; n++) {
    for (let at = 0; at < piece.length; at += 4) piece.writeInt32LE(seed = Math.imul(seed, 1664525) + 1013904223 | 0, at);
    for (let from = 0; from < piece.length; ) from += fs.writeSync(2, piece, from);
  }`;
