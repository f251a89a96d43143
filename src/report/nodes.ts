import { FIGURES } from '../dialects/rhapsody/resource.ts';
import { numberOf, oneOf, rowsOf, textOf, type Row, type Store } from './store.ts';

/** What a node, or a device of one, told last. */
export interface Reading {
  readonly session_id: string;
  readonly backend: string;
  readonly node_id: string;
  /** Absent for the node as a whole. */
  readonly gpu_id?: number;
  readonly values: Readonly<Record<string, number | undefined>>;
}

/** The last reading of every node and, apart from it, of every device: one that tells of a device says nothing of the node. */
export async function readingsOf(store: Store, sessions: readonly string[]): Promise<Reading[]> {
  const last = `argMax((${FIGURES.join(', ')}), ts) AS last`;
  const sql = `SELECT session_id, backend, node_id, gpu_id, ${FIGURES.map((name, n) => `last.${n + 1} AS ${name}`).join(', ')}
FROM (
  SELECT session_id, backend, node_id, gpu_id, ${last} FROM ${store.table('resources')}
  WHERE dialect = 'rhapsody' AND ${oneOf('session_id', sessions)} GROUP BY session_id, backend, node_id, gpu_id
) ORDER BY session_id, backend, node_id, gpu_id NULLS FIRST`;
  return (await rowsOf(store, sql)).map((row: Row): Reading => {
    const gpu_id = numberOf(row, 'gpu_id');
    return {
      session_id: textOf(row, 'session_id'),
      backend: textOf(row, 'backend'),
      node_id: textOf(row, 'node_id'),
      ...(gpu_id === undefined ? {} : { gpu_id }),
      values: Object.fromEntries(FIGURES.map((name) => [name, numberOf(row, name)])),
    };
  });
}
