import { dirname } from 'node:path';

/** Names: `*` stands for any part of one, `?` for one character. */
export function nameFilter(patterns: readonly string[]): (name: string) => boolean {
  const all = patterns.map(expression);
  return (name) => all.some((each) => each.test(name));
}

function expression(pattern: string): RegExp {
  const text = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '[^/]*')
    .replaceAll('?', '[^/]');
  return new RegExp(`^${text}$`, 's');
}

/** A path with `*` and `?` in its names. */
export class Glob {
  readonly pattern: string;
  /** The directories before the first name that stands for several. */
  readonly base: string;
  /** What stands behind the base, a name each. */
  readonly names: readonly RegExp[];
  readonly #whole: RegExp;

  constructor(pattern: string) {
    this.pattern = pattern;
    this.#whole = expression(pattern);
    const parts = pattern.split('/').filter((part) => part !== '');
    const first = parts.findIndex((part) => /[*?]/.test(part));
    const fixed = first === -1 ? parts.length - 1 : first;
    this.base = `/${parts.slice(0, fixed).join('/')}`;
    this.names = parts.slice(fixed).map(expression);
  }

  matches(path: string): boolean {
    return this.#whole.test(path);
  }
}

/** True if the path is in one of the directories, or below. */
export function isWithin(path: string, directories: readonly string[]): boolean {
  for (let at = dirname(path); ; at = dirname(at)) {
    if (directories.includes(at)) return true;
    if (at === dirname(at)) return false;
  }
}
