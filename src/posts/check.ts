import type { CheckItem } from '../check/item.ts';
import { checkListener } from '../listening/check.ts';
import type { ListenerOptions } from '../listening/schema.ts';
import { HAS_ZSTD } from './body.ts';
import { NO_ZSTD } from './source.ts';

/** Whether requests could be taken there, and what they may be compressed with. */
export async function checkPosts(options: ListenerOptions, now_ms: number, secret_file?: string): Promise<CheckItem[]> {
  const item = { what: 'encodings', where: '' };
  const encodings: CheckItem = HAS_ZSTD
    ? { ...item, state: 'ok', found: 'gzip, zstd, or none' }
    : { ...item, state: 'warning', found: NO_ZSTD, todo: 'see to it that no sender has compress zstd' };
  return [...(await checkListener(options, now_ms, secret_file)), encodings];
}
