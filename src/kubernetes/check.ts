import { inTime, type CheckItem } from '../check/item.ts';
import type { Clock } from '../clock.ts';
import { ApiError, unreadable } from './api-error.ts';
import { ApiClient } from './client.ts';
import { accessOf, Credentials, type Access, type Environment } from './credentials.ts';
import { pageOf, podsPath } from './pod-list.ts';
import type { KubernetesOptions } from './schema.ts';

const SILENCE_MS = 5_000;
const WITHOUT = 'lines go on without metadata';

/**
 * Whether the API answers, and gives the rights that a run would use, by using them. Whatever is missing is a warning, as lines go on without it. Throws the
 * UsageErrors of a run.
 */
export async function checkKubernetes(
  options: KubernetesOptions,
  environment: Environment,
  clock: Clock,
): Promise<CheckItem[]> {
  const access = accessOf(options, environment);
  if (typeof access === 'string') {
    return [{ what: 'API', where: '', state: options.api === 'off' ? 'ok' : 'warning', found: `not asked: ${access}` }];
  }
  const client = new ApiClient(new Credentials(access, clock), clock);
  try {
    return await asked(client, access, options, options.node ?? (environment['NODE_NAME'] || undefined));
  } finally {
    client.close();
  }
}

async function asked(
  client: ApiClient,
  access: Access,
  options: KubernetesOptions,
  node: string | undefined,
): Promise<CheckItem[]> {
  const signal = inTime(new AbortController().signal);
  const api = { what: 'API', where: access.url.origin };
  let version = '0';
  const list = await failure(async () => {
    const page = pageOf(await client.json('list', podsPath(node, { limit: '1' }), signal, SILENCE_MS));
    if (page === undefined) throw unreadable('no list of pods');
    version = page.version;
  });
  if (list !== undefined && list.status !== 403) {
    return [{ ...api, state: 'warning', found: `${said(list, client)}; ${WITHOUT}` }];
  }
  const of = node === undefined ? 'all pods of the cluster, as there is no node and no NODE_NAME' : `node ${node}`;
  const items: CheckItem[] = [
    { ...api, state: 'ok', found: `${access.from}; ${of}` },
    right('list pods', list, client),
  ];
  const watch = await failure(async () => {
    const path = podsPath(node, { watch: '1', resourceVersion: version, timeoutSeconds: '1' });
    for await (const _ of await client.lines('watch', path, signal, SILENCE_MS)) return;
  });
  items.push(right('watch pods', watch, client));
  if (options.owners !== 'lookup') return items;
  for (const [group, resource] of [
    ['apps/v1', 'replicasets'],
    ['batch/v1', 'jobs'],
  ]) {
    const path = `/apis/${group}/namespaces/default/${resource}/steptap-check`;
    const get = await failure(() => client.json('get', path, signal, SILENCE_MS));
    // Nothing has that name, and it was looked for.
    items.push(right(`get ${resource}`, get?.status === 404 ? undefined : get, client));
  }
  return items;
}

async function failure(ask: () => Promise<unknown>): Promise<ApiError | undefined> {
  try {
    await ask();
    return undefined;
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
}

function right(where: string, error: ApiError | undefined, client: ApiClient): CheckItem {
  const item = { what: 'right', where };
  if (error === undefined) return { ...item, state: 'ok', found: 'is granted' };
  const todo = error.status === 403 ? 'bind the ClusterRole of deploy/ to this account' : undefined;
  return { ...item, state: 'warning', found: `${said(error, client)}; ${WITHOUT}`, todo };
}

function said({ message }: ApiError, { name }: ApiClient): string {
  return message.replace(`${name} `, '');
}
