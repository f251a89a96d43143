import type { CheckItem } from '../../check/item.ts';
import { checkListener } from '../../listening/check.ts';
import type { TokenListenerOptions } from '../../listening/schema.ts';
import { prometheusOptions } from './schema.ts';

/** Whether metrics can be served at the address. The default gives way when it is taken. */
export async function checkMetrics(place: TokenListenerOptions, now_ms: number): Promise<CheckItem[]> {
  const items = await checkListener(place, now_ms, place.token_file);
  const gives_way = place.listen === prometheusOptions.properties.listen.default;
  return items.map((item) => {
    if (item.what !== 'address') return item;
    const todo = item.state === 'problem' ? 'use --metrics HOST:PORT or --metrics none' : item.todo;
    if (item.state !== 'problem' || !gives_way) return { ...item, todo };
    return { ...item, state: 'warning', found: `${item.found}: a run would go on without metrics`, todo };
  });
}
