import type { CheckItem } from '../../check/item.ts';
import type { Run } from './catalog.ts';
import { createDatabase } from './ddl.ts';
import { surveyLegacy } from './legacy.ts';
import { hasDatabase, survey, type Lack, type Wanted } from './prepare.ts';
import { lackedRights, rightText, type Right } from './rights.ts';
import type { ClickHouseOptions } from './schema.ts';

/** What a run would make and change, and whether its user may. Rejects like `prepare`. */
export async function checkTables(run: Run, options: Wanted): Promise<CheckItem[]> {
  const { table } = options;
  const lacks = table === undefined ? (await survey(run, options)).lacks : await ofLegacy(run, options, table);
  return [...lacks.map((lack) => lackItem(lack, options)), await checkRights(run, lacks, options)];
}

/** A run makes the table, and never its database. */
async function ofLegacy(run: Run, options: ClickHouseOptions, table: string): Promise<Lack[]> {
  const lack = await surveyLegacy(run, options, table);
  if (lack.exists || (await hasDatabase(run, options))) return [lack];
  const { database } = options;
  const unfit = `the database ${database} is not there, and is not made for \`table\`: ${createDatabase({ database })}`;
  return [{ ...lack, unfit: [unfit] }];
}

function lackItem({ kind, name, exists, statements, unfit }: Lack, { database, create }: ClickHouseOptions): CheckItem {
  const item = { what: kind, where: kind === 'database' ? name : `${database}.${name}` };
  if (unfit.length > 0) {
    // It begins with the name, which stands in front of it already.
    const [found = '', ...todo] = unfit
      .join('; ')
      .replace(/^`\S+`\.`\S+` /, '')
      .split(': ');
    return { ...item, state: 'problem', found, ...(todo.length === 0 ? {} : { todo: todo.join(': ') }) };
  }
  if (statements.length === 0) return { ...item, state: 'ok', found: 'is there, as it should be' };
  const lacking = exists ? `lacks ${partsOf(statements)}` : 'is not there';
  if (create === 'never') {
    const todo = 'run the statements, or let steptap do it with create: auto';
    return { ...item, state: 'problem', found: lacking, todo, statements };
  }
  return {
    ...item,
    state: exists ? 'warning' : 'ok',
    found: exists ? `${lacking}; a run adds that` : `${lacking} yet; a run makes it`,
  };
}

/** What the statements add, in words. */
function partsOf(statements: readonly string[]): string {
  const columns = statements.flatMap((each) =>
    [...each.matchAll(/ADD COLUMN IF NOT EXISTS `(\w+)`/g)].map(([, name = '']) => name),
  );
  const parts = statements.some((each) => /MODIFY SETTING/.test(each)) ? ['the deduplication window'] : [];
  if (columns.length > 0) parts.unshift(`${columns.length === 1 ? 'column' : 'columns'} ${columns.join(', ')}`);
  return parts.join(' and ');
}

async function checkRights(run: Run, lacks: readonly Lack[], options: ClickHouseOptions): Promise<CheckItem> {
  const needed = neededRights(lacks, options);
  const [user = '', readonly = ''] = (await run(WHO)).trim().split('\t');
  const item = { what: 'rights', where: `user ${user}` };
  if (readonly !== '' && readonly !== '0') {
    const todo = 'give it a profile that may insert and set settings';
    return { ...item, state: 'problem', found: 'is read-only', todo };
  }
  const lacked = await lackedRights(run, needed);
  const names = [...new Set(needed.map(({ right }) => right))].join(', ');
  if (lacked === undefined) {
    return {
      ...item,
      state: 'unknown',
      found: `the server does not tell whether it may ${names}`,
      todo: 'see SHOW GRANTS',
    };
  }
  if (lacked.length === 0) return { ...item, state: 'ok', found: `may ${names}` };
  const statements = lacked.map((right) => `GRANT ${rightText(right)} TO \`${user.replace(/[\\`]/g, '\\$&')}\``);
  const found = `may not ${lacked.map((right) => rightText(right)).join(', ')}`;
  return { ...item, state: 'problem', found, todo: 'run the statements', statements };
}

const WHO = "SELECT currentUser(), value FROM system.settings WHERE name = 'readonly' FORMAT TSVRaw";

/** SELECT is for rows in doubt, and for `steptap audit`. */
function neededRights(
  lacks: readonly Lack[],
  { database, table: legacy, create, cluster }: ClickHouseOptions,
): Right[] {
  const tables = lacks.filter(({ kind }) => kind === 'table');
  const rights = legacy === undefined ? ['SELECT', 'INSERT'] : ['INSERT'];
  const needed: Right[] = tables.flatMap(({ name }) => rights.map((right) => ({ right, database, table: name })));
  if (create === 'never') return needed;
  const made = lacks.filter(({ statements }) => statements.length > 0);
  for (const { kind, name, exists, statements } of made) {
    if (!exists) needed.push({ right: kind === 'database' ? 'CREATE DATABASE' : 'CREATE TABLE', database, table: '*' });
    for (const statement of exists ? statements : []) {
      needed.push({
        right: /ADD COLUMN/.test(statement) ? 'ALTER ADD COLUMN' : 'ALTER SETTINGS',
        database,
        table: name,
      });
    }
  }
  if (made.length > 0 && cluster !== undefined) needed.push({ right: 'CLUSTER', database: '*', table: '*' });
  return [...new Map(needed.map((right) => [rightText(right), right])).values()];
}
