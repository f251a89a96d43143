import type { Reading } from './reading.ts';

/** In the order of columns. */
export const FIGURES = [
  'cpu_percent',
  'memory_percent',
  'gpu_percent',
  'disk_read_bytes',
  'disk_write_bytes',
  'net_sent_bytes',
  'net_recv_bytes',
] as const;

export const RESOURCE_COLUMNS: readonly string[] = ['resource_scope', 'gpu_id', ...FIGURES];

/** Columns of what a node or a device used, as JSON members with a comma before each. Null is absent: a device has a percentage and nothing else. */
export function resourceColumns(reading: Reading): string {
  const { value } = reading;
  const gpu_id = reading.figure('gpu_id');
  const device = /^\d{1,4}$/.test(gpu_id);
  if (gpu_id !== '' && !device) reading.leave('gpu_id');
  const scope = value['resource_scope'];
  const known = scope === 'per_node' || scope === 'per_gpu';
  if (!known) reading.leave('resource_scope');
  let columns = `,"resource_scope":"${known ? scope : device ? 'per_gpu' : 'per_node'}"`;
  if (device) columns += `,"gpu_id":${gpu_id}`;
  for (const name of FIGURES) {
    const figure = reading.figure(name);
    if (figure !== '') columns += `,"${name}":${figure}`;
  }
  return columns;
}
