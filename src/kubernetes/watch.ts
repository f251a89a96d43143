import type { Clock } from '../clock.ts';
import { pause, type Backoff } from '../delivery/backoff.ts';
import type { Log } from '../log.ts';
import { ApiError, refused, unreadable } from './api-error.ts';
import type { PodCache } from './cache.ts';
import type { ApiClient } from './client.ts';
import { mappingOf } from './lines.ts';
import type { Pod } from './pod.ts';
import { metadataOf, pageOf, podsPath } from './pod-list.ts';

const PAGE = 500;
/** A watch ends by itself after 300 s, less or more, so that a thousand nodes do not come back at once. */
const LEAST_WATCH_S = 270;
const WATCH_SPREAD_S = 60;
/** A bookmark comes about every minute: a watch with nothing at all may hang on a connection that is none any more. */
const WATCH_SILENCE_MS = 75_000;
/** A watch that ended sooner and brought nothing is a failure: else it would be asked for in a loop. */
const LEAST_MS = 1_000;
const FORBIDDEN_MS = 300_000;
/** Failures in a row: of the first nobody needs to hear, and after some the version that is watched from may be to blame. */
const TOLD_AFTER = 3;
const RELIST_AFTER = 5;

export interface PodWatchOptions {
  readonly client: ApiClient;
  readonly cache: PodCache;
  /** Only pods of this node; of all, where it is undefined. */
  readonly node: string | undefined;
  /** The pod in an object of the API; undefined when it is none. */
  readonly read: (object: unknown, signal: AbortSignal) => Promise<Pod | undefined>;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
}

/**
 * Keeps a cache as the API is. All pods are listed, and from the version of that list watched; a watch that ends goes on from the last version that was heard
 * of, also by a bookmark. When that version is forgotten (410), or an answer makes no sense, they are listed anew, and what is missing is deleted. A failure is
 * followed by a pause with backoff, one for want of rights by five minutes. What is known stays known meanwhile.
 */
export class PodWatch {
  readonly #options: PodWatchOptions;
  readonly #backoff: Backoff;
  /** Undefined: they have to be listed. */
  #version: string | undefined;
  #page = PAGE;
  #failures = 0;
  #synced = false;
  /** The trouble that was told of and is not over. */
  #told: 'failing' | 'forbidden' | undefined;

  constructor(options: PodWatchOptions) {
    this.#options = options;
    this.#backoff = { base_ms: 1_000, cap_ms: 30_000, random: options.random };
  }

