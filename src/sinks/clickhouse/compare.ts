import { fieldsOf, type EventTable, type SearchType } from '../../fields.ts';
import { columnsOf, engineOf, identifier, onCluster, ORDER, qualified, WINDOW, type Target } from './ddl.ts';

/** A table as the server describes it, in `system.tables` and `system.columns`. */
export interface Existing {
  readonly engine: string;
  readonly partition_key: string;
  /** The engine with its settings: `MergeTree PARTITION BY _day ORDER BY ts SETTINGS index_granularity = 8192`. */
  readonly engine_full: string;
  readonly columns: readonly string[];
  /** Of the columns, by name. */
  readonly types?: ReadonlyMap<string, string>;
}

export interface Difference {
  /** What to run so that the table can take the rows. */
  readonly statements: readonly string[];
  /** What no ALTER can mend, as sentences. */
  readonly unfit: readonly string[];
}

/** Types of a column that take what is declared; whoever made it so may want other bits, or a text. */
const HOLDS: Partial<Record<SearchType, RegExp>> = {
  long: /Int|Float|Decimal|String/,
  double: /Float|Decimal|String/,
  boolean: /Bool|Int|String/,
  keyword: /String/,
  stored: /String/,
};

const CLUSTERED = /^(?:Replicated|Shared)/;

/** What an existing table lacks. Columns that it has beyond ours, other types and other indices are its owner's business. */
export function compare(target: Target, table: EventTable, existing: Existing): Difference {
  const name = qualified(target, table);
  const alter = `ALTER TABLE ${name}${onCluster(target.cluster)}`;
  const [engine = '', version] = engineOf(table).split(/[()]/);
  if (existing.engine.replace(CLUSTERED, '') !== engine) {
    const cannot = version === undefined ? 'tell a repeated insert from a new one' : 'replace a row by a newer one';
    const why = `${name} has the engine ${word(existing.engine)}, which cannot ${cannot}`;
    return { statements: [], unfit: [`${why}: rename it, steptap then makes a ${engine}`] };
  }
  const unfit: string[] = [];
  if (version !== undefined && !isKeyed(existing.engine_full, version, ORDER[table])) {
    const why = `${name} does not keep the highest ${version} of each ${ORDER[table]}`;
    unfit.push(`${why}; that cannot be altered: rename it, steptap then makes a new one`);
  }
  if (existing.partition_key.replaceAll('`', '') !== '_day') {
    const why = `${name} is not PARTITION BY _day, so that one insert may be stored in parts`;
    unfit.push(`${why}; that cannot be altered: rename it, steptap then makes a new one`);
  }
  for (const { name: column, search, clickhouse } of fieldsOf(table, target.declared).slice(fieldsOf(table).length)) {
    const type = existing.types?.get(column);
    if (type === undefined || HOLDS[search]?.test(type) !== false) continue;
    const wanted = clickhouse.split(' ')[0];
    const why = `${name} has a column ${column} of type ${type}, and the pipeline declares ${wanted}`;
    unfit.push(`${why}: run ${alter} MODIFY COLUMN ${identifier(column)} ${wanted}, or give the field another column`);
  }
  return {
    statements: [
      ...missingColumns(alter, columnsOf(table, target.declared), existing),
      ...missingWindow(alter, existing),
    ],
    unfit,
  };
}

/** Of a pipeline with hundreds of types there are thousands, and every ALTER takes as long as the table is wide. */
const AT_ONCE = 100;

function missingColumns(alter: string, columns: ReturnType<typeof columnsOf>, existing: Existing): string[] {
  const present = new Set(existing.columns);
  const missing: string[] = [];
  let before = '';
  for (const { name, clickhouse } of columns) {
    const place = before === '' ? 'FIRST' : `AFTER ${identifier(before)}`;
    if (!present.has(name)) missing.push(`ADD COLUMN IF NOT EXISTS ${identifier(name)} ${clickhouse} ${place}`);
    before = name;
  }
  const statements: string[] = [];
  for (let n = 0; n < missing.length; n += AT_ONCE) {
    statements.push(`${alter} ${missing.slice(n, n + AT_ONCE).join(', ')}`);
  }
  return statements;
}

/** Replicated tables name their path in Keeper before the version. */
function isKeyed(engine_full: string, version: string, key: string): boolean {
  return new RegExp(`^\\w+\\((?:'[^']*', '[^']*', )?${version}\\) .*\\bORDER BY \\(?${key}\\)?(?: |$)`).test(
    engine_full.replaceAll('`', ''),
  );
}

/** Replicated tables have a window of their own accord, and in ClickHouse Cloud (`Shared`) it is the service's. */
function missingWindow(alter: string, existing: Existing): string[] {
  const setting = (name: string): number | undefined => {
    const value = new RegExp(`\\b${name} = (\\d+)`).exec(existing.engine_full)?.[1];
    return value === undefined ? undefined : Number(value);
  };
  if (!CLUSTERED.test(existing.engine)) {
    const window = setting('non_replicated_deduplication_window') ?? 0;
    return window > 0 ? [] : [`${alter} MODIFY SETTING non_replicated_deduplication_window = ${WINDOW}`];
  }
  const off = setting('(?<!non_)replicated_deduplication_window') === 0;
  return off ? [`${alter} MODIFY SETTING replicated_deduplication_window = ${WINDOW}`] : [];
}

/** An engine's name from the server, if it looks like one. */
function word(text: string): string {
  return /^[A-Za-z0-9]{1,60}$/.test(text) ? text : 'of another kind';
}
