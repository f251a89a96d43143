import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import headless from '@xterm/headless';

export interface TerminalOptions {
  readonly columns: number;
  readonly rows: number;
  readonly cwd: string;
  /** On top of what every program needs. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A program in a pseudo-terminal of its own, and what a person would see there. */
export class Terminal {
  /** Exit code of the command. */
  readonly ended: Promise<number | null>;
  /** Everything that was written to the terminal. */
  written = '';
  readonly #screen: headless.Terminal;
  readonly #program: ChildProcess;
  readonly #directory = mkdtempSync(join(tmpdir(), 'steptap-terminal-'));
  #changed: () => void = () => undefined;
  #over = false;

  constructor(command: string, { columns, rows, cwd, env = {} }: TerminalOptions) {
    this.#screen = new headless.Terminal({ cols: columns, rows, scrollback: 1_000, allowProposedApi: true });
    const { PATH = '', HOME = '', TMPDIR = '/tmp' } = process.env;
    const prepared = `stty cols ${columns} rows ${rows}; tty > '${this.#directory}/tty'; ${command}`;
    this.#program = spawn('script', ['-qefc', prepared, '/dev/null'], {
      cwd,
      env: { PATH, HOME, TMPDIR, TERM: 'xterm-256color', SHELL: '/bin/sh', LANG: 'C.UTF-8', ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#program.stdin!.on('error', () => undefined);
    this.#program.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.written += text;
      this.#screen.write(text, () => this.#changed());
    });
    this.ended = once(this.#program, 'close').then(async ([code]) => {
      await new Promise<void>((resolve) => {
        this.#screen.write('', resolve);
      });
      this.#over = true;
      this.#changed();
      return code as number | null;
    });
  }

  /** The lines on the screen and those that have left it at the top, without the empty ones at the end. */
  get lines(): string[] {
    const { active } = this.#screen.buffer;
    const lines = Array.from({ length: active.length }, (_, n) => active.getLine(n)!.translateToString(true));
    return lines.slice(0, lines.findLastIndex((line) => line !== '') + 1);
  }

  /** True when a line goes on in the next one because it did not fit. */
  get wrapped(): boolean {
    const { active } = this.#screen.buffer;
    return Array.from({ length: active.length }, (_, n) => active.getLine(n)!.isWrapped).includes(true);
  }

  /** The column of the cursor, and whether only empty lines are from there on. */
  get cursor(): { readonly column: number; readonly last: boolean } {
    const { cursorX, cursorY, baseY } = this.#screen.buffer.active;
    return { column: cursorX, last: this.lines.length <= baseY + cursorY };
  }

  type(text: string): void {
    this.#program.stdin!.write(text);
  }

  /** As when a person pulls at the corner of the window. */
  resize(columns: number, rows: number): void {
    this.#screen.resize(columns, rows);
    const tty = readFileSync(join(this.#directory, 'tty'), 'utf8').trim();
    execFileSync('stty', ['-F', tty, 'cols', String(columns), 'rows', String(rows)]);
  }

  /** Waits until it looks so. */
  async until(looks: (lines: readonly string[]) => boolean): Promise<readonly string[]> {
    for (;;) {
      const { lines } = this;
      if (looks(lines)) return lines;
      if (this.#over) throw new Error(`it ended, and looked like this:\n${lines.join('\n')}`);
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }

  async says(what: RegExp): Promise<readonly string[]> {
    return this.until((lines) => lines.some((line) => what.test(line)));
  }

  async close(): Promise<void> {
    this.#program.kill('SIGKILL');
    await this.ended;
    this.#screen.dispose();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
