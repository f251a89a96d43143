import { Privacy } from './index.ts';
import type { PrivacyOptions } from './rules.ts';

/** Rules that one kind of event has beside those of the pipeline. */
export type KeyRules = Readonly<Record<'drop' | 'mask' | 'hash', readonly string[]>>;

/** The pipeline's rules, which `options` and `privacy` are, with those of some events; the same object where they have none. */
export function withRules(rules: readonly KeyRules[], options: PrivacyOptions, privacy: Privacy): Privacy {
  const all = { ...options };
  for (const rule of ['drop', 'mask', 'hash'] as const) {
    all[rule] = [...options[rule], ...rules.flatMap((each) => each[rule])];
  }
  const same = (['drop', 'mask', 'hash'] as const).every((rule) => all[rule].length === options[rule].length);
  return same ? privacy : new Privacy(all, privacy.tell);
}
