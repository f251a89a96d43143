import { Counter } from '../../prom-client.ts';
import type { Table } from '../../batch.ts';
import { systemClock } from '../../clock.ts';
import { STORED, type Sink } from '../sink.ts';
import { StepDurations } from './durations.ts';
import { EventMetrics, type EventMetricsState } from './event-metrics.ts';
import { TaskErrors } from './errors.ts';
import { register, type TextMetric } from './registry.ts';
import { Resources, type ResourcesState } from './resources.ts';
import { bucketBounds, DEFAULT_BUCKETS, DEFAULT_MAX_SERIES, type PrometheusOptions, seriesBound } from './schema.ts';
import { Series, type SeriesState } from './series.ts';
import { TaskHistograms, type TasksState } from './tasks.ts';

export { StepRegistry } from './registry.ts';
export type { PrometheusOptions } from './schema.ts';

const TABLES: ReadonlySet<Table> = new Set(['steps', 'events', 'resources', 'tasks']);

/** What was counted so far. */
export interface PrometheusState {
  readonly buckets: readonly number[];
  readonly durations: SeriesState;
  readonly errors: SeriesState;
  /** Not in what an older steptap has kept. */
  readonly tasks?: TasksState;
  readonly resources?: ResourcesState;
  /** Absent where nothing was declared. */
  readonly events?: EventMetricsState;
}

/** The sink, whose counts can be kept over a restart. */
export interface PrometheusSink extends Sink {
  dump(): PrometheusState;
  /** Goes on from there. What was counted in other buckets, or under other labels, starts anew. To be called before the first `send`. */
  load(state: PrometheusState): void;
  /** Takes its metrics out of the registry, so that another sink can take their place. */
  unregister(): void;
}

/**
 * Observes steps and tasks in histograms, counts captured errors and shows what nodes say of themselves, for whoever scrapes `registry`.
 *
 * `send` is done when it returns: there is no other end that could refuse, be slow or answer in doubt, so every row that it was given is stored.
 * What it counts lives as long as the process, unless somebody keeps what `dump` gives. `close` leaves the metrics in the registry, for the last scrape.
 */
export function createPrometheusSink(options: PrometheusOptions): PrometheusSink {
  const { registry } = options;
  const max_series = seriesBound(options.max_series ?? DEFAULT_MAX_SERIES);
  const bounds = bucketBounds(options.buckets ?? DEFAULT_BUCKETS);
  const steps = new Set(options.steps);
  const user = options.labels ?? [];

  const durations = new StepDurations(
    new Series({
      labels: ['step', 'status', 'project', 'domain', 'task', ...(options.workflow_label ? ['workflow' as const] : [])],
      user,
      // What a user named may have any values: it goes first.
      fold: [...user, 'step', 'task', ...(options.workflow_label ? ['workflow'] : [])],
      max_series,
      steps,
      width: bounds.length + 2,
    }),
    bounds,
  );
  const errors = new TaskErrors(
    new Series({
      labels: ['error_kind', 'root_error_type', 'project', 'domain', 'task'],
      // A class is whatever a trace says, a task was registered: the class goes first.
      fold: ['root_error_type', 'task'],
      max_series,
      steps,
      width: 1,
    }),
  );
  const tasks = new TaskHistograms(bounds, max_series);
  const resources = new Resources(max_series, options.clock ?? systemClock);
  const events = options.events === undefined ? undefined : new EventMetrics(options.events, max_series);
  const counted = [durations, errors, tasks.phases, tasks.overhead, ...resources.counters, ...(events?.metrics ?? [])];
  const metrics = [...counted, ...resources.gauges];
  for (const metric of metrics) register(registry, metric);
  const overflow = overflowCounter(options, [
    ...counted.map(({ name, series }): Folding => ({ name, labels: series.labels, folded: series.folded })),
    ...resources.gauges,
  ]);

  return {
    name: 'prometheus',
    tables: TABLES,
    async open() {},
    async send(part) {
      if (part.table === 'steps') durations.observe(part);
      else if (part.table === 'events') {
        errors.count(part);
        events?.observe(part);
      } else if (part.table === 'tasks') tasks.observe(part);
      else resources.take(part);
      overflow();
      return STORED;
    },
    describe: () => `Prometheus metrics of steps, errors, tasks and nodes, at most ${max_series} series each`,
    async close() {},
    unregister() {
      for (const { name } of metrics) registry.removeSingleMetric(name);
    },
    dump: () => ({
      buckets: [...bounds],
      durations: durations.series.dump(),
      errors: errors.series.dump(),
      tasks: tasks.dump(),
      resources: resources.dump(),
      ...(events === undefined ? {} : { events: events.dump() }),
    }),
    load(state) {
      const same = state.buckets.join() === bounds.join();
      if (same) durations.series.load(state.durations);
      errors.series.load(state.errors);
      if (state.tasks !== undefined) tasks.load(state.tasks, same);
      if (state.resources !== undefined) resources.load(state.resources);
      if (state.events !== undefined) events?.load(state.events);
    },
  };
}

/** What had no room, by label. */
type Folding = Pick<TextMetric, 'name'> & Pick<Series, 'labels' | 'folded'>;

/** Registers `steptap_label_overflow_total`, from 0 for every label. The function adds what was folded since it was last called. */
function overflowCounter(options: PrometheusOptions, metrics: readonly Folding[]): () => void {
  const name = 'steptap_label_overflow_total';
  const known = options.registry.getSingleMetric(name) as Counter<'metric' | 'label'> | undefined;
  const counter =
    known ??
    new Counter<'metric' | 'label'>({
      name,
      help: 'Observations whose label value became __other__: too long, not in the list of steps, or past max_series; of gauges, values that had no room.',
      labelNames: ['metric', 'label'],
      registers: [options.registry],
    });
  const add = (metric: string, label: string, observations: number): void =>
    counter.inc({ metric, label }, observations);
  for (const { name, labels } of metrics) for (const label of labels) add(name, label, 0);
  return () => {
    for (const { name, labels, folded } of metrics) {
      for (const [n, label] of labels.entries()) if (folded[n]! > 0) add(name, label, folded[n]!);
      folded.fill(0);
    }
  };
}
