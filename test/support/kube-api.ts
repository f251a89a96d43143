import * as http from 'node:http';
import * as https from 'node:https';
import type { AddressInfo } from 'node:net';

/** One request as the authorizer of a cluster sees it: what a role has to grant. */
export interface ApiCall {
  readonly verb: 'list' | 'watch' | 'get';
  /** `''` is the core group. */
  readonly group: string;
  readonly resource: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly query: Readonly<Record<string, string>>;
  readonly authorization: string | undefined;
}

/** What is wrong with one answer. */
export type Fault = (response: http.ServerResponse, call: ApiCall) => void;

export interface KubeObject {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string; readonly uid: string } & Readonly<
    Record<string, unknown>
  >;
  readonly [field: string]: unknown;
}

interface Watching {
  readonly call: ApiCall;
  readonly response: http.ServerResponse;
}

/** An ordinary watch event, and the version after it. */
interface Change {
  readonly version: number;
  readonly type: string;
  readonly object: KubeObject;
}

export interface KubeApiOptions {
  readonly tls?: https.ServerOptions;
}

/**
 * What of the Kubernetes API steptap uses, with the true rules of versions: lists in pages of which all are of one version, watches from a version that end after
 * `timeoutSeconds`, and 410 where a version was forgotten. It does as the test says: `faults` are answers instead of good ones, in turn, by verb.
 */
export class KubeApi {
  /** Every request, in the order of their coming: what a role has to grant. */
  readonly calls: ApiCall[] = [];
  readonly faults: Record<ApiCall['verb'], Fault[]> = { list: [], watch: [], get: [] };
  /** `verb resource` that are forbidden. */
  readonly forbidden = new Set<string>();
  /** The bearer tokens that are taken; undefined: nobody asks for one. */
  tokens: Set<string> | undefined;
  /** How a watch from a forgotten version is refused: as an answer, or as an event of it. */
  gone: 'status' | 'event' = 'event';
  readonly watches = new Set<Watching>();
  connections = 0;
  #pods = new Map<string, KubeObject>();
  readonly #others = new Map<string, KubeObject>();
  readonly #changes: Change[] = [];
  #version = 1_000;
  #forgotten = 0;
  #server: http.Server | undefined;
  readonly #options: KubeApiOptions;
  #port = 0;

  constructor(options: KubeApiOptions = {}) {
    this.#options = options;
  }

