import { lstatSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock } from '../../clock.ts';
import type { Intake } from '../../intake.ts';
import type { Log } from '../../log.ts';
import { Generations } from '../file/generations.ts';
import { filesOf, mayBeOf, realPath } from '../file/listing.ts';
import { Places } from '../file/places.ts';
import { readFilePosition } from '../file/position.ts';
import { Discovery } from './discovery.ts';
import { Folders } from './folders.ts';
import type { TailMetrics } from './metrics.ts';
import { Tailed } from './tailed.ts';
import { todoOf, unreadable } from './unreadable.ts';

/** A log that cannot be opened is tried again after so many scans. */
const AGAIN = 30;

export interface LogsOptions {
  /** In counters. */
  readonly name: string;
  readonly discovery: Discovery;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: TailMetrics;
  /** Where logs are begun of which nothing was read before, at first. */
  readonly first: () => 'all' | 'end';
  /** There is a new log. */
  readonly opened: (log: Tailed) => void;
  /** Something has happened to a log, or to a directory (undefined). */
  readonly hint: (log: Tailed | undefined) => void;
}

/** The logs that there are: found, held, and let go when there is nothing of them any more. */
export class Logs {
  readonly all = new Map<string, Tailed>();
  readonly folders: Folders;
  readonly #options: LogsOptions;
  readonly #intake: Intake;
  /** Paths that were looked at, with the log that they lead to; undefined if it is not read. */
  readonly #seen = new Map<string, Tailed | undefined>();
  /** Directories of logs. */
  readonly #by = new Map<string, Set<Tailed>>();
  /** To be tried again: links that lead nowhere, and logs that cannot be opened. */
  readonly #again = new Set<string>();
  /** Those of which a file cannot be opened. */
  readonly #unread = new Set<string>();
  readonly #said = new Set<string>();
  #scans = 0;

  constructor(options: LogsOptions, intake: Intake) {
    this.#options = options;
    this.#intake = intake;
    this.folders = new Folders({
      globs: options.discovery.globs,
      found: (path, link) => this.#found(path, link),
      listed: (directory, names) => this.#listed(directory, names),
      changed: (directory, name) => options.hint(name === '' ? undefined : this.all.get(`${directory}/${name}`)),
      failed: (directory, code) => this.#say(directory, `${directory} cannot be read (${code}): ${todoOf(code)}`),
      unwatched: (code) => {
        const why = code === 'ENOSPC' ? 'fs.inotify.max_user_watches' : 'fs.inotify.max_user_instances';
        options.log(
          'warning',
          `changes of files are not told (${code}; ${why} is used up): they are looked at once a second`,
        );
      },
    });
  }

