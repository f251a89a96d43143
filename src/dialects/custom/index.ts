import type { Privacy } from '../../privacy/index.ts';
import type { PrivacyOptions } from '../../privacy/rules.ts';
import type { Emit } from '../dialect.ts';
import type { Times } from '../when.ts';
import { Custom } from './custom.ts';
import { EventError } from './event-error.ts';
import { compileEvent, type CustomEvent } from './event.ts';
import { MOST_LABELS } from './labels.ts';
import { checkReachable, Matches } from './match.ts';
import type { EventOptions } from './schema.ts';

export { EventError } from './event-error.ts';
export { eventOptions, type EventOptions } from './schema.ts';

/** The events that a user described. */
export interface CustomEvents {
  /** In the order of the file. */
  readonly events: readonly CustomEvent[];
  readonly matches: Matches<CustomEvent>;
  /** Labels of the histogram, of all events together: what the Prometheus sink is to be given. */
  readonly labels: readonly string[];
  /** True when a key of any is to be hashed: then the pipeline's privacy has to have a `hash_key`. */
  readonly hashes: boolean;
  /** The dialect, for one source; undefined when there are no events. So a run without them loads nothing of it. */
  dialect(options: PrivacyOptions, privacy: Privacy, times: Times, emit: Emit): Custom | undefined;
}

/** Throws an EventError for what `eventOptions`, which they must satisfy, cannot say. */
export function compileEvents(options: Readonly<Record<string, EventOptions>>): CustomEvents {
  const events = Object.entries(options).map(([name, each], order) => compileEvent(name, order, each));
  checkReachable(events);
  const labels = new Set<string>();
  for (const { name, labels: own } of events) {
    for (const { label } of own) labels.add(label);
    if (labels.size > MOST_LABELS) {
      throw new EventError(
        [name, 'labels'],
        `make more than ${MOST_LABELS} labels, with those of the events before; leave some out`,
      );
    }
  }
  const custom: CustomEvents = {
    events,
    matches: new Matches(events),
    // In an order that does not change with that of the events: the histogram would start anew.
    labels: [...labels].sort(),
    hashes: events.some(({ privacy }) => privacy.hash.length > 0),
    dialect: (...parts) => (events.length === 0 ? undefined : new Custom(custom, ...parts)),
  };
  return custom;
}
