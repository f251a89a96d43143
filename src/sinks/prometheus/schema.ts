import type { Registry } from 'prom-client';
import type { Clock } from '../../clock.ts';
import type { EventMetricsOptions } from '../../event-types/type.ts';
import { listenerProperties, tokenProperties } from '../../listening/schema.ts';

/** What a pipeline can say of the metrics. */
export const prometheusOptions = {
  type: 'object',
  description:
    "Serves histograms of steps and tasks, counts of captured errors, what nodes say of themselves and steptap's own metrics on `/metrics`, with `/healthz` and `/readyz`.",
  additionalProperties: false,
  properties: {
    listen: {
      type: 'string',
      description:
        'Address: `host:port`, `:port` for every address, or `none`. One that other machines can reach needs `tls` and `token_file`, or `insecure`. The default gives way when it is taken.',
      default: '127.0.0.1:9464',
      minLength: 1,
      examples: [':9464', 'none'],
    },
    ...listenerProperties,
    ...tokenProperties,
    events: {
      type: 'boolean',
      description:
        'Shows the events themselves on `/events` as they are stored, as server-sent events, also what log lines say, to whom `/metrics` is told. By default only at an address of this machine, and there with a token, certificates of clients, or on a socket (`unix:/path`): else every user of the machine could read them. An address that other machines can reach needs one of them for it, whatever `insecure` says.',
    },
    steps: {
      type: 'array',
      description: 'The only values of the label `step`; others become `__other__`. Empty: any, up to `max_series`.',
      items: { type: 'string', minLength: 1 },
      default: [],
    },
    workflow_label: {
      type: 'boolean',
      description: 'Adds the label `workflow` to the histogram of steps.',
      default: false,
    },
    max_series: {
      type: 'integer',
      description: 'Series that a metric may have, whatever the labels say.',
      default: 5_000,
      minimum: 1,
      maximum: 1_000_000,
    },
    buckets: {
      type: 'array',
      description: 'Upper bounds of the histograms of seconds, ascending; the default goes from 1 ms to a day.',
      items: { type: 'number', exclusiveMinimum: 0 },
      minItems: 1,
      maxItems: 100,
    },
  },
} as const;

/** Options of the Prometheus sink. */
export interface PrometheusOptions {
  /** Where the metrics are registered. A StepRegistry renders them five times faster than prom-client's own. */
  readonly registry: Registry;
  /** By which nodes fall silent; else that of the process. */
  readonly clock?: Pick<Clock, 'wall'> | undefined;
  /** Adds the label `workflow` to the step histogram. Off by default: it multiplies the series. */
  readonly workflow_label: boolean;
  /** Further labels of the step histogram: attributes of custom steps. At most 8, none of them one that it has. */
  readonly labels?: readonly string[] | undefined;
  /** Histograms and conditions of declared events. */
  readonly events?: EventMetricsOptions | undefined;
  /** The values that the label `step` may have; any other becomes `__other__`. Empty: any, up to the bound. */
  readonly steps: readonly string[];
  /** Series a metric may have, whatever the labels say. */
  readonly max_series?: number | undefined;
  /** Upper bounds of the buckets of seconds, ascending, without +Inf. */
  readonly buckets?: readonly number[] | undefined;
}

export const DEFAULT_MAX_SERIES = 5_000;

/**
 * 1 ms to a day. Steps of one task range from a metadata call to a training run, and a bucket cannot be added later without
 * starting the counts anew, so the range is wide from the start. Up to 10 s the 1-2.5-5 ladder that dashboards know; above, the times
 * at which people set alerts (30 s, 1 min, ... 1 h, a day), at most four times apart. 24 bounds are 27 lines a series,
 * of which 1,000 are about 4 MB a scrape.
 */
export const DEFAULT_BUCKETS: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200,
  14400, 43200, 86400,
];

/** The bounds as an array for the hot loop. Throws when they are not finite and ascending. */
export function bucketBounds(buckets: readonly number[]): Float64Array {
  const ascending = buckets.every((bound, n) => Number.isFinite(bound) && (n === 0 || bound > buckets[n - 1]!));
  if (buckets.length === 0 || !ascending) {
    throw new Error(`prometheus: buckets are [${buckets.join(', ')}]; give finite seconds, each larger than the last`);
  }
  return Float64Array.from(buckets);
}

/** Throws when the bound is not a whole number from 1. */
export function seriesBound(max_series: number): number {
  if (Number.isSafeInteger(max_series) && max_series > 0) return max_series;
  throw new Error(`prometheus: max_series is ${max_series}; give a whole number from 1`);
}
