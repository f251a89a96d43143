import { readHashKey } from '../privacy/secret.ts';
import type { PrivacyOptions } from '../privacy/rules.ts';
import { list } from './options.ts';

/** Of `steptap run`. */
export interface PrivacyFlags {
  params: string;
  attributes: string;
  drop: string;
  mask: string;
  hash: string;
  deadLettersKeepRaw: boolean;
}

/** What the options about personal data say; the secret of `--hash` is in the environment, never in an argument that others can see. */
export function privacyOptions(
  flags: PrivacyFlags,
  environment: Readonly<Record<string, string | undefined>>,
): PrivacyOptions {
  const hash = list(flags.hash);
  return {
    params: allowed(flags.params),
    attributes: allowed(flags.attributes),
    drop: list(flags.drop),
    mask: list(flags.mask),
    hash,
    hash_key: hash.length === 0 ? undefined : readHashKey(environment),
    keep_raw: flags.deadLettersKeepRaw,
  };
}

function allowed(text: string): 'all' | string[] {
  return text === 'all' ? 'all' : list(text);
}
