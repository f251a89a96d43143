import { decoded } from './address.ts';
import { sparedBy } from './no-proxy.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** What stands between this machine and a server. */
export interface Proxy {
  /** Its address without credentials, for messages. */
  readonly name: string;
  /** The variable that names it. */
  readonly variable: string;
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
  /** Value of the header `Proxy-Authorization`. */
  readonly authorization: string | undefined;
}

/**
 * The proxy for an address, as HTTPS_PROXY, HTTP_PROXY and NO_PROXY (or in small letters) say; undefined when it is reached without. Throws when the one that is
 * meant is none.
 */
export function proxyOf({ protocol, hostname, port }: URL, environment: Environment): Proxy | undefined {
  const secure = protocol === 'https:';
  const names = secure ? ['HTTPS_PROXY', 'https_proxy'] : ['HTTP_PROXY', 'http_proxy'];
  const variable = names.find((name) => (environment[name] ?? '') !== '');
  if (variable === undefined) return undefined;
  const spared = sparedBy(environment['NO_PROXY'] || environment['no_proxy'] || '');
  if (spared(bare(hostname), port === '' ? (secure ? '443' : '80') : port)) return undefined;
  return parsed(variable, environment[variable]!.trim());
}

function parsed(variable: string, text: string): Proxy {
  const full = text.includes('://') ? text : `http://${text}`;
  // Not quoted: there may be a password in it.
  const wrong = `${variable} is no address of an HTTP proxy: write http://proxy:3128`;
  if (!URL.canParse(full)) throw new Error(wrong);
  const { protocol, hostname, port, username, password } = new URL(full);
  if (!/^https?:$/.test(protocol)) throw new Error(wrong);
  const secure = protocol === 'https:';
  const login = Buffer.from(`${decoded(username)}:${decoded(password)}`).toString('base64');
  return {
    name: `${protocol}//${hostname}${port === '' ? '' : `:${port}`}`,
    variable,
    secure,
    host: bare(hostname),
    port: port === '' ? (secure ? 443 : 80) : Number(port),
    authorization: username === '' && password === '' ? undefined : `Basic ${login}`,
  };
}

/** An IPv6 address stands in brackets in a URL. */
function bare(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}
