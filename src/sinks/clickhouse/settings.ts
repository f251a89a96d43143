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

/**
 * Settings that every question about rows carries: a profile that cuts, filters or caches answers would make rows look missing, and rows that look
 * missing are sent again. An overflow has to be an error; the limits themselves are the operator's.
 */
const ASKING: Settings = {
  use_query_cache: 0,
  use_query_condition_cache: 0,
  limit: 0,
  offset: 0,
  extremes: 0,
  final: 0,
  additional_table_filters: '{}',
  additional_result_filter: '',
  read_overflow_mode: 'throw',
  group_by_overflow_mode: 'throw',
  result_overflow_mode: 'throw',
  timeout_overflow_mode: 'throw',
  // The questions know the partition, not the order of the table.
  force_primary_key: 0,
  force_index_by_date: 0,
  output_format_tsv_crlf_end_of_line: 0,
  max_threads: 2,
};

/** An unknown setting fails the INSERT. These came late: they are sent only to a server that says it has them. */
const LATE = new Set([
  'deduplicate_insert',
  'type_json_skip_duplicated_paths',
  'input_format_json_read_objects_as_strings',
]);

const TOKEN = 'insert_deduplication_token';

/** The question to which a server answers with the names of the settings that it knows. */
export const WHICH_SETTINGS = `SELECT name FROM system.settings WHERE name IN (${[
  ...Object.keys(PINNED),
  ...Object.keys(ASKING),
  TOKEN,
]
  .map((name) => `'${name}'`)
  .join(', ')}) FORMAT TSV`;

/** The settings of INSERTs for a server that knows `names`; with none, for one that does not say. */
export function pinned(names: readonly string[]): Settings {
  const known = new Set(names);
  const has = (name: string): boolean => (known.size === 0 ? !LATE.has(name) : known.has(name));
  return Object.fromEntries(Object.entries(PINNED).filter(([name]) => has(name)));
}

/** The settings of questions for a server that knows `names`. `wait_end_of_query`: what fails half-way then fails as a whole. */
export function askingSettings(names: readonly string[]): Settings {
  const known = new Set(names);
  return Object.fromEntries([
    ...Object.entries(ASKING).filter(([name]) => known.has(name)),
    ['wait_end_of_query', 1] as const,
  ]);
}

/** The settings of one INSERT. `wait_end_of_query` is the HTTP interface's own: the answer then tells of the whole INSERT. */
export function insertSettings(settings: Settings, token: string): Record<string, string | number> {
  return { ...settings, wait_end_of_query: 1, [TOKEN]: token };
}

/** Whether a server that knows `names` knows deduplication tokens. */
export function knowsTokens(names: readonly string[]): boolean {
  return names.includes(TOKEN);
}
