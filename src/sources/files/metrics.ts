import { Counter, Gauge, type Registry } from '../../prom-client.ts';

export interface TailMetrics {
  /** Something that was there cannot be read any more; 0 bytes where nobody knows how many. */
  lost(bytes: number): void;
  /** What is read now. */
  logs(reading: number, waiting: number, deleted_bytes: number): void;
}

/** Made once for a registry, whatever sources come and go. */
export function tailMetrics(registry: Registry, source: string): TailMetrics {
  const counter = (name: string, help: string): Counter =>
    (registry.getSingleMetric(name) as Counter | undefined) ??
    new Counter({ name, help, labelNames: ['source'], registers: [registry] });
  const gauge = (name: string, help: string, ...labels: string[]): Gauge =>
    (registry.getSingleMetric(name) as Gauge | undefined) ??
    new Gauge({ name, help, labelNames: ['source', ...labels], registers: [registry] });
  const gaps = counter('steptap_tail_gaps_total', 'Times that a file, or the rest of one, was gone before it was read');
  const bytes = counter('steptap_tail_gap_bytes_total', 'Bytes of them, where it is known how many');
  const logs = gauge(
    'steptap_tail_logs',
    'Logs by what becomes of them: read, or waiting for the metadata of their pods',
    'state',
  );
  const deleted = gauge(
    'steptap_tail_deleted_bytes',
    'Bytes of deleted files that are kept on the disk until they are read',
  );
  gaps.inc({ source }, 0);
  bytes.inc({ source }, 0);
  return {
    lost(count) {
      gaps.inc({ source });
      bytes.inc({ source }, count);
    },
    logs(reading, waiting, deleted_bytes) {
      logs.set({ source, state: 'read' }, reading);
      logs.set({ source, state: 'waiting' }, waiting);
      deleted.set({ source }, deleted_bytes);
    },
  };
}
