import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../errors.ts';

const ENDING = /\.test\.ya?ml$/;

/**
 * The files of tests that are meant: `named` are such files, directories, or pipelines that have their tests beside them; none are those under ./pipelines, or
 * under the current directory where there is none.
 */
export function findTests(named: readonly string[]): string[] {
  const from = named.length > 0 ? named : [isDirectory('pipelines') ? 'pipelines' : '.'];
  return [...new Set(from.flatMap(testsOf))];
}

function testsOf(named: string): string[] {
  if (isDirectory(named)) {
    const found = under(named);
    if (found.length > 0) return found;
    throw new UsageError(`${named}: there are no *.test.yaml in it; steptap test --help shows what one looks like`);
  }
  if (ENDING.test(named)) return [named];
  if (!/\.ya?ml$/.test(named)) throw new UsageError(`${named}: name a .test.yaml file, a pipeline or a directory`);
  const beside = named.replace(/(?=\.ya?ml$)/, '.test');
  if (existsSync(beside)) return [beside];
  throw new UsageError(`${named}: it has no tests; they would be in ${beside}`);
}

function under(directory: string): string[] {
  const entries = readdirSync(directory, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    // `.git` and what npm installed are nobody's pipelines.
    if (entry.isDirectory()) return /^\.|^node_modules$/.test(entry.name) ? [] : under(join(directory, entry.name));
    return ENDING.test(entry.name) ? [join(directory, entry.name)] : [];
  });
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
