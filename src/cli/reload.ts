import { unwatchFile, watchFile } from 'node:fs';
import { UsageError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Running } from './running.ts';
import type { Settings } from './settings.ts';

/** How often the files of a pipeline are looked at. Watching would miss a ConfigMap, which changes by a link in another directory. */
const LOOK_MS = 1_000;

/**
 * Reads the pipeline again when one of its files changes, or when `now` is called: a valid one takes over between two batches, an invalid one is refused, with the
 * error that it would have at the start, and the old one goes on. `now` is undefined where no file says what the pipeline is.
 */
export function reloads(
  running: Running,
  read: () => Settings,
  log: Log,
): { readonly now: (() => void) | undefined; end(): void } {
  if (running.settings.pipeline.files.length === 0) return { now: undefined, end() {} };
  let watched: readonly string[] = [];
  let working: Promise<void> = Promise.resolve();
  let ended = false;
  /** What was refused last: it is not refused again until it changes. */
  let refused = '';

  const look = (): void => {
    working = working.then(() => reload('a file of the pipeline has changed', false));
  };
  const watch = (files: readonly string[]): void => {
    for (const file of watched) if (!files.includes(file)) unwatchFile(file, look);
    for (const file of files)
      if (!watched.includes(file)) watchFile(file, { interval: LOOK_MS, persistent: false }, look);
    watched = files;
  };
  const reload = async (why: string, asked: boolean): Promise<void> => {
    if (ended) return;
    try {
      const settings = read();
      watch(settings.pipeline.files);
      if (!asked && settings.pipeline.text === running.settings.pipeline.text) return;
      await running.become(settings);
      refused = '';
      log('info', `${why}: the new pipeline has taken over`);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      if (asked || refused !== error.message)
        log('error', `${why}, and is refused; the old one goes on: ${error.message}`);
      refused = error.message;
    }
  };

  watch(running.settings.pipeline.files);
  return {
    now() {
      working = working.then(() => reload('the pipeline was read again', true));
    },
    end() {
      ended = true;
      watch([]);
    },
  };
}
