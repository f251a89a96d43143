import type { Captured } from './dialects/flytekit/capture.ts';
import type { Failed } from './dialects/flytekit/fast.ts';
import type { Timing } from './dialects/flytekit/timing.ts';
import type { OpenStack } from './dialects/log/pending.ts';
import type { Origin, OriginFields, Origins } from './origin.ts';

/*
 * What a decoder has read and not yet made events of, as JSON: it stands in the position beside the offset, and so becomes durable with the rows. Whoever goes
 * on from the position begins with it, and its lines are never read again.
 */

/** Raised when the shape or the meaning of anything in it changes; not for a field that is new and may be absent. */
export const VERSION = 1;

/** Joins up to here are carried; past it the oldest are let go as events. Every record has its carry, so it costs what it is long each time. */
export const MOST_CARRIED = 1 << 20;

/** Not empty fields only. */
export type OriginCarry = { readonly [K in TextField]?: string | undefined } & {
  readonly labels?: [string, string][] | undefined;
  /** Kind and name. */
  readonly owner?: [string, string] | undefined;
  readonly env?: [string, string][] | undefined;
  readonly k8s_enriched?: boolean | undefined;
};

type TextField = Exclude<keyof OriginFields, 'labels' | 'owner' | 'env' | 'k8s_enriched'>;

/** A line that its runtime or agent cut. */
export interface PartialCarry {
  readonly origin: OriginCarry;
  readonly text: string;
  readonly length: number;
  readonly lines: number;
  readonly offset: number;
  readonly time: string;
}

/** A stack, a captured error and timings of one stream. */
export interface OpenCarry {
  readonly origin: OriginCarry;
  readonly offset: number;
  readonly stack?: OpenStack | undefined;
  readonly captured?: Captured | undefined;
  readonly timings?: Timing[] | undefined;
}

/** The steps of one stream that failed lately. */
export interface FailedCarry {
  readonly origin: OriginCarry;
  readonly failed: readonly Failed[];
}

export interface Carry {
  readonly v: typeof VERSION;
  readonly cut: readonly PartialCarry[];
  readonly recorded: readonly PartialCarry[];
  readonly open: readonly OpenCarry[];
  readonly failed: readonly FailedCarry[];
}

export function carryOf(parts: Omit<Carry, 'v'>): Carry {
  return { v: VERSION, ...parts };
}

/** What a stream takes in a carry beside its texts. */
export function originSize(origin: Origin): number {
  return carriedOrigin(origin).size;
}

/** The fields as they were asked for, before constants: only those lead back to the same origin. */
export function originCarry(origin: Origin): OriginCarry {
  return carriedOrigin(origin).carry;
}

interface Carried {
  readonly carry: OriginCarry;
  readonly size: number;
}

/** Made once: it stands in every position while something of its stream is open. */
const carried = new WeakMap<Origin, Carried>();

function carriedOrigin(origin: Origin): Carried {
  let known = carried.get(origin);
  if (known === undefined) {
    const { labels, owner, env, k8s_enriched, ...texts } = origin.given;
    const carry: OriginCarry = {
      ...Object.fromEntries(Object.entries(texts).filter(([, value]) => value !== '')),
      ...(labels.size === 0 ? {} : { labels: [...labels] }),
      ...(owner === undefined ? {} : { owner: [owner.kind, owner.name] }),
      ...(env.size === 0 ? {} : { env: [...env] }),
      ...(k8s_enriched === undefined ? {} : { k8s_enriched }),
    };
    known = { carry, size: 128 + JSON.stringify(carry).length };
    carried.set(origin, known);
  }
  return known;
}

export function originOf(carried: OriginCarry, origins: Origins): Origin {
  const { namespace = '', pod = '', pod_uid = '', container = '', node = '', stream = '' } = carried;
  const { labels = [], owner, env = [], k8s_enriched } = carried;
  return origins.of({
    namespace,
    pod,
    pod_uid,
    container,
    node,
    stream,
    labels: new Map(labels),
    owner: owner && { kind: owner[0], name: owner[1] },
    env: new Map(env),
    k8s_enriched,
  });
}
