import { createServer } from 'node:http';
import type { Clock } from '../clock.ts';
import { errorCode } from '../errors.ts';
import { closeNow } from '../listening/http.ts';
import { LiveEvents } from '../live/endpoint.ts';
import type { Feed } from '../live/feed.ts';
import type { Log } from '../log.ts';
import { listenAlone, socketPath } from './socket.ts';

export interface TailServer {
  close(): Promise<void>;
}

/** Where `steptap tail` finds the run that has a state. */
export const tailSocket = (state: string): string => socketPath(state, 'tail.sock');

/** Shows the events of a run to its owner, as `/events` does. A run goes on without it where the directory can have no socket. The caller holds the lock of `state`. */
export async function serveTail(state: string, feed: Feed, clock: Clock, log: Log): Promise<TailServer | undefined> {
  const events = new LiveEvents(feed, clock, false);
  const server = createServer((request, response) => events.answer(request, response));
  try {
    await listenAlone(server, tailSocket(state));
  } catch (error) {
    log('warning', `steptap tail cannot see this run: no socket in ${state} (${errorCode(error) ?? 'unknown error'})`);
    return undefined;
  }
  return {
    async close() {
      await events.close();
      await closeNow(server);
    },
  };
}
