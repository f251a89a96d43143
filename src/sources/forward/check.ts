import type { CheckItem } from '../../check/item.ts';
import { UsageError } from '../../errors.ts';
import { checkListener } from '../../listening/check.ts';
import { doorOf, type ForwardSourceOptions } from './index.ts';
import { FORWARD_DEFAULTS } from './schema.ts';

/** Whether messages could be taken there, and from whom. */
export async function checkForward(options: ForwardSourceOptions, now_ms: number): Promise<CheckItem[]> {
  const items = await checkListener({ ...FORWARD_DEFAULTS, ...options }, now_ms, options.shared_key_file);
  return [...items, peersItem(options)];
}

function peersItem(options: ForwardSourceOptions): CheckItem {
  const item = { what: 'peers', where: '' };
  try {
    const door = doorOf(options, { log: () => {} });
    const known = options.users?.map(({ username }) => username).join(', ');
    const found = known === undefined ? 'whoever has the key' : `with the key: ${known}`;
    return { ...item, state: 'ok', found: door === undefined ? 'whoever can reach it' : found };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const [found = '', todo] = error.message.split(': ');
    return { ...item, state: 'problem', found, todo };
  }
}
