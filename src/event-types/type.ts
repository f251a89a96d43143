import type { Expression } from '../expression/index.ts';
import type { KeyRules } from '../privacy/with-rules.ts';
import type { FieldType } from './schema.ts';
import type { TypedValue } from './value.ts';

/** One field of an event type. */
export interface TypedField {
  readonly name: string;
  readonly type: FieldType;
  /** Of the table `events`. */
  readonly column: string;
  readonly required: boolean;
  /** What stands for it where a line has not got it. */
  readonly fallback: TypedValue;
  /** `''` where nothing is said. */
  readonly description: string;
  readonly unit: string;
}

export interface Condition {
  readonly name: string;
  readonly text: string;
  readonly expression: Expression;
}

/** One type of event, with what it has of those that it extends. */
export interface EventType {
  readonly name: string;
  readonly description: string;
  /** Those of the type that it extends come first. */
  readonly fields: readonly TypedField[];
  readonly conditions: readonly Condition[];
  readonly privacy: KeyRules;
  readonly histogram: EventHistogram | undefined;
}

/** A histogram of one field of one type, as plain data: equal ones are equal as JSON. */
export interface EventHistogram {
  /** Of the metric. */
  readonly name: string;
  readonly help: string;
  readonly event: string;
  readonly column: string;
  /** Absent: those of the steps. */
  readonly buckets?: readonly number[];
  /** Label and the column that it is read from. */
  readonly labels: readonly (readonly [label: string, column: string])[];
}

/** What the Prometheus sink counts of declared events. */
export interface EventMetricsOptions {
  readonly histograms: readonly EventHistogram[];
  /** Names of the conditions, by event. */
  readonly conditions: readonly (readonly [event: string, names: readonly string[]])[];
}
