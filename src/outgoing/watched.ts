import { readFileSync, statSync } from 'node:fs';
import type { Clock } from '../clock.ts';
import { errorCode } from '../errors.ts';
import type { Log } from '../log.ts';
import { OutgoingError } from './errors.ts';

/** How often files are looked at, at most. */
const LOOK_MS = 2_000;
/** The bundle of a system's authorities has 0.2 MiB. */
const LARGEST_FILE = 4 << 20;

/** A file that an option names. */
export interface NamedFile {
  /** `tls.key_file`: in messages. */
  readonly option: string;
  readonly path: string;
}

export interface Watching {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly log: Log;
}

/**
 * What some files say together, and say again when they are replaced. They are looked at when somebody asks, every two seconds at most: a secret of Kubernetes is
 * replaced by a link in another directory, which no watch of a file sees. Files that cannot be used (gone, half written, a key without its certificate) change
 * nothing: what they said before stays, one warning says so, and they are read at every look until they are whole.
 */
export class Watched<T> {
  /** Counts how often they said something new. */
  generation = 0;
  readonly #files: readonly NamedFile[];
  readonly #make: (contents: readonly Buffer[]) => T;
  readonly #watching: Watching;
  #found: { readonly value: T; readonly contents: readonly Buffer[]; readonly marks: string } | undefined;
  #looked_at = 0;
  #told = false;

  /** `make` throws an OutgoingError when it can make nothing of them. */
  constructor(files: readonly NamedFile[], make: (contents: readonly Buffer[]) => T, watching: Watching) {
    this.#files = files;
    this.#make = make;
    this.#watching = watching;
  }

  /** Throws an OutgoingError while they have never been whole. */
  get(): T {
    const now = this.#watching.clock.monotonic();
    if (this.#found === undefined || now - this.#looked_at >= LOOK_MS) this.#look(false);
    return this.#found!.value;
  }

  /** Reads them now, since the server refused what they said. True when they say something else. */
  reread(): boolean {
    const before = this.generation;
    if (this.#found !== undefined) this.#look(true);
    return this.generation !== before;
  }

  #look(forced: boolean): void {
    const before = this.#found;
    this.#looked_at = this.#watching.clock.monotonic();
    try {
      const marks = this.#files.map(markOf).join();
      if (before !== undefined && !forced && marks === before.marks) return;
      const contents = this.#files.map(read);
      const same = before !== undefined && contents.every((bytes, n) => bytes.equals(before.contents[n]!));
      this.#found = { value: same ? before.value : this.#make(contents), contents, marks };
      if (!same) this.generation++;
      this.#told = false;
    } catch (error) {
      if (before === undefined || !(error instanceof OutgoingError)) throw error;
      if (!this.#told) this.#watching.log('warning', `${error.message}; what was read before stays in use`);
      this.#told = true;
    }
  }
}

/** What changes when a file is replaced or written to; of a link, that of what it leads to. */
function markOf(file: NamedFile): string {
  const found = attempt(file, () => statSync(file.path, { bigint: true }));
  // A pipe would be waited for, and a device may have no end.
  if (!found.isFile()) throw unusable(file, 'is no file');
  if (found.size > LARGEST_FILE) throw unusable(file, 'is too large');
  return `${found.dev}:${found.ino}:${found.mtimeNs}:${found.size}`;
}

function read(file: NamedFile): Buffer {
  const bytes = attempt(file, () => readFileSync(file.path));
  if (bytes.length === 0) throw unusable(file, 'is empty');
  return bytes;
}

function attempt<T>(file: NamedFile, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw unusable(file, `cannot be read (${errorCode(error) ?? 'unknown error'})`);
  }
}

/** `path` and what is wrong with it, as an OutgoingError. */
export function unusable({ option, path }: NamedFile, what: string): OutgoingError {
  return new OutgoingError('hold', 'FILE', `${option} ${path} ${what}: put a whole file there, or name another`);
}