  /** Finds what is new, what was rotated and what is gone. */
  scan(): void {
    this.#scans += 1;
    for (const path of Array.from(this.#again)) {
      if (this.#scans % AGAIN !== 0 && this.#said.has(path)) continue;
      this.#seen.delete(path);
      this.#again.delete(path);
      this.#found(path);
    }
    if (this.#scans % AGAIN === 0) this.#retry();
    this.folders.scan();
    if (this.#seen.size > 4 * this.all.size + 10_000) this.#seen.clear();
  }

  /** Those that an earlier process has read, and of which nothing matches any more: their last files may be there still. */
  orphans(): void {
    const { discovery } = this.#options;
    for (const path of this.#intake.positions.keys()) {
      if (discovery.owns(path) && !this.all.has(path) && !this.#again.has(path)) this.#adopt(path);
    }
  }

  /** There is nothing of it any more. */
  forget(log: Tailed): void {
    log.files.close();
    this.all.delete(log.path);
    this.#intake.giveUp(log.path, this.#options.name);
    for (const [path, of] of this.#seen) {
      if (of !== log) continue;
      this.#seen.delete(path);
      // It may have come again by now, and a link is as it was when its file does.
      this.#again.add(path);
    }
    const directory = dirname(log.path);
    this.folders.leave(directory);
    const there = this.#by.get(directory);
    there?.delete(log);
    if (there?.size === 0) this.#by.delete(directory);
  }

  /** Begins one that was excluded with what is written from now on. */
  include(log: Tailed): void {
    if (!log.files.any) this.#safely(log.path, () => log.files.begin(filesOf(log.path), 'end'));
  }

  close(): void {
    this.folders.close();
    for (const log of this.all.values()) {
      log.files.close();
      this.#intake.giveUp(log.path, this.#options.name);
    }
  }

  /** Files that could not be opened may be readable now. */
  #retry(): void {
    const paths = [...this.#unread];
    this.#unread.clear();
    for (const path of paths) {
      const log = this.all.get(path);
      if (log !== undefined && log.state !== 'excluded') this.#safely(path, () => log.files.see(filesOf(path)));
    }
  }

  #found(path: string, link = false): void {
    const seen = this.#seen.get(path);
    // A link may lead elsewhere by now.
    if (this.#again.has(path) || (this.#seen.has(path) && !(link && realPath(path) !== seen?.path))) return;
    if (this.#isRotated(path)) {
      this.#seen.set(path, undefined);
      return;
    }
    const found = this.#options.discovery.look(path);
    if (found.is === 'dangling' && isThere(path)) this.#again.add(path);
    else if (found.is === 'refused') this.#say(path, `${path} is not read: ${found.why}`);
    if (found.is === 'log') this.#open(path, found.path, found.place);
    else if (found.is !== 'dangling') this.#seen.set(path, undefined);
  }

  /** True for a rotated file of a log that is found by its own name. */
  #isRotated(path: string): boolean {
    const { discovery } = this.#options;
    return mayBeOf(path).some((log) => discovery.owns(log) && (this.all.has(log) || isThere(log)));
  }

  #open(path: string, real: string, place: Tailed['place']): void {
    const known = this.all.get(real);
    if (known !== undefined) {
      this.#seen.set(path, known);
      return;
    }
    const other = this.#intake.claim(real, this.#options.name);
    if (other !== undefined) {
      // It may end.
      this.#again.add(path);
      this.#say(path, `${real} is read by ${other} already, and not a second time`);
      return;
    }
    try {
      this.#seen.set(path, this.#begin(real, place));
    } catch (error) {
      this.#seen.delete(path);
      this.#again.add(path);
      this.#say(path, unreadable(path, error as Error));
    }
  }

  /** One whose path is gone: only its position and perhaps its rotated files are left. */
  #adopt(path: string): void {
    const found = this.#options.discovery.place(path);
    if (found.is !== 'log' || this.#intake.claim(path, this.#options.name) !== undefined) return;
    try {
      this.#begin(path, found.place);
    } catch (error) {
      this.#say(path, unreadable(path, error as Error));
    }
  }

  #begin(path: string, place: Tailed['place']): Tailed {
    const { name, clock, log, metrics, first, opened } = this.#options;
    const places = new Places(path);
    const lost = (bytes: number): void => metrics.lost(bytes);
    let failure: Error | undefined;
    const failed = (file: string, error: Error): void => {
      failure = error;
      this.#unread.add(path);
      this.#say(path, unreadable(file, error));
    };
    const files = new Generations({ path, follow: true, guarded: true, alone: true, places, clock, log, lost, failed });
    const position = readFilePosition(this.#intake.positions.get(path));
    const directory = dirname(path);
    const entries = filesOf(path);
    let resumed = true;
    if (position === undefined) files.begin(entries, first());
    else resumed = files.resume(entries, position);
    if (failure !== undefined && !files.any) throw failure;
    const tailed = new Tailed(path, place, files, places, { counted: name, severed: !resumed });
    this.all.set(path, tailed);
    this.folders.ask(directory);
    const there = this.#by.get(directory) ?? new Set();
    this.#by.set(directory, there.add(tailed));
    opened(tailed);
    return tailed;
  }

  #listed(directory: string, names: readonly string[]): void {
    const logs = this.#by.get(directory);
    if (logs === undefined) return;
    for (const log of logs) {
      this.#safely(log.path, () => {
        const entries = filesOf(log.path, names);
        // Of one that is excluded nothing is opened; but there may be nothing of it any more.
        if (log.state !== 'excluded' || entries.length === 0) log.files.see(entries);
      });
      if (log.state !== 'excluded') this.#options.hint(log);
    }
  }

  /** What cannot be looked at now is looked at again. */
  #safely(path: string, look: () => void): void {
    try {
      look();
    } catch (error) {
      this.#unread.add(path);
      this.#say(path, unreadable(path, error as Error));
    }
  }

  /** Once for a path. */
  #say(path: string, message: string): void {
    if (this.#said.has(path)) return;
    if (this.#said.size > 10_000) this.#said.clear();
    this.#said.add(path);
    this.#options.log('warning', message, { path });
  }
}

function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true;
  }
}
