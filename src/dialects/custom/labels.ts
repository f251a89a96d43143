import { EventError } from './event-error.ts';
import { keyOf, type Key } from './key.ts';
import type { EventOptions, Kind } from './schema.ts';

/** Labels that the histogram has: steptap's own, and the bound of a bucket. */
const TAKEN = new Set(['step', 'status', 'project', 'domain', 'task', 'workflow', 'le']);
/** Of all events together. A series takes a bit of 31 for each label, so that 14 leave room for 131,071 series. */
export const MOST_LABELS = 8;

/** A label's value, under its name, where it is read. */
export interface LabelField {
  readonly label: string;
  readonly key: Key;
}

export function compileLabels(labels: EventOptions['labels'], kind: Kind, path: readonly string[]): LabelField[] {
  const compiled: LabelField[] = [];
  (labels ?? []).forEach((said, n) => {
    const at = [...path, n];
    const [label, key] = typeof said === 'string' ? [said, said] : Object.entries(said)[0]!;
    const say = (message: string): never => {
      throw new EventError(at, `${label} ${message}`);
    };
    if (kind !== 'step')
      throw new EventError(path, 'are of the histogram of steps: set kind to step, or leave them out');
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(label) || label.startsWith('__')) {
      say('is no name of a Prometheus label: use letters, digits and _, as in `- model_name: model.name`');
    }
    if (TAKEN.has(label)) say(`is a label already; give the key ${key} another name, as in \`- my_${label}: ${key}\``);
    if (compiled.some((other) => other.label === label)) say('stands here twice');
    compiled.push({ label, key: keyOf(key) });
  });
  return compiled;
}
