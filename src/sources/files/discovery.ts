import { lstatSync, readlinkSync, realpathSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { errorCode } from '../../errors.ts';
import { readLogPath } from '../../kubernetes/path.ts';
import { Glob, isWithin } from './glob.ts';
import type { Place } from '../../kubernetes/path.ts';
import { filesOptions, type FilesOptions } from './schema.ts';
import type { Selection } from './selection.ts';

const { paths: PATHS, links_into: LINKS_INTO } = filesOptions.properties;

/** More links than this, one behind the other, go in a circle. */
const MOST_LINKS = 8;

/** What a path that was found leads to. */
export type Discovered =
  | { readonly is: 'log'; readonly path: string; readonly place: Place | undefined }
  /** Not wanted. */
  | { readonly is: 'excluded' }
  /** A link that leads nowhere yet. */
  | { readonly is: 'dangling' }
  /** What must not be read. */
  | { readonly is: 'refused'; readonly why: string };

/** True for a path that they match. */
export function matches({ paths, exclude_paths = [] }: FilesOptions, path: string): boolean {
  const some = (patterns: readonly string[]): boolean => patterns.some((each) => new Glob(each).matches(path));
  return some(paths ?? PATHS.default) && !some(exclude_paths);
}

/** Which of the paths that match are logs to be read, and whose they are. */
export class Discovery {
  readonly globs: readonly Glob[];
  readonly #excluded: readonly Glob[];
  readonly #selection: Selection;
  readonly #into: readonly string[];

  constructor(options: FilesOptions, selection: Selection) {
    const { paths = PATHS.default, exclude_paths = [], links_into = LINKS_INTO.default } = options;
    this.globs = paths.map((path) => new Glob(path));
    this.#excluded = exclude_paths.map((path) => new Glob(path));
    this.#selection = selection;
    this.#into = [...this.globs.map(({ base }) => base), ...links_into];
  }

  /** True for the path, without links, of a log that this could have found. */
  owns(path: string): boolean {
    return this.globs.some((glob) => glob.matches(path));
  }

  look(path: string): Discovered {
    if (this.#excluded.some((glob) => glob.matches(path))) return { is: 'excluded' };
    let real: string;
    try {
      real = realpathSync(path);
    } catch (error) {
      const code = errorCode(error);
      if (code === 'ENOENT') return { is: 'dangling' };
      return { is: 'refused', why: `it leads to what cannot be entered (${code})` };
    }
    if (this.#excluded.some((glob) => glob.matches(real))) return { is: 'excluded' };
    if (real !== path && !isWithin(real, this.#roots())) {
      return { is: 'refused', why: `it is a link to ${real}; name its directory in links_into if that is to be read` };
    }
    const stats = lstatSync(real, { throwIfNoEntry: false });
    if (stats === undefined) return { is: 'dangling' };
    if (!stats.isFile())
      return stats.isDirectory() ? { is: 'excluded' } : { is: 'refused', why: 'it is no regular file' };
    return this.#log(path, real);
  }

  /** The same of a log whose path is gone. */
  place(path: string): Discovered {
    return this.#excluded.some((glob) => glob.matches(path)) ? { is: 'excluded' } : this.#log(path, path);
  }

  #log(path: string, real: string): Discovered {
    const place = placeOf(path);
    const allowed = this.#selection.allows(place ?? { namespace: '', pod: '', pod_uid: '', container: '' });
    return allowed ? { is: 'log', path: real, place } : { is: 'excluded' };
  }

  /** They may be links themselves. */
  #roots(): string[] {
    return this.#into.flatMap((path) => {
      try {
        return [realpathSync(path)];
      } catch {
        return [];
      }
    });
  }
}

/** By the path, or by one that a link leads over: `/var/log/containers` knows no UID, and Docker's own directory nothing at all. */
export function placeOf(path: string): Place | undefined {
  let place: Place | undefined;
  let at = path;
  for (let n = 0; n < MOST_LINKS; n++) {
    const said = readLogPath(at);
    if (said !== undefined) {
      const { namespace, pod, pod_uid, container } = said;
      place = { namespace, pod, pod_uid, container };
      if (pod_uid !== '') return place;
    }
    try {
      at = resolve(dirname(at), readlinkSync(at));
    } catch {
      break;
    }
  }
  return place;
}
