import type { PipelineConfig } from '../config/schema.ts';
import { readHashKey } from '../privacy/secret.ts';
import type { PrivacyOptions } from '../privacy/rules.ts';

/**
 * What a pipeline and the command line say about personal data. The secret of `hash` is never an argument, which others can see; `hashes`: something else
 * needs it too.
 */
export function privacyRules(
  said: NonNullable<PipelineConfig['privacy']>,
  environment: Readonly<Record<string, string | undefined>>,
  hashes = false,
): PrivacyOptions {
  const { params = 'none', attributes = 'all', drop = [], mask = [], hash = [], hash_key } = said;
  return {
    params: allowed(params),
    attributes: allowed(attributes),
    drop,
    mask,
    hash,
    hash_key: hash.length === 0 && !hashes ? undefined : (hash_key ?? readHashKey(environment)),
    keep_raw: said.dead_letters_keep_raw ?? false,
  };
}

function allowed(said: string | readonly string[]): 'all' | readonly string[] {
  if (said === 'all') return 'all';
  return typeof said === 'string' ? [] : said;
}
