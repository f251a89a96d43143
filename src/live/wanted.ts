import { compileExpression, ExpressionError } from '../expression/index.ts';
import { EVENT_TABLES } from '../fields.ts';
import type { Wanted } from './feed.ts';

/** What a query asks for, `?table=steps,logs&filter=EXPRESSION`; or what is wrong with it. */
export function wantedOf(query: URLSearchParams): Wanted | string {
  const names = query
    .getAll('table')
    .flatMap((text) => text.split(','))
    .filter((name) => name !== '');
  const tables = new Set(EVENT_TABLES.filter((table) => names.length === 0 || names.includes(table)));
  const wrong = names.find((name) => !EVENT_TABLES.some((table) => table === name));
  if (wrong !== undefined) return `table: there is no such table; there are ${EVENT_TABLES.join(', ')}`;
  const unknown = [...query.keys()].find((key) => key !== 'table' && key !== 'filter');
  if (unknown !== undefined) return 'only filter and table can be asked for';
  const text = query.get('filter') ?? '';
  if (text.trim() === '') return { tables };
  try {
    return { tables, filter: compileExpression(text) };
  } catch (error) {
    if (error instanceof ExpressionError) return `filter: ${error.message}`;
    throw error;
  }
}
