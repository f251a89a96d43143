import type { Server } from 'node:net';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { UsageError } from '../errors.ts';
import { listen, ListenError, tryListening } from './address.ts';

const AGAIN_MS = 100;
/** What goes before has so long to let go of its address, before anybody is told. */
const PATIENCE_MS = 5_000;

/** Whether a source of that name can listen there, before anything else is opened. Rejects with a UsageError when it cannot. */
export async function readyToListen(name: string, address: string): Promise<void> {
  try {
    await tryListening(address);
  } catch (error) {
    throw error instanceof ListenError ? new UsageError(`${name}: ${error.message}`, { cause: error }) : error;
  }
}

/**
 * Listens there, for a pipeline that runs already: where it cannot, it says so and goes on trying, since others may still have the address, and the pipeline goes on
 * without this listener. Undefined when `stop` aborts before.
 */
export async function listenAgain(
  server: Server,
  address: string,
  { clock, log, stop }: { readonly clock: Clock; readonly log: Log; readonly stop: AbortSignal },
): Promise<string | undefined> {
  const begun = clock.monotonic();
  let told = false;
  while (!stop.aborted) {
    try {
      return await listen(server, address);
    } catch (error) {
      if (!(error instanceof ListenError)) throw error;
      if (!told && clock.monotonic() - begun >= PATIENCE_MS) {
        told = true;
        log('error', `${error.message}; tried again until it can be had`);
      }
    }
    await clock.sleep(AGAIN_MS, stop);
  }
  return undefined;
}
