import { formatTime } from '../../time.ts';
import { tupleOf } from '../../tuples.ts';
import type { Tuple } from '../../batch.ts';
import { number, object, shaped, text, type Read } from '../../shape.ts';
import type { Observer } from '../../observer.ts';
import type { Emit, Memory } from '../dialect.ts';
import { rowText, type LogRow } from './compose.ts';
import type { RepeatOptions } from './repeat-options.ts';

/** Lines that are told apart at a time, of one source. Past it the window that began first is closed. */
const MOST = 1_024;
/** A line that is longer with its attributes, in characters, is not counted: it would be kept all the while. */
const LONGEST = 4_096;
/** Names of what is remembered. */
const PREFIX = 'log.repeats.';

type Labels = Pick<Tuple, 'dialect' | 'kind' | 'project' | 'domain' | 'task' | 'workflow'>;

/** What stays of lines that are held back: the first of them, and when it was. */
interface Kept extends Pick<LogRow, 'about' | 'said' | 'attributes' | 'provenance'> {
  readonly from_us: number;
  readonly since_us: number;
  readonly labels: Labels;
}

interface Held {
  readonly name: string;
  readonly kept: Kept;
  /** The same as JSON. */
  readonly text: string;
  count: number;
  lines: number;
  until_us: number;
  /** Monotonic milliseconds of the first. */
  readonly at: number;
}

interface Window {
  readonly from_us: number;
  seen: number;
  held: Held | undefined;
}

/**
 * Holds back lines that say the same over and over: of one stream, about one execution, of one level, with one message but for its digits. They become one row, with the time of the
 * last, when a line comes past the window, when as long a time has been read, or at the end: `attributes.repeated` is how many they were, `repeated_since` when the first came, and
 * `lines` how many lines it took. The time is that of the lines. What is held back is remembered with the position; how many were stored is not, so that after a restart a few more are.
 */
export class Repeats {
  readonly #options: RepeatOptions;
  readonly #memory: Memory;
  readonly #emit: Emit;
  readonly #tell: Observer | undefined;
  /** The one that began first is first. */
  readonly #windows = new Map<string, Window>();
  readonly #held = new Map<string, Window>();
  #names = 0;

  constructor(options: RepeatOptions, memory: Memory, emit: Emit, now: number, tell?: Observer) {
    this.#options = options;
    this.#memory = memory;
    this.#emit = emit;
    this.#tell = tell;
    this.#restore(now);
  }

  get open(): boolean {
    return this.#held.size > 0;
  }

  /** True when the row is not to be stored: it is counted. */
  hold(row: LogRow, now: number): boolean {
    const { most, window_s } = this.#options;
    const key = keyOf(row);
    if (window_s === 0 || key.length + row.attributes.length > LONGEST || row.attributes.includes('"repeated'))
      return false;
    let window = this.#windows.get(key);
    if (window === undefined || Math.abs(row.us - window.from_us) >= window_s * 1e6) {
      if (window !== undefined) this.#close(key, window);
      window = { from_us: row.us, seen: 0, held: undefined };
      this.#windows.set(key, window);
      if (this.#windows.size > MOST) this.#close(...this.#windows.entries().next().value!);
    }
    window.seen += 1;
    if (window.seen <= most) return false;
    this.#count(key, window, row, now);
    return true;
  }

  /** Tells what has been held back since before a window's time (monotonic milliseconds); with `all`, everything. */
  flush(now: number, all: boolean): void {
    const before = all ? Number.POSITIVE_INFINITY : now - this.#options.window_s * 1e3;
    for (const [key, window] of this.#held) if (window.held!.at <= before) this.#close(key, window);
  }

  #count(key: string, window: Window, row: LogRow, now: number): void {
    let { held } = window;
    if (held === undefined) {
      const { us, about, said, attributes, provenance, tuple } = row;
      const { dialect, kind, project, domain, task, workflow } = tuple;
      const labels = { dialect, kind, project, domain, task, workflow };
      const kept = { about, said, attributes, provenance, from_us: window.from_us, since_us: us, labels };
      const name = `${PREFIX}${++this.#names}`;
      held = { name, kept, text: JSON.stringify(kept), count: 0, lines: 0, until_us: us, at: now };
      window.held = held;
      this.#held.set(key, window);
    }
    held.count += 1;
    held.lines += row.lines;
    held.until_us = Math.max(held.until_us, row.us);
    this.#memory.put(held.name, `${held.count} ${held.lines} ${held.until_us} ${held.text}`);
    this.#tell?.waits(held);
  }

  #close(key: string, window: Window): void {
    this.#windows.delete(key);
    this.#held.delete(key);
    const { held } = window;
    if (held === undefined) return;
    this.#memory.drop(held.name);
    const { kept, count, lines, until_us } = held;
    const counted = `"repeated":"${count}","repeated_since":"${formatTime(kept.since_us)}"`;
    const attributes = kept.attributes === '' ? counted : `${kept.attributes},${counted}`;
    this.#tell?.ends(held);
    this.#tell?.note('rule', `${count} more that say the same, as one`, 'repeated');
    const row = rowText({ ...kept, us: until_us, attributes, lines });
    this.#emit.event('logs', row, tupleOf(kept.labels), Number.NaN, lines);
  }

  #restore(now: number): void {
    for (const name of this.#memory.keys()) {
      if (!name.startsWith(PREFIX)) continue;
      const [, count, lines, until_us, said = ''] = /^(\d+) (\d+) (\d+) (.*)$/s.exec(this.#memory.get(name)!) ?? [];
      const kept = shaped(KEPT, parsed(said));
      if (kept === undefined) continue;
      const numbers = { count: Number(count), lines: Number(lines), until_us: Number(until_us) };
      const held: Held = { name, kept, text: said, ...numbers, at: now };
      const window = { from_us: kept.from_us, seen: this.#options.most, held };
      this.#windows.set(keyOf(kept), window);
      this.#held.set(keyOf(kept), window);
      this.#names = Math.max(this.#names, Number(name.slice(PREFIX.length)));
    }
  }
}

function keyOf({ about, said }: Pick<LogRow, 'about' | 'said'>): string {
  return `${about}\n${said.replace(/\d+/g, '0')}`;
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

const LABELS: Read<Labels> = object({
  dialect: text,
  kind: text,
  project: text,
  domain: text,
  task: text,
  workflow: text,
});
const KEPT: Read<Kept> = object({
  about: text,
  said: text,
  attributes: text,
  provenance: text,
  from_us: number,
  since_us: number,
  labels: LABELS,
});
