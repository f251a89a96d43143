import type { Clock } from '../../clock.ts';
import type { Part } from '../sink.ts';
import { SeriesCounter } from './counter.ts';
import { Gauge, Moment, type GaugeState } from './gauge.ts';
import { labelOf, parsedRows, type ParsedRow } from './parsed.ts';
import { Series, type SeriesState } from './series.ts';

const NODE = ['node', 'backend'];
const GAUGES = {
  cpu_percent: ['steptap_node_cpu_percent', 'CPU use of a node; more than 100 where its backend counts cores.'],
  memory_percent: ['steptap_node_memory_percent', 'Memory use of a node.'],
  gpu_percent: ['steptap_node_gpu_percent', 'GPU use of a node, its devices taken together.'],
} as const;
const COUNTERS = {
  disk_read_bytes: ['steptap_node_disk_read_bytes_total', 'Bytes that a node has read from its disks.'],
  disk_write_bytes: ['steptap_node_disk_write_bytes_total', 'Bytes that a node has written to its disks.'],
  net_sent_bytes: ['steptap_node_net_sent_bytes_total', 'Bytes that a node has sent.'],
  net_recv_bytes: ['steptap_node_net_recv_bytes_total', 'Bytes that a node has received.'],
} as const;

export interface ResourcesState {
  /** By the name of the metric. */
  readonly gauges: Readonly<Record<string, GaugeState>>;
  readonly counters: Readonly<Record<string, SeriesState>>;
}

/** What nodes and devices say of themselves: percentages as gauges, bytes since the poll before added up. A node's own figure and those of its devices are different metrics. */
export class Resources {
  readonly gauges: readonly Gauge[];
  readonly counters: readonly SeriesCounter[];
  readonly #nodes: ReadonlyMap<string, Gauge>;
  readonly #device: Gauge;
  readonly #bytes: ReadonlyMap<string, SeriesCounter>;

  constructor(max_series: number, clock: Pick<Clock, 'wall'>) {
    const moment = new Moment(clock);
    this.#nodes = new Map(
      Object.entries(GAUGES).map(([field, [name, help]]) => [field, new Gauge(name, help, NODE, max_series, moment)]),
    );
    this.#device = new Gauge('steptap_gpu_percent', 'Use of a GPU.', ['node', 'gpu'], max_series, moment);
    this.#bytes = new Map(
      Object.entries(COUNTERS).map(([field, [name, help]]) => {
        const series = new Series({ labels: NODE, fold: ['node'], max_series, steps: new Set(), width: 1 });
        return [field, new SeriesCounter(name, `${help} Label values without room are __other__.`, series)];
      }),
    );
    this.gauges = [...this.#nodes.values(), this.#device];
    this.counters = [...this.#bytes.values()];
  }

  take(part: Part): void {
    for (const row of parsedRows(part)) {
      const node = labelOf(row, 'node_id') || labelOf(row, 'node');
      const ts_ms = Date.parse(labelOf(row, 'ts'));
      if (row['resource_scope'] === 'per_gpu')
        this.#device.set([node, labelOf(row, 'gpu_id')], row['gpu_percent'], ts_ms);
      else this.#node(row, [node, labelOf(row, 'backend')], ts_ms);
    }
  }

  #node(row: ParsedRow, labels: readonly string[], ts_ms: number): void {
    for (const [field, gauge] of this.#nodes) gauge.set(labels, row[field], ts_ms);
    for (const [field, counter] of this.#bytes) counter.add(labels, row[field]);
  }

  dump(): ResourcesState {
    return {
      gauges: Object.fromEntries(this.gauges.map((gauge) => [gauge.name, gauge.dump()])),
      counters: Object.fromEntries(this.counters.map(({ name, series }) => [name, series.dump()])),
    };
  }

  load({ gauges, counters }: ResourcesState): void {
    for (const gauge of this.gauges) gauge.load(gauges[gauge.name] ?? []);
    for (const { name, series } of this.counters) if (counters[name] !== undefined) series.load(counters[name]);
  }
}
