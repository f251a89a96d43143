import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { addressOf, type Address } from './address.ts';
import { OutgoingAgent } from './agent.ts';
import { credentialFiles, Credentials, twice, type CredentialOptions, type Login } from './credentials.ts';
import { proxyOf, type Environment, type Proxy } from './proxy.ts';
import type { TlsOptions } from './schema.ts';
import { Tls } from './tls.ts';

export { authorization, type CredentialOptions, type Login } from './credentials.ts';
export { certificateRefused, OutgoingError, tlsTrouble } from './errors.ts';
export { bearerTokenOptions, passwordFile, tlsSchema, type TlsOptions } from './schema.ts';
export { Tls } from './tls.ts';

export interface OutgoingOptions extends CredentialOptions {
  readonly urls: readonly string[];
  readonly tls?: TlsOptions | undefined;
}

export interface OutgoingContext {
  readonly clock: Clock;
  readonly log: Log;
  /** Where proxies are named; else that of the process. */
  readonly environment?: Environment | undefined;
}

/** The way to one address of a store: over what connection, and what logs in there. */
export interface Outgoing {
  /** Without credentials and query. */
  readonly url: URL;
  /** The same for messages. */
  readonly name: string;
  /** For http.request or https.request. Holds sockets until it is destroyed. */
  readonly agent: OutgoingAgent;
  readonly proxy: Proxy | undefined;
  /**
   * What to log in with. To be asked before each request: looks whether files have been replaced, and lets connections of before go. Throws an OutgoingError
   * while they never could be used.
   */
  ready(): Login;
  /** Reads the files now, since the server has refused what they said. True when they say something else: the same request may be made once more. */
  reread(): boolean;
}

/** Makes no connection yet. Throws when the options make no sense together; its message repeats no secret. */
export function outgoing(options: OutgoingOptions, context: OutgoingContext): Outgoing[] {
  const { urls, tls: tlsOptions = {} } = options;
  const { environment = process.env } = context;
  const addresses = urls.map(addressOf);
  const secure = ({ url }: Address): boolean => url.protocol === 'https:';
  if (options.tls !== undefined && !addresses.some(secure)) {
    throw new Error('`tls` is given and no address is https: write https:// in `urls`');
  }
  const tls = new Tls(tlsOptions, context);
  const credentials = new Credentials(options, context);
  return addresses.map((address) => {
    const { url, name, given } = address;
    const proxy = proxyOf(url, environment);
    const own = secure(address) ? tls : undefined;
    const agent = new OutgoingAgent({ tls: own, proxy, clock: context.clock });
    if (given !== undefined) refuseTwice(options);
    const login: Login | undefined = given === undefined ? undefined : { scheme: 'basic', ...given };
    return {
      url,
      name,
      agent,
      proxy,
      ready() {
        agent.renew();
        return login ?? credentials.get();
      },
      reread() {
        const [changed, other] = [own?.reread() === true, login === undefined && credentials.reread()];
        return changed || other;
      },
    };
  });
}

/** An address has a user in it: what else logs in would not be used. */
function refuseTwice(options: CredentialOptions): void {
  const { api_key = '', bearer_token = '' } = options;
  const named = api_key !== '' ? 'api_key' : bearer_token !== '' ? 'bearer_token' : credentialFiles(options)[0]?.option;
  if (named !== undefined) throw twice('a user in `urls`', named);
}
