import { createRequire } from 'node:module';

/** Why there is no real ClickHouse here; undefined when there is. */
export function chdbMissing(): string | undefined {
  try {
    createRequire(import.meta.url).resolve('chdb');
    return undefined;
  } catch {
    return 'the package chdb is not installed';
  }
}
