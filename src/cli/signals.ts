import { closeSync, openSync } from 'node:fs';
import type { Log } from '../log.ts';

/** The first SIGTERM or SIGINT ends the reading, a second one the process. SIGHUP asks for a reload where there is a pipeline to be read again. */
export function onSignals(log: Log, leave: () => unknown, reload: (() => void) | undefined): AbortSignal {
  const stop = new AbortController();
  const handle = (signal: NodeJS.Signals): void => {
    if (stop.signal.aborted) {
      leave();
      process.exit(1);
    }
    log('info', `stopping on ${signal}: delivering what was read; once more to leave at once`);
    stop.abort();
  };
  const terminal = hasTerminal();
  process.on('SIGTERM', handle);
  process.on('SIGINT', handle);
  process.on('SIGHUP', (signal) => {
    // It also comes when the terminal was closed.
    if (reload === undefined || (terminal && !hasTerminal())) handle(signal);
    else reload();
  });
  return stop.signal;
}

/** True while the process has a terminal that it could talk to. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
