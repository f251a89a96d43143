import type { Readable } from 'node:stream';
import { isatty } from 'node:tty';
import type { Clock } from '../clock.ts';
import { UsageError } from '../errors.ts';
import type { Log } from '../log.ts';
import { fileSource } from '../sources/file/index.ts';
import type { Source } from '../sources/source.ts';
import { stdinSource } from '../sources/stdin/index.ts';
import type { Settings } from './settings.ts';

/** The sources of a run, by what makes each another one when it changes. */
export type Inputs = ReadonlyMap<string, Source>;

/** Sources as they are named; those of `before` that have not changed are the same objects. Throws a UsageError when one cannot be read. */
export function inputs(
  { config }: Settings,
  stdin: () => Readable,
  clock: Clock,
  log: Log,
  before: Inputs = new Map(),
): Inputs {
  const named = Object.values(config.sources ?? {});
  if (named.length === 0 && isatty(0)) {
    throw new UsageError(
      'standard input is a terminal: pipe logs into steptap (kubectl logs -f POD | steptap) or name a file with --input FILE',
    );
  }
  const known = new Set([...before.values()].map(({ name }) => name));
  const sources = new Map<string, Source>();
  for (const source of named.length === 0 ? [{ type: 'stdin' } as const] : named) {
    const key = JSON.stringify(source);
    const made = (): Source => {
      if (source.type === 'stdin') return stdinSource(stdin);
      const file = fileSource(source.path, { ...source, clock, log });
      // It is being read: it goes on where it is.
      return known.has(file.name) ? fileSource(source.path, { ...source, from_start: false, clock, log }) : file;
    };
    sources.set(key, before.get(key) ?? made());
  }
  return sources;
}
