import type { Problem } from '../config/document.ts';
import { isLocal, readAddress } from './address.ts';
import type { ListenerOptions } from './schema.ts';

/** A listener, and by what its clients are known. */
export interface Guarded extends ListenerOptions {
  /** The options for each secret, of which one is enough: `[['token', 'token_file']]`. */
  readonly secrets: readonly (readonly string[])[];
  readonly [option: string]: unknown;
}

/**
 * Closed by default: what other machines can reach speaks TLS, and lets in only who has a secret or a certificate, unless somebody says that it need not. What is
 * wrong with a listener in that, below its own path; undefined when nothing is.
 */
export function openProblem(listener: Guarded): Problem | undefined {
  const { listen, tls, insecure = false, secrets } = listener;
  const address = readAddress(listen);
  const given = secrets.map((names) => names.filter((name) => listener[name] !== undefined));
  const twice = given.find(({ length }) => length > 1);
  if (twice !== undefined) {
    return { path: [twice[1]!], message: `${twice.join(' and ')} say the same: keep one of them`, name: true };
  }
  // What is written as no address is told by whoever tries to listen on it.
  if (insecure || address === undefined || isLocal(address)) return undefined;
  const known = given.some(({ length }) => length > 0) || tls?.client_ca_file !== undefined;
  const missing = [...(tls === undefined ? ['tls'] : []), ...(known ? [] : [secrets[0]!.at(-1)!])];
  if (missing.length === 0) return undefined;
  const message = `${listen} can be reached by other machines: add ${missing.join(' and ')}, listen on 127.0.0.1, or say insecure: true (--insecure) where nobody else can reach it`;
  return { path: ['listen'], message };
}