  /** Resolves when the signal aborts, and only then. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        this.#version ??= await this.#list(signal);
        await this.#watch(signal);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (!signal.aborted) await this.#fail(error, signal);
      }
    }
  }

  async #list(signal: AbortSignal): Promise<string> {
    const { cache, read } = this.#options;
    const seen = new Set<string>();
    let version: string | undefined;
    for (let next = ''; version === undefined || next !== '';) {
      const page = pageOf(await this.#nextPage(next, signal));
      if (page === undefined) throw this.#unreadable('no list of pods');
      for (const item of page.items) {
        const pod = await read(item, signal);
        if (pod === undefined) throw this.#unreadable('a list with something that is no pod');
        cache.put(pod);
        seen.add(pod.uid);
      }
      // The first: what has changed since is then heard again, and nothing is missed.
      version ??= page.version;
      next = page.next;
    }
    cache.retain(seen);
    return version;
  }

  /** Smaller pages where pods are so large that one of the usual size is refused. */
  async #nextPage(next: string, signal: AbortSignal): Promise<Record<string, unknown>> {
    const { client, node } = this.#options;
    for (;;) {
      try {
        const path = podsPath(node, { limit: String(this.#page), ...(next === '' ? {} : { continue: next }) });
        return await client.json('list', path, signal);
      } catch (error) {
        if (!(error instanceof ApiError) || error.code !== 'TOO_LARGE' || this.#page === 1) throw error;
        this.#page = Math.ceil(this.#page / 4);
      }
    }
  }

  /** Resolves when it has ended as it should. */
  async #watch(signal: AbortSignal): Promise<void> {
    const { cache, client, clock, node, random } = this.#options;
    const path = podsPath(node, {
      watch: '1',
      allowWatchBookmarks: 'true',
      resourceVersion: this.#version!,
      timeoutSeconds: String(Math.round(LEAST_WATCH_S + WATCH_SPREAD_S * random())),
    });
    const began = clock.monotonic();
    const events = await client.lines('watch', path, signal, WATCH_SILENCE_MS);
    cache.become('synced');
    this.#synced = true;
    let heard = false;
    try {
      for await (const event of events) {
        await this.#event(event, signal);
        heard = true;
        this.#well();
      }
    } catch (error) {
      // Its connection may be none any more: another one is made.
      if (!(error instanceof ApiError) || error.code !== 'TIMEOUT') throw error;
    }
    if (!heard && clock.monotonic() - began < LEAST_MS) {
      throw new ApiError('ENDED', `${client.name} ended a watch as soon as it had begun`);
    }
    this.#well();
  }

  async #event(line: string, signal: AbortSignal): Promise<void> {
    const { client, cache, read } = this.#options;
    const { type, object: given } = mappingOf(line) ?? {};
    const object = (typeof given === 'object' && given !== null ? given : {}) as Record<string, unknown>;
    if (type === 'ERROR') {
      const { message, status } = refused(Number(object['code'] ?? 0), object['message']);
      throw new ApiError('EVENT', `${client.name} ${message}`, { status });
    }
    const { resourceVersion } = metadataOf(object);
    const pod = POD_EVENTS.has(type) ? await read(object, signal) : undefined;
    if ((pod === undefined && type !== 'BOOKMARK') || typeof resourceVersion !== 'string') {
      throw this.#unreadable('an event that is none');
    }
    if (pod !== undefined) cache.put(pod);
    if (pod !== undefined && type === 'DELETED') cache.remove(pod.uid);
    this.#version = resourceVersion;
  }

  #well(): void {
    const { client, log } = this.#options;
    this.#failures = 0;
    if (this.#told !== undefined) log('info', `${client.name} answers again`);
    this.#told = undefined;
  }

  #unreadable(what: string): ApiError {
    const { code, message } = unreadable(what);
    return new ApiError(code, `${this.#options.client.name} ${message}`);
  }

  async #fail(error: ApiError, signal: AbortSignal): Promise<void> {
    const { cache, clock } = this.#options;
    const { status, code, message, retry_after_ms } = error;
    this.#failures += 1;
    const distrusted = status === 403 || status === 410 || ['UNREADABLE', 'EVENT', 'TOO_LARGE'].includes(code);
    if (distrusted || this.#failures % RELIST_AFTER === 0) this.#version = undefined;
    if (status === 403) {
      const todo = `tried again every ${FORBIDDEN_MS / 60_000} minutes: allow steptap to list and watch pods`;
      this.#tell('forbidden', `${message}; ${todo}`);
      cache.become('forbidden', message);
      await clock.sleep(FORBIDDEN_MS, signal);
      return;
    }
    if (this.#failures >= TOLD_AFTER) this.#tell('failing', `${message}; tried again`);
    cache.become(this.#synced ? 'stale' : 'starting', message);
    await clock.sleep(pause(this.#backoff, this.#failures - 1, retry_after_ms), signal);
  }

  #tell(trouble: 'failing' | 'forbidden', message: string): void {
    if (this.#told === trouble) return;
    this.#told = trouble;
    this.#options.log('warning', `${message}. Lines of pods that are not known go on without metadata`);
  }
}

const POD_EVENTS: ReadonlySet<unknown> = new Set(['ADDED', 'MODIFIED', 'DELETED']);
