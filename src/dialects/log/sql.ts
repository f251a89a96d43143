import type { Level } from './level.ts';

/**
 * What GORM prints of a statement, in two lines: behind the time the place in the program, with what was wrong with it if anything was, and then
 * `[214.113ms] [rows:1] SELECT ...`.
 */
export interface Sql {
  readonly message: string;
  readonly level: Level;
  readonly attributes: ReadonlyMap<string, string>;
}

/** The first of the lines, with its time. Go's own log writes a colon behind the place. */
export const SQL_PLACE = /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d \S{1,300}\.go:\d{1,7}(?: \S.{0,2000})?$/;
/** The second. */
export const SQL_STATEMENT = /^\[\d{1,12}\.\d{3}ms\] \[rows:(?:-|\d{1,12})\]/;

const SQL = /^(\S+)(?: ([^\n]*))?\n\[([\d.]+)ms\] \[rows:(-|\d+)\] ?([^]*)$/;

/** Both lines, without the time; undefined when the second never came. */
export function readSql(text: string): Sql | undefined {
  const [, caller, reason, elapsed_ms, rows, message] = SQL.exec(text) ?? [];
  if (caller === undefined || elapsed_ms === undefined || rows === undefined || message === undefined) return undefined;
  const attributes = new Map([['caller', caller]]);
  if (reason !== undefined) attributes.set('reason', reason);
  attributes.set('elapsed_ms', elapsed_ms).set('rows', rows);
  const level = reason === undefined ? 'INFO' : reason.startsWith('SLOW SQL') ? 'WARN' : 'ERROR';
  return { message, level, attributes };
}
