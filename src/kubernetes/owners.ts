import { ApiError } from './api-error.ts';
import type { ApiClient } from './client.ts';
import { metadataOf } from './pod-list.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';

export interface Owner {
  readonly kind: string;
  readonly name: string;
}

/** The object that made another one, as its `ownerReferences` say. */
export interface Controller extends Owner {
  readonly uid: string;
}

/**
 * Who stands behind a controller, by the names that Kubernetes gives: a ReplicaSet is its Deployment's name and the hash of the template, which is a label of
 * its pods too; a Job is its CronJob's name and the scheduled time, in minutes (8 digits) or, of old, in seconds. Anything else is what it is.
 */
export function ownerByName({ kind, name }: Owner, templateHash: string | undefined): Owner {
  if (kind === 'ReplicaSet' && templateHash !== undefined && name.endsWith(`-${templateHash}`)) {
    const deployment = name.slice(0, -templateHash.length - 1);
    if (deployment !== '') return { kind: 'Deployment', name: deployment };
  }
  const cronJob = kind === 'Job' ? /^(.+)-\d{8,}$/.exec(name)?.[1] : undefined;
  return cronJob === undefined ? { kind, name } : { kind: 'CronJob', name: cronJob };
}

/** The controller of an object; where none is marked so, its only owner. */
export function controllerOf(metadata: Readonly<Record<string, unknown>>): Controller | undefined {
  const given = Array.isArray(metadata['ownerReferences']) ? (metadata['ownerReferences'] as unknown[]) : [];
  const owners = given.filter((each): each is Record<string, unknown> => typeof each === 'object' && each !== null);
  const owner = owners.find(({ controller }) => controller === true) ?? (owners.length === 1 ? owners[0] : undefined);
  const { kind, name, uid } = owner ?? {};
  return typeof kind === 'string' && typeof name === 'string' && typeof uid === 'string'
    ? { kind, name, uid }
    : undefined;
}

/** The kinds that are looked up, and where. */
const RESOURCES: Readonly<Record<string, string>> = { ReplicaSet: 'apps/v1 replicasets', Job: 'batch/v1 jobs' };

const MOST = 4_000;
/** A pod becomes known when its owner is: no longer than this. */
const LONGEST_MS = 2_000;
/** After a failure nothing is asked for so long, and for so long when it is forbidden. */
const PAUSE_MS = 30_000;
const FORBIDDEN_MS = 300_000;

/** Asks the API who stands behind ReplicaSets and Jobs. Each is asked for once: an owner never changes. */
export class OwnerLookup {
  readonly #client: ApiClient;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #known = new Map<string, Owner>();
  #not_before = Number.NEGATIVE_INFINITY;
  #told = false;

  constructor(client: ApiClient, clock: Clock, log: Log) {
    this.#client = client;
    this.#clock = clock;
    this.#log = log;
  }

  /** Undefined when there is nothing to ask, or no answer: then the name has to do. Never rejects. */
  async of({ kind, name, uid }: Controller, namespace: string, signal: AbortSignal): Promise<Owner | undefined> {
    const [group, resource] = RESOURCES[kind]?.split(' ') ?? [];
    const known = this.#known.get(uid);
    if (known !== undefined || resource === undefined || this.#clock.monotonic() < this.#not_before) return known;
    try {
      const path = `/apis/${group}/namespaces/${encodeURIComponent(namespace)}/${resource}/${encodeURIComponent(name)}`;
      const own = metadataOf(await this.#client.json('get', path, signal, LONGEST_MS));
      // Another one under the name of one that is gone.
      if (own['uid'] !== uid) return undefined;
      const behind = controllerOf(own);
      const owner = behind === undefined ? { kind, name } : { kind: behind.kind, name: behind.name };
      if (this.#known.size >= MOST) this.#known.delete(this.#known.keys().next().value!);
      this.#known.set(uid, owner);
      this.#told = false;
      return owner;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#failed(error, resource);
      return undefined;
    }
  }

  #failed({ status, message }: ApiError, resource: string): void {
    if (status === 404) return;
    this.#not_before = this.#clock.monotonic() + (status === 403 ? FORBIDDEN_MS : PAUSE_MS);
    if (this.#told) return;
    this.#told = true;
    const todo = status === 403 ? `; grant get on ${resource}, or set owners: name` : '';
    this.#log('warning', `${message}: owners are told by their names meanwhile${todo}`);
  }
}
