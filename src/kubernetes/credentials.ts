import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { UsageError } from '../errors.ts';
import { readKubeconfig } from './kubeconfig.ts';
import type { KubernetesOptions } from './schema.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** A credential: itself, or the file in which it is, which may be renewed. */
export type Held = { readonly data: Buffer } | { readonly file: string };

/** Where the API is, and what opens it. */
export interface Access {
  readonly url: URL;
  /** Where this was said, for messages. */
  readonly from: string;
  readonly server_name: string | undefined;
  readonly insecure: boolean;
  readonly ca: Held | undefined;
  readonly cert: Held | undefined;
  readonly key: Held | undefined;
  readonly token: Held | undefined;
}

export const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * The access that the options and the environment give: a text says why there is none. Throws a UsageError when there should be one, and when the one that is
 * named cannot be used.
 */
export function accessOf(
  options: KubernetesOptions,
  environment: Environment,
  directory = SERVICE_ACCOUNT,
): Access | string {
  const { api = 'auto', kubeconfig, context } = options;
  if (api === 'off') return 'it is switched off (api: off)';
  if (kubeconfig !== undefined) return safe(readKubeconfig([kubeconfig], context));
  const inside = inCluster(environment, directory);
  if (context === undefined && (typeof inside !== 'string' || api === 'auto')) return inside;
  const files = kubeconfigs(environment);
  if (files.length > 0) return safe(readKubeconfig(files, context));
  const why = typeof inside === 'string' && context === undefined ? `${inside}, and there` : 'there';
  throw new UsageError(`enrichment.kubernetes: ${why} is no kubeconfig: name one with kubeconfig`);
}

/** Those of kubectl. */
function kubeconfigs({ KUBECONFIG: files = '', HOME: home = '' }: Environment): string[] {
  const named = files.split(':').filter((file) => file !== '');
  // Some of several may be missing.
  if (named.length > 0) return named.length === 1 ? named : named.filter((file) => existsSync(file));
  const own = join(home, '.kube/config');
  return existsSync(own) ? [own] : [];
}

function inCluster(environment: Environment, directory: string): Access | string {
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '443' } = environment;
  if (host === '') return 'steptap does not run in a cluster (no KUBERNETES_SERVICE_HOST)';
  const address = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
  if (!URL.canParse(address)) return `KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are no address (${address})`;
  const token = join(directory, 'token');
  if (!existsSync(token)) return `its pod has no service account token (${token})`;
  return {
    url: new URL(address),
    from: 'service account',
    server_name: undefined,
    insecure: false,
    ca: { file: join(directory, 'ca.crt') },
    cert: undefined,
    key: undefined,
    token: { file: token },
  };
}

/** A token goes to no other machine in the clear. */
function safe(access: Access): Access {
  const { url, token, from } = access;
  const { hostname } = url;
  // `127.example.com` is anybody's name.
  const local = hostname === 'localhost' || hostname === '[::1]' || (isIPv4(hostname) && hostname.startsWith('127.'));
  if (url.protocol === 'https:' || token === undefined || local) return access;
  throw new UsageError(`${from}: a token would go to ${url.host} unencrypted: use its https address`);
}

/** What is sent with a request, and what its connection is made with. */
export interface Secrets {
  readonly token: string | undefined;
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
}

/** The kubelet renews a token when 80 % of its hour are over, and lets the old one live. */
const REREAD_MS = 60_000;

/** Credentials whose files are read again every minute, and when they are said to be of no use. */
export class Credentials {
  readonly access: Access;
  readonly #clock: Clock;
  #secrets: Secrets | undefined;
  #read_at = 0;

  constructor(access: Access, clock: Clock) {
    this.access = access;
    this.#clock = clock;
  }

  /** Rejects with the system's error when a file cannot be read and never could. */
  async current(): Promise<Secrets> {
    const fresh = this.#clock.monotonic() - this.#read_at < REREAD_MS;
    if (this.#secrets === undefined || !fresh) await this.#read();
    return this.#secrets!;
  }

  /** True when there is another token than before. */
  async reread(): Promise<boolean> {
    const before = this.#secrets?.token;
    await this.#read();
    return before !== this.#secrets?.token;
  }

  async #read(): Promise<void> {
    try {
      const { token, ca, cert, key } = this.access;
      const [text, ...rest] = await Promise.all([token, ca, cert, key].map(contentOf));
      const given = text?.toString('utf8').trim();
      // One that is just being written would make us nobody, whom the API forbids everything.
      this.#secrets = { token: given === '' ? this.#secrets?.token : given, ca: rest[0], cert: rest[1], key: rest[2] };
    } catch (error) {
      // They are being replaced: those from before may still do.
      if (this.#secrets === undefined) throw error;
    }
    this.#read_at = this.#clock.monotonic();
  }
}

async function contentOf(held: Held | undefined): Promise<Buffer | undefined> {
  if (held === undefined) return undefined;
  return 'data' in held ? held.data : readFile(held.file);
}
