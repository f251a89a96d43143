import { readFileSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';
import { OVER, type Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { paintFor } from './paint.ts';
import { render } from './render.ts';
import { width } from './text.ts';
import type { View } from './view.ts';

const REDRAW_MS = 250;

type Environment = Readonly<Record<string, string | undefined>>;

/** True where somebody sits who wants to see a line change: a terminal that can move its cursor, and no CI's. */
export function watched(stream: NodeJS.WriteStream, env: Environment): boolean {
  const { NO_COLOR, TERM, CI } = env;
  return stream.isTTY && !NO_COLOR && TERM !== 'dumb' && (CI ?? '') === '';
}

/**
 * The block of lines at the bottom of a terminal that is drawn over and over.
 *
 * The cursor is always at the beginning of the line below the block, and no mode of the terminal is changed: however the process ends, what comes next is written
 * below it, and there is nothing to restore. What steptap logs meanwhile takes the place of the block, which comes back below it with the next drawing. Until
 * `start`, and after `end`, nothing is drawn and logging is what it was.
 */
export class Live {
  readonly #stream: NodeJS.WriteStream;
  readonly #clock: Clock;
  readonly #foreground: () => boolean;
  readonly #over = new AbortController();
  /** What is on the screen: the width of each line. */
  #drawn: number[] = [];

  constructor(stream: NodeJS.WriteStream, clock: Clock, foreground: () => boolean = inForeground) {
    this.#stream = stream;
    this.#clock = clock;
    this.#foreground = foreground;
  }

  /** The same log, above the block. */
  above(log: Log): Log {
    return (...entry) => {
      this.#erase();
      log(...entry);
    };
  }

  /** Draws what `look` sees, at most four times a second, until `end`. A run that is over at once is never drawn. */
  start(look: () => View): void {
    process.on('SIGCONT', this.#forget);
    void this.#run(look);
  }

  /** The lines of the block are free again. */
  end(): void {
    if (this.#over.signal.aborted) return;
    this.#over.abort(OVER);
    process.off('SIGCONT', this.#forget);
    this.#erase();
  }

  async #run(look: () => View): Promise<void> {
    const { signal } = this.#over;
    for (;;) {
      await this.#clock.sleep(REDRAW_MS, signal);
      if (signal.aborted) return;
      const view = look();
      if (this.#foreground()) this.#draw(view);
      else this.#forget();
    }
  }

  #draw(view: View): void {
    const { columns, rows } = this.#stream;
    // In the last column some terminals are in the next line already. One that does not know its size says 0.
    const lines = render(view, (columns || 80) - 1, (rows || 24) - 2, paintFor(this.#stream));
    const text = lines.map((line) => `${line}\x1b[K\n`).join('');
    this.#stream.write(`${this.#up()}${text}\x1b[J`);
    this.#drawn = lines.map((line) => width(stripVTControlCharacters(line)));
  }

  #erase(): void {
    if (this.#drawn.length > 0) this.#stream.write(`${this.#up()}\x1b[J`);
    this.#drawn = [];
  }

  /** To the first line of the block. A terminal that has become narrower has wrapped the lines that were wider than it is now. */
  #up(): string {
    const columns = this.#stream.columns || 80;
    const lines = this.#drawn.reduce((sum, each) => sum + Math.max(1, Math.ceil(each / columns)), 0);
    return lines === 0 ? '\r' : `\r\x1b[${lines}A`;
  }

  /** The shell has written below the block: it stays where it is, and the next one is drawn below. */
  readonly #forget = (): void => {
    this.#drawn = [];
  };
}

/** False in the background of a shell (`steptap &`), where the terminal is somebody else's. True where that cannot be told. */
function inForeground(): boolean {
  try {
    const stat = readFileSync('/proc/self/stat', 'latin1');
    // Behind the name, which may hold anything: state, parent, group, session, terminal, the terminal's foreground group.
    const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return foreground === '-1' || group === foreground;
  } catch {
    return true;
  }
}
