import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { checkServerIdentity, createSecureContext, type ConnectionOptions, type SecureContext } from 'node:tls';
import { errorCode } from '../errors.ts';
import type { TlsOptions } from './schema.ts';
import { unusable, Watched, type NamedFile, type Watching } from './watched.ts';

const FILES = ['ca_file', 'cert_file', 'key_file'] as const;

/**
 * TLS of one store: how a connection to it is secured, out of files that may be replaced while steptap runs. Throws when the options make no sense together.
 */
export class Tls {
  readonly #options: TlsOptions;
  readonly #context: Watched<SecureContext>;

  constructor(options: TlsOptions, watching: Watching) {
    const { cert_file, key_file, key_passphrase } = options;
    if ((cert_file === undefined) !== (key_file === undefined)) {
      const [given, lacking] = cert_file === undefined ? ['key_file', 'cert_file'] : ['cert_file', 'key_file'];
      throw new Error(`tls.${given} is given without tls.${lacking}: they belong together`);
    }
    if (key_passphrase !== undefined && key_file === undefined) {
      throw new Error('tls.key_passphrase is given without tls.key_file: name the key that it is of');
    }
    this.#options = options;
    const files = tlsFiles(options);
    this.#context = new Watched(files, (contents) => contextOf(files, contents, key_passphrase), watching);
  }

  /** Changes when the files say something new: connections of an older one are not to be used again. */
  get generation(): number {
    return this.#context.generation;
  }

  /** Looks whether the files have changed, and makes sure that they can be used. Throws an OutgoingError while they never could. */
  look(): void {
    this.#context.get();
  }

  /** Reads them now, since the server refused what they said. True when they say something else. */
  reread(): boolean {
    return this.#context.reread();
  }

  /** What tls.connect needs beside a host and a port, or a socket. Throws an OutgoingError while the files never could be used. */
  connectOptions(host: string): ConnectionOptions {
    const { server_name = host, insecure_skip_verify = false } = this.#options;
    return {
      secureContext: this.#context.get(),
      rejectUnauthorized: !insecure_skip_verify,
      // An address is no name that a server could be asked for.
      servername: isIP(server_name) === 0 ? server_name : '',
      checkServerIdentity: (_host, certificate) => checkServerIdentity(server_name, certificate),
    };
  }
}

/** The files that TLS is made of, with the names of their options. */
export function tlsFiles(options: TlsOptions): NamedFile[] {
  return FILES.flatMap((option) => {
    const path = options[option];
    return path === undefined ? [] : [{ option: `tls.${option}`, path }];
  });
}

function contextOf(
  files: readonly NamedFile[],
  contents: readonly Buffer[],
  passphrase: string | undefined,
): SecureContext {
  const at = (option: string): number => files.findIndex((file) => file.option === `tls.${option}`);
  const [ca, cert, key] = FILES.map((option) => contents[at(option)]);
  for (const [n, file] of files.entries()) if (n !== at('key_file')) certificates(file, contents[n]!);
  try {
    return createSecureContext({
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined || key === undefined ? {} : { cert, key }),
      ...(passphrase === undefined ? {} : { passphrase }),
    });
  } catch (error) {
    throw unusable(files[at('key_file')]!, keyTrouble(errorCode(error) ?? ''));
  }
}

/** What is wrong with a private key, by the code of OpenSSL. */
export function keyTrouble(code: string): string {
  if (code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH') return 'is not the key of tls.cert_file';
  if (/PASSPHRASE|PASSWORD|DECRYPT|INTERRUPTED/.test(code)) {
    return 'is encrypted, and tls.key_passphrase does not open it';
  }
  return `holds no private key in PEM${code === '' ? '' : ` (${code})`}`;
}

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The certificates in a file; Node.js itself passes over what is none, and then trusts nobody. */
export function certificates(file: NamedFile, content: Buffer): X509Certificate[] {
  const text = content.toString('latin1');
  const blocks = text.match(BLOCK) ?? [];
  // Half of the last one is what is left of a file that somebody is writing.
  if (blocks.length === 0 || blocks.length !== text.split('-----BEGIN CERTIFICATE-----').length - 1) {
    throw unusable(file, 'holds no whole certificates in PEM');
  }
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch {
    throw unusable(file, 'holds something else than certificates in PEM');
  }
}
