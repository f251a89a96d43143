/*
 * Settings that every INSERT carries. Each keeps a server's profile, or a newer default, from making a retry lose or double rows;
 * a test against the real engine stands behind each (async_insert: https://github.com/ClickHouse/ClickHouse/issues/111031).
 */

export type Settings = Readonly<Record<string, string | number>>;

const PINNED: Settings = {
  // We batch ourselves. A server's asynchronous insert merges our token with those of others.
  async_insert: 0,
  insert_deduplicate: 1,
  deduplicate_insert: 'enable',
  deduplicate_blocks_in_dependent_materialized_views: 1,
  // An INSERT is atomic per block, and a token covers a block: so one insert has to be one block, on every try.
  max_insert_block_size: 1_048_449,
  min_insert_block_size_rows: 1_048_449,
  min_insert_block_size_bytes: 268_402_944,
  max_insert_threads: 1,
  input_format_parallel_parsing: 0,
  // Rows may have fields that a table of an older steptap lacks; which those are is known, and said, at `open`.
  input_format_skip_unknown_fields: 1,
  type_json_skip_duplicated_paths: 1,
  input_format_json_read_objects_as_strings: 1,
  date_time_input_format: 'best_effort',
};

/** An unknown setting fails the INSERT. These came late: they are sent only to a server that says it has them. */
const LATE = new Set([
  'deduplicate_insert',
  'type_json_skip_duplicated_paths',
  'input_format_json_read_objects_as_strings',
]);

const TOKEN = 'insert_deduplication_token';

/** The question to which a server answers with the names of the settings that it knows. */
export const WHICH_SETTINGS = `SELECT name FROM system.settings WHERE name IN (${[...Object.keys(PINNED), TOKEN]
  .map((name) => `'${name}'`)
  .join(', ')}) FORMAT TSV`;

/** The settings for a server that knows `names`; with none, for one that does not say. */
export function pinned(names: readonly string[]): Settings {
  const known = new Set(names);
  const has = (name: string): boolean => (known.size === 0 ? !LATE.has(name) : known.has(name));
  return Object.fromEntries(Object.entries(PINNED).filter(([name]) => has(name)));
}

/** The settings of one INSERT. `wait_end_of_query` is the HTTP interface's own: the answer then tells of the whole INSERT. */
export function insertSettings(settings: Settings, token: string): Record<string, string | number> {
  return { ...settings, wait_end_of_query: 1, [TOKEN]: token };
}

/** Whether a server that knows `names` knows deduplication tokens. */
export function knowsTokens(names: readonly string[]): boolean {
  return names.includes(TOKEN);
}