  get url(): string {
    return `${this.#options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  async start(): Promise<this> {
    const { tls } = this.#options;
    const answer = (request: http.IncomingMessage, response: http.ServerResponse): void =>
      this.#answer(request, response);
    this.#server = tls === undefined ? http.createServer(answer) : https.createServer(tls, answer);
    this.#server.on('connection', () => (this.connections += 1));
    await new Promise<void>((resolve) => {
      this.#server!.listen(this.#port, '127.0.0.1', resolve);
    });
    this.#port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  /** Nothing listens any more, and connections are cut; `start` comes back at the same address. */
  async stop(): Promise<void> {
    this.watches.clear();
    this.#server!.closeAllConnections();
    await new Promise((resolve) => {
      this.#server!.close(resolve);
    });
  }

  /** Makes a pod, or changes the one with its UID. One under its name with another UID is another, and was deleted before. */
  put(pod: KubeObject): void {
    const key = `${pod.metadata.namespace}/${pod.metadata.name}`;
    const before = this.#pods.get(key);
    if (before !== undefined && before.metadata.uid !== pod.metadata.uid) this.remove(pod.metadata.name);
    this.#pods.set(key, pod);
    this.#change(before?.metadata.uid === pod.metadata.uid ? 'MODIFIED' : 'ADDED', pod);
  }

  remove(name: string): void {
    for (const [key, pod] of this.#pods) {
      if (pod.metadata.name !== name) continue;
      this.#pods.delete(key);
      this.#change('DELETED', pod);
    }
  }

  /** Something that is no pod, to be got by its name. */
  add(resource: string, object: KubeObject): void {
    this.#others.set(`${resource}/${object.metadata.namespace}/${object.metadata.name}`, object);
  }

  /** Older versions than the one of now are forgotten, as etcd does every five minutes. */
  compact(): void {
    this.#forgotten = this.#version;
    this.#changes.length = 0;
  }

  /** Things happen that no watch of pods hears of. */
  pass(versions: number): void {
    this.#version += versions;
  }

  bookmark(): void {
    const metadata = { resourceVersion: String(this.#version) };
    this.say(JSON.stringify({ type: 'BOOKMARK', object: { kind: 'Pod', apiVersion: 'v1', metadata } }));
  }

  /** A line to everybody who watches. */
  say(line: string): void {
    for (const { response } of this.watches) response.write(`${line}\n`);
  }

  /** Ends every watch as it should end, or cuts its connection: behind the first half of an event, if there is one. */
  end(how: 'well' | 'cut', half = ''): void {
    for (const { response } of this.watches) {
      if (how === 'well') response.end();
      else if (half === '') response.socket?.resetAndDestroy();
      else response.write(half, () => response.socket?.destroy());
    }
    this.watches.clear();
  }

  /** `verb group/resource`, each once, sorted: exactly what a role has to grant. */
  rights(): string[] {
    const rights = this.calls.map(
      ({ verb, group, resource }) => `${verb} ${group === '' ? '' : `${group}/`}${resource}`,
    );
    return [...new Set(rights)].sort();
  }

  #answer(request: http.IncomingMessage, response: http.ServerResponse): void {
    response.on('error', () => undefined);
    const call = callOf(request);
    if (call === undefined) return status(response, 404, 'the server could not find the requested resource');
    this.calls.push(call);
    const fault = this.faults[call.verb].shift();
    if (fault !== undefined) return fault(response, call);
    this.good(response, call);
  }

  /** The answer that this call should get. */
  good(response: http.ServerResponse, call: ApiCall): void {
    const { verb, group, resource, authorization } = call;
    if (this.tokens !== undefined && !this.tokens.has(authorization?.replace('Bearer ', '') ?? '')) {
      return status(response, 401, 'Unauthorized');
    }
    if (this.forbidden.has(`${verb} ${resource}`)) {
      const who = 'User "system:serviceaccount:logging:steptap"';
      const what = `cannot ${verb} resource "${resource}" in API group "${group}" at the cluster scope`;
      return status(response, 403, `${resource} is forbidden: ${who} ${what}`);
    }
    if (verb === 'list') return this.#list(response, call);
    if (verb === 'watch') return this.#watch(response, call);
    const found = this.#others.get(`${resource}/${call.namespace}/${call.name}`);
    if (found === undefined) return status(response, 404, `${resource} "${call.name}" not found`);
    json(response, 200, found);
  }

  #list(response: http.ServerResponse, { query }: ApiCall): void {
    const [version = String(this.#version), from = '0'] = query['continue']?.split('@') ?? [];
    if (Number(version) < this.#forgotten) return status(response, 410, 'The provided continue parameter is too old');
    const matching = [...this.#pods.values()].filter((pod) => selected(pod, query));
    const end = Number(from) + Number(query['limit'] ?? matching.length);
    const rest = matching.length - end;
    const more = rest > 0 ? { continue: `${version}@${end}`, remainingItemCount: rest } : {};
    // As from the real one, items of a list have neither kind nor version of the API.
    const items = matching.slice(Number(from), end).map(({ metadata, spec, status }) => ({ metadata, spec, status }));
    json(response, 200, { kind: 'PodList', apiVersion: 'v1', metadata: { resourceVersion: version, ...more }, items });
  }

  #watch(response: http.ServerResponse, call: ApiCall): void {
    const from = Number(call.query['resourceVersion']);
    const tooOld = `too old resource version: ${from} (${this.#forgotten})`;
    if (from < this.#forgotten && this.gone === 'status') return status(response, 410, tooOld);
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    if (from < this.#forgotten) {
      response.end(`${JSON.stringify({ type: 'ERROR', object: statusOf(410, tooOld) })}\n`);
      return;
    }
    const watching = { call, response };
    this.watches.add(watching);
    response.on('close', () => this.watches.delete(watching));
    for (const change of this.#changes) if (change.version > from) tell(watching, change);
    const timer = setTimeout(() => response.end(), Number(call.query['timeoutSeconds'] ?? 300) * 1000);
    response.on('close', () => clearTimeout(timer));
  }

  #change(type: string, pod: KubeObject): void {
    this.#version += 1;
    const metadata = { ...pod.metadata, resourceVersion: String(this.#version) };
    const change = { version: this.#version, type, object: { ...pod, metadata } };
    this.#changes.push(change);
    for (const watching of this.watches) tell(watching, change);
  }
}

function tell({ call, response }: Watching, { type, object }: Change): void {
  if (selected(object, call.query)) response.write(`${JSON.stringify({ type, object })}\n`);
}

function selected(pod: KubeObject, { fieldSelector = '' }: ApiCall['query']): boolean {
  const node = /^spec\.nodeName=(.*)$/.exec(fieldSelector)?.[1];
  return node === undefined || (pod['spec'] as { nodeName?: string } | undefined)?.nodeName === node;
}

const PATH =
  /^\/(?:api\/v1|apis\/(?<group>[^/]+)\/[^/]+)(?:\/namespaces\/(?<namespace>[^/]+))?\/(?<resource>[^/]+)(?:\/(?<name>[^/]+))?$/;

function callOf({ url = '', headers, method }: http.IncomingMessage): ApiCall | undefined {
  const { pathname, searchParams } = new URL(url, 'http://api');
  const parts = PATH.exec(pathname)?.groups;
  if (parts === undefined || method !== 'GET') return undefined;
  const { group = '', namespace, resource = '', name } = parts;
  const query = Object.fromEntries(searchParams);
  const verb = name !== undefined ? 'get' : ['1', 'true'].includes(query['watch'] ?? '') ? 'watch' : 'list';
  const where = { ...(namespace === undefined ? {} : { namespace }), ...(name === undefined ? {} : { name }) };
  return { verb, group, resource, ...where, query, authorization: headers.authorization };
}

function json(
  response: http.ServerResponse,
  code: number,
  value: unknown,
  headers: http.OutgoingHttpHeaders = {},
): void {
  response.writeHead(code, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
}

function statusOf(code: number, message: string): object {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', message, code };
}

function status(response: http.ServerResponse, code: number, message: string): void {
  json(response, code, statusOf(code, message));
}

/** Ways in which an answer goes wrong. */
export const API_FAULTS = {
  status:
    (code: number, message: string, headers: http.OutgoingHttpHeaders = {}): Fault =>
    (response) =>
      json(response, code, statusOf(code, message), headers),
  body:
    (text: string, headers: http.OutgoingHttpHeaders = {}, code = 200): Fault =>
    (response) =>
      void response.writeHead(code, headers).end(text),
  /** Nothing is said, ever. */
  hang: (): Fault => () => {},
  cut: (): Fault => (response) => response.socket?.resetAndDestroy(),
  /** The good answer, when the test says so. */
  later:
    (api: KubeApi, until: Promise<void>): Fault =>
    (response, call) =>
      void until.then(() => api.good(response, call)),
} as const;
