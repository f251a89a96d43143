import type { Tuple } from '../../batch.ts';

/** Labels are fields of the tuple, under their own names. Never an execution or a pod: those have no end. */
export type Label = Exclude<keyof Tuple, 'id' | 'dialect' | 'kind' | 'reason' | 'user'>;

/** What stands for a value that was folded away. */
export const OTHER = '__other__';

/** Longer values are not names: a step called by a whole URI or a stack trace. */
const LONGEST_LABEL_CHARACTERS = 128;

/**
 * Half of a UTF-16 pair, which JSON can spell and UTF-8 cannot: two different values would come out as the same U+FFFD, and a scrape
 * with the same series twice is refused.
 */
const LONE_SURROGATE = /\p{Surrogate}/u;

/** True when a value may be a label at all. */
export function isLabelValue(value: string): boolean {
  return value.length <= LONGEST_LABEL_CHARACTERS && !LONE_SURROGATE.test(value);
}

/** `step="fit",status="success"`, escaped as the text format wants it: equal texts are equal label sets, and only they. */
export function labelText(labels: readonly string[], values: readonly string[]): string {
  let text = '';
  for (let n = 0; n < labels.length; n++) text += `${n === 0 ? '' : ','}${labels[n]}="${escaped(values[n]!)}"`;
  return text;
}

const TO_ESCAPE = /[\\\n"]/;

function escaped(value: string): string {
  if (!TO_ESCAPE.test(value)) return value;
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}
