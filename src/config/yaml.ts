import { createRequire } from 'node:module';

let loaded: typeof import('yaml') | undefined;

/** The library that reads YAML. Its 74 files take 40 ms of CPU at a start, and most runs have no pipeline to read: it is loaded when there is one. */
export function yaml(): typeof import('yaml') {
  loaded ??= createRequire(import.meta.url)('yaml') as typeof import('yaml');
  return loaded;
}
