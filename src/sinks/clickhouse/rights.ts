import { SinkError } from '../sink.ts';
import { lines, type Run } from './catalog.ts';

/** Something that the user has to be allowed. `database` or `table` is `*` for all of them. */
export interface Right {
  readonly right: string;
  readonly database: string;
  readonly table: string;
}

/** A right is had by whoever has one of these, on the same or more. */
const WIDER: Readonly<Record<string, readonly string[]>> = {
  'CREATE DATABASE': ['CREATE'],
  'CREATE TABLE': ['CREATE'],
  'ALTER ADD COLUMN': ['ALTER', 'ALTER TABLE', 'ALTER COLUMN'],
  'ALTER SETTINGS': ['ALTER', 'ALTER TABLE'],
};

/**
 * Which of the rights the user lacks; undefined when the server does not tell. ClickHouse 24.10 and newer are asked with CHECK GRANT, which knows roles
 * and wildcards; older ones show their grants. Neither needs a right of its own.
 */
export async function lackedRights(run: Run, needed: readonly Right[]): Promise<readonly Right[] | undefined> {
  const lacked: Right[] = [];
  try {
    for (const right of needed) if (!(await granted(run, right))) lacked.push(right);
    return lacked;
  } catch (error) {
    if (!(error instanceof SinkError) || error.failure === 'retry') throw error;
  }
  try {
    return lackedIn(lines(await run('SHOW GRANTS FORMAT TSVRaw')), needed);
  } catch (error) {
    if (!(error instanceof SinkError) || error.failure === 'retry') throw error;
    return undefined;
  }
}

export function rightText({ right, database, table }: Right): string {
  return `${right} ON ${quoted(database)}.${quoted(table)}`;
}

/** The first servers that know the question say 0 of a table that is not there: then its database is asked for. */
async function granted(run: Run, right: Right): Promise<boolean> {
  if ((await answer(run, right)) === '1') return true;
  return right.table !== '*' && (await answer(run, { ...right, table: '*' })) === '1';
}

async function answer(run: Run, right: Right): Promise<string> {
  // It takes no FORMAT; over HTTP the default is TSV.
  const said = (await run(`CHECK GRANT ${rightText(right)}`)).trim();
  if (said === '0' || said === '1') return said;
  throw new SinkError('hold', 'BAD_ANSWER', 'no answer to CHECK GRANT');
}

const GRANT = /^GRANT (.+) ON (\S+|`[^`]+`\S*) TO /;

/** Of grants as they are shown. Roles, revoked parts and wildcards are not followed: what they may give or take is not known. */
export function lackedIn(grants: readonly string[], needed: readonly Right[]): readonly Right[] | undefined {
  const given = grants.flatMap((line) => {
    const [, rights, on] = GRANT.exec(line) ?? [];
    // `SELECT(a, b)` is not SELECT.
    return rights === undefined ? [] : [{ rights: rights.replace(/\([^)]*\)/g, '()').split(', '), on: on! }];
  });
  const lacked = needed.filter((need) => {
    const names = ['ALL', need.right, ...(WIDER[need.right] ?? [])];
    return !given.some(({ rights, on }) => covers(on, need) && rights.some((right) => names.includes(right)));
  });
  const whole = grants.every((line) => line.startsWith('GRANT ') && / ON /.test(line) && !/\w\*/.test(line));
  const revoked = grants.some((line) => line.startsWith('REVOKE '));
  return revoked || (lacked.length > 0 && !whole) ? undefined : lacked;
}

function covers(on: string, { database, table }: Right): boolean {
  const [ofDatabase, ofTable] = on.replaceAll('`', '').split('.');
  return (ofDatabase === '*' || ofDatabase === database) && (ofTable === '*' || ofTable === table);
}

function quoted(name: string): string {
  return name === '*' ? name : `\`${name}\``;
}
