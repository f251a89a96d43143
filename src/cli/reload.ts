import { unwatchFile, watchFile } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { KEYS } from '../config/check.ts';
import { readFiles } from '../config/load.ts';
import { UsageError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Running } from './running.ts';
import type { Settings } from './settings.ts';

/** How often the files of a pipeline are looked at. Watching would miss a ConfigMap, which changes by a link in another directory. */
const LOOK_MS = 1_000;

export interface Reloads {
  /** Undefined where no file says what the pipeline is. */
  readonly now: (() => void) | undefined;
  /** Resolves when no change is under way. */
  end(): Promise<void>;
}

/**
 * Reads the pipeline again when one of its files changes, or at once when `now` is called: a valid one takes over between two batches, an invalid one is refused,
 * with the error that it would have at the start, and the old one goes on. A file that changes is left alone until it stays as it is: half of a pipeline may be one,
 * too, without its rules for personal data.
 */
export function reloads(running: Running, read: () => Settings, log: Log): Reloads {
  if (running.settings.pipeline.files.length === 0) return { now: undefined, async end() {} };
  const over = new AbortController();
  let watched: readonly string[] = [];
  let working: Promise<void> = Promise.resolve();
  /** What was refused last: it is not refused again until it changes. */
  let refused = '';

  const look = (): void => {
    working = working.then(async () => {
      await settled(() => readFiles(watched), over.signal);
      await reload('a file of the pipeline has changed', false);
    });
  };
  const watch = (files: readonly string[]): void => {
    const added = files.filter((file) => !watched.includes(file));
    for (const file of watched) if (!files.includes(file)) unwatchFile(file, look);
    for (const file of added) watchFile(file, { interval: LOOK_MS, persistent: false }, look);
    watched = files;
    // It may have changed since it was read.
    if (added.length > 0) look();
  };
  const reload = async (why: string, asked: boolean): Promise<void> => {
    if (over.signal.aborted) return;
    try {
      const settings = read();
      watch(settings.pipeline.files);
      const before = running.settings;
      if (!asked && settings.pipeline.text === before.pipeline.text) {
        refused = '';
        return;
      }
      await running.become(settings);
      // It ends, and says why.
      if (running.failure !== undefined) return;
      refused = '';
      const changed = changes(before, settings);
      log('info', `${why}: the new pipeline has taken over${changed === '' ? '' : `; other than before: ${changed}`}`);
    } catch (error) {
      const { message, stack } = error as Error;
      if (error instanceof UsageError && error.files.length > 0) watch(error.files);
      const told = error instanceof UsageError ? message : (stack ?? message);
      if (asked || refused !== message) log('error', `${why}, and is refused; the old one goes on: ${told}`);
      refused = message;
    }
  };

  watch(running.settings.pipeline.files);
  return {
    now() {
      working = working.then(() => reload('the pipeline was read again', true));
    },
    async end() {
      over.abort('over');
      await working;
      watch([]);
    },
  };
}

/** Resolves when the files say the same in two looks. */
async function settled(texts: () => string, signal: AbortSignal): Promise<void> {
  for (let before = ''; !signal.aborted;) {
    const now = texts();
    if (now === before) return;
    before = now;
    await sleep(LOOK_MS, undefined, { signal, ref: false }).catch(() => {});
  }
}

/** The sections in which two pipelines are not the same, and the sinks and sources by their names. */
function changes({ config: before }: Settings, { config: after }: Settings): string {
  const names: string[] = [];
  const compare = (path: string, a: unknown, b: unknown): void => {
    if (JSON.stringify(a) !== JSON.stringify(b)) names.push(path);
  };
  for (const section of KEYS) {
    if (section !== 'sources' && section !== 'sinks') compare(section, before[section], after[section]);
  }
  for (const section of ['sources', 'sinks'] as const) {
    const [old, now] = [before[section] ?? {}, after[section] ?? {}];
    for (const name of new Set([...Object.keys(old), ...Object.keys(now)])) {
      compare(`${section}.${name}`, old[name], now[name]);
    }
  }
  return names.join(', ');
}
