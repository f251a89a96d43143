import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { OVER, type Clock } from '../clock.ts';
import { version } from '../version.ts';
import type { Place, Wanted } from './feed.ts';
import type { LiveEvent, Missed, Subscription } from './subscription.ts';

/** Something is sent so often, so that both ends know that the other is there. */
export const HEARTBEAT_MS = 15_000;
/** Who does not take what was sent for so long is sent away. */
const PATIENCE_MS = 30_000;

export const EVENT_STREAM = 'text/event-stream; charset=utf-8';

/**
 * Sends a reader its events, until it leaves, does not read any more, or the subscription is over. The first is `hello`, which says behind which record they begin: nothing
 * before it is sent again, whatever `Last-Event-ID` asks for. The last is `end`, which says whether events were cut off that waited.
 */
export async function stream(
  response: ServerResponse,
  subscription: Subscription,
  { after, wanted, clock }: { readonly after: Place; readonly wanted: Wanted; readonly clock: Clock },
): Promise<void> {
  response.once('close', () => subscription.close());
  response.writeHead(200, { 'content-type': EVENT_STREAM, 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
  const { tables, filter } = wanted;
  const hello = { version, after: `${after.src}-${after.seq}`, tables: [...tables], filter: filter?.toString() };
  let text = message('hello', JSON.stringify(hello));
  for (;;) {
    if (!response.write(text) && !(await drained(response, clock))) {
      response.destroy();
      return;
    }
    const items = await subscription.take(HEARTBEAT_MS);
    if (items === undefined) break;
    text = items.length === 0 ? ':\n\n' : items.map(written).join('');
  }
  response.end(message('end', JSON.stringify({ cut: subscription.cut })));
}

function written(item: LiveEvent | Missed): string {
  if ('missed' in item) return message('dropped', JSON.stringify({ count: item.missed }));
  return `id: ${item.id}\n${message(item.kind, item.row)}`;
}

/** What stands in a row is on one line already: JSON escapes the ends of lines. A kind is anybody's. */
function message(kind: string, data: string): string {
  return `event: ${kind.replace(/[\r\n\0]/g, ' ')}\ndata: ${data}\n\n`;
}

/** False when it took too long, or the reader is gone. */
async function drained(response: ServerResponse, clock: Clock): Promise<boolean> {
  const over = new AbortController();
  const gone = once(response, 'close', { signal: over.signal }).then(() => false);
  const taken = once(response, 'drain', { signal: over.signal }).then(() => true);
  const late = clock.sleep(PATIENCE_MS, over.signal).then(() => false);
  const first = await Promise.race([gone, taken, late]);
  for (const each of [gone, taken]) each.catch(() => {});
  over.abort(OVER);
  return first;
}
