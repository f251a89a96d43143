import { readdirSync, watch, type Dirent, type FSWatcher } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../../errors.ts';
import { Changes, isGone } from '../file/listing.ts';
import { Glob } from './glob.ts';

/** A directory in which logs are, or directories that lead to them. */
class Folder {
  readonly path: string;
  readonly changes: Changes;
  /** What is looked for in it: the names that are left of a glob. */
  readonly wanted = new Set<readonly RegExp[]>();
  /** True when something asks for its listing beside the globs: a log that is in it. */
  asked = 0;
  watcher: FSWatcher | undefined;
  /** Told of a change that has not been looked at. */
  hinted = true;

  constructor(path: string) {
    this.path = path;
    this.changes = new Changes(path);
  }
}

export interface FoldersOptions {
  readonly globs: readonly Glob[];
  /** False: no hints are wanted. */
  readonly watches?: boolean;
  /** A name that a glob matches. It may be a link, and whatever else. */
  readonly found: (path: string, link: boolean) => void;
  /** What a directory has in it now that may have changed; nothing if there is no such directory. */
  readonly listed: (directory: string, names: readonly string[]) => void;
  /** Something has happened to a file: a hint, which may come late, in part or not at all. */
  readonly changed: (directory: string, name: string) => void;
  /** The directory cannot be read. */
  readonly failed: (directory: string, code: string) => void;
  /** Hints are not to be had. */
  readonly unwatched: (code: string) => void;
}

/**
 * The directories that globs lead to. `scan` finds what is new in them, whatever hints there were: it looks at each, and lists those that have changed. A directory
 * that has not costs 3 us. Hints (inotify) say sooner that there is something to be found.
 */
export class Folders {
  readonly #options: FoldersOptions;
  readonly #folders = new Map<string, Folder>();
  readonly #hinted = new Set<Folder>();
  #watching: boolean;

  constructor(options: FoldersOptions) {
    this.#options = options;
    this.#watching = options.watches !== false;
    for (const { base, names } of options.globs) this.#want(base, names);
  }

  /** True when there is something to be found by `glance`. */
  get hinted(): boolean {
    return this.#hinted.size > 0;
  }

  /** Looks at all of them. */
  scan(): void {
    this.#hinted.clear();
    // What is added meanwhile is looked at too.
    for (const folder of this.#folders.values()) this.#look(folder, false);
  }

  /** Looks at those only of which there were hints. */
  glance(): void {
    const hinted = [...this.#hinted];
    this.#hinted.clear();
    for (const folder of hinted) this.#look(folder, true);
  }

  /** A log is in it: its listing is wanted. */
  ask(directory: string): void {
    this.#folder(directory).asked += 1;
  }

  leave(directory: string): void {
    const folder = this.#folders.get(directory);
    if (folder !== undefined) folder.asked -= 1;
  }

  close(): void {
    for (const folder of this.#folders.values()) folder.watcher?.close();
  }

  #want(path: string, names: readonly RegExp[]): void {
    this.#folder(path).wanted.add(names);
  }

  #folder(path: string): Folder {
    let folder = this.#folders.get(path);
    if (folder === undefined) this.#folders.set(path, (folder = new Folder(path)));
    return folder;
  }

  #look(folder: Folder, hinted: boolean): void {
    const { listed, failed, globs } = this.#options;
    // Before it is listed: what happens from here on is a hint.
    this.#watch(folder);
    const now = folder.changes.look();
    if (now === 'same' && !hinted) return;
    let entries: Dirent[] = [];
    try {
      if (now !== 'gone') entries = readdirSync(folder.path, { withFileTypes: true });
    } catch (error) {
      if (!isGone(error)) {
        // Nobody can say what there is: that is not nothing.
        folder.changes.again();
        failed(folder.path, errorCode(error) ?? '');
        return;
      }
    }
    if (now === 'gone') {
      this.#unwatch(folder);
      if (folder.asked === 0 && !globs.some(({ base }) => base === folder.path)) this.#folders.delete(folder.path);
    }
    for (const [name, ...more] of folder.wanted) this.#match(folder.path, entries, name!, more);
    if (folder.asked > 0) {
      listed(
        folder.path,
        entries.map(({ name }) => name),
      );
    }
  }

  #match(path: string, entries: readonly Dirent[], name: RegExp, more: readonly RegExp[]): void {
    for (const entry of entries) {
      if (!name.test(entry.name)) continue;
      const at = join(path, entry.name);
      if (more.length === 0) this.#options.found(at, entry.isSymbolicLink());
      else if (entry.isDirectory()) this.#below(at, more);
    }
  }

  /** The same array for the same rest, so that it is wanted once. */
  #below(path: string, names: readonly RegExp[]): void {
    const folder = this.#folder(path);
    for (const known of folder.wanted) {
      if (known.length === names.length && known.every((each, n) => each === names[n])) return;
    }
    folder.wanted.add(names);
  }

  #watch(folder: Folder): void {
    if (folder.watcher !== undefined || !this.#watching) return;
    try {
      folder.watcher = watch(folder.path, { persistent: false }, (event, name) => {
        if (event === 'change' && name !== null) this.#options.changed(folder.path, name);
        else {
          this.#hinted.add(folder);
          this.#options.changed(folder.path, '');
        }
      });
      folder.watcher.on('error', () => this.#unwatch(folder));
    } catch (error) {
      const code = errorCode(error) ?? '';
      if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES') return;
      // ENOSPC, EMFILE: too many watches. What is looked at is found too.
      this.#watching = false;
      this.#options.unwatched(code);
    }
  }

  #unwatch(folder: Folder): void {
    folder.watcher?.close();
    folder.watcher = undefined;
  }
}
