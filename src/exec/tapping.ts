import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { Tape } from './tape.ts';

const MAIN = fileURLToPath(new URL('../cli/main.js', import.meta.url));

/** What the tapping process reports: the first two when the options make sense, and the state when it has it. */
export interface Report {
  /** No sink is named: there is nothing to do. */
  readonly idle: boolean;
  readonly grace_ms: number;
  /** It has let go of standard error. */
  readonly closed: boolean;
  /** The directory that it took, or `none`. */
  readonly state: string;
}

/** `ready`: the options make sense, or nobody knows. `idle`: they name no sink. Else why they make no sense. */
export type Verdict = 'ready' | 'idle' | { readonly usage: string };

/** Looking at the options takes a third of a second; on a machine that is so busy, the command has waited long enough. */
const VERDICT_MS = 10_000;
const PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
/** Beyond the grace period: to close the spool, and to end. */
const CLOSING_MS = 1_500;

/**
 * The process that reads the tape into the pipeline, in a session of its own. While the command runs it is started again whenever it dies, and goes on where its
 * spool says. With `--state none` nothing says so, and it is not: it would store everything a second time.
 */
export class Tapping {
  readonly #tape: Tape;
  readonly #options: readonly string[];
  /** Positions are kept under it. One of few, since they are kept for good; a file of another command is told apart by its identity. */
  readonly #name = `stderr-${randomBytes(1).toString('hex')}`;
  readonly verdict: Promise<Verdict>;
  #judge: (verdict: Verdict) => void = () => {};
  #child: ChildProcess | undefined;
  #report: Report = { idle: false, state: '', grace_ms: 5_000, closed: false };
  #pause_ms = PAUSE_MS;
  #again: NodeJS.Timeout | undefined;
  #ending = false;
  #over: () => void = () => {};

  constructor(tape: Tape, options: readonly string[]) {
    this.#tape = tape;
    this.#options = options;
    this.verdict = new Promise((resolve) => {
      this.#judge = resolve;
      setTimeout(() => resolve('ready'), VERDICT_MS).unref();
    });
    this.#start('pipe');
  }

  get grace_ms(): number {
    return this.#report.grace_ms;
  }

  /** True when there is a process that goes on by itself when this one ends. */
  get alive(): boolean {
    return this.#child !== undefined;
  }

  /** Nothing is written any more. Resolves when everything is delivered, or the grace period is over. */
  async end(): Promise<void> {
    this.#ending = true;
    const over = new Promise<void>((resolve) => {
      this.#over = resolve;
      setTimeout(resolve, this.#report.grace_ms + CLOSING_MS);
    });
    if (this.#child === undefined) this.#restart(0);
    else this.#child.stdin?.write('end\n');
    await over;
    // One that hangs would keep standard error open, and whoever reads it waiting.
    if (!this.#report.closed) this.#child?.kill('SIGKILL');
  }

  /** `errors`: where its own standard error goes until it has looked at the options, and then into its log. */
  #start(errors: 'pipe' | 'ignore'): void {
    this.#report = { ...this.#report, closed: false };
    const { state } = this.#report;
    const own = ['--name', this.#name, ...(state === '' ? [] : ['--at', state])];
    const { fd, marks } = this.#tape;
    let child: ChildProcess;
    try {
      child = spawn(process.execPath, [...process.execArgv, MAIN, 'tap', ...own, ...this.#options], {
        // As DESCRIPTORS says.
        stdio: ['pipe', 'pipe', errors, fd, marks, 2],
        detached: true,
      });
    } catch {
      this.#died(null);
      return;
    }
    this.#child = child;
    let usage = '';
    child.stderr?.on('data', (text: Buffer) => {
      usage += text.toString('utf8');
    });
    let text = '';
    child.stdout?.on('data', (piece: Buffer) => {
      const lines = (text + piece.toString('utf8')).split('\n');
      text = lines.pop()!;
      for (const line of lines) this.#reported(line);
    });
    child.once('error', () => this.#died(null));
    child.once('exit', (code) => {
      // What it has written may come after its end.
      child.once('close', () => this.#judge(this.#report.idle ? 'idle' : code === 2 ? { usage } : 'ready'));
      this.#died(code);
    });
    // It may die while it is told.
    child.stdin?.on('error', () => {});
    if (this.#ending) child.stdin?.write('end\n');
  }

  #reported(line: string): void {
    try {
      this.#report = { ...this.#report, ...(JSON.parse(line) as Partial<Report>) };
    } catch {
      // Something that NODE_OPTIONS has loaded says something.
      return;
    }
    if (this.#report.state !== '') this.#pause_ms = PAUSE_MS;
    if (!this.#report.idle) this.#judge('ready');
  }

  #died(code: number | null): void {
    this.#child = undefined;
    const { idle, state } = this.#report;
    const done = this.#ending && (code === 0 || code === 1);
    if (done || idle || state === 'none') {
      this.#over();
      return;
    }
    this.#restart(this.#ending ? PAUSE_MS / 10 : this.#pause_ms);
    this.#pause_ms = Math.min(this.#pause_ms * 2, LONGEST_PAUSE_MS);
  }

  #restart(ms: number): void {
    if (this.#report.idle || this.#report.state === 'none') {
      this.#over();
      return;
    }
    clearTimeout(this.#again);
    this.#again = setTimeout(() => this.#start('ignore'), ms);
  }

  /** Ends a pause. */
  hurry(): void {
    if (this.#child === undefined) this.#restart(0);
  }
}
