import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type Server, type TlsOptions } from 'node:tls';
import { UsageError } from '../errors.ts';
import type { Log } from '../log.ts';
import { unreadable, versionOf } from './secret.ts';
import type { ListenerTls } from './schema.ts';

/** What the files say now, and until when. */
interface Read {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca?: Buffer;
  /** The end of the certificate. */
  readonly valid_to: Date;
}

/** Certificate and key of a listener. The files are looked at with every connection, and read again when they have changed: until they make sense together, what they said before holds. */
export class Certificate {
  readonly #files: ListenerTls;
  readonly #log: Log;
  #read: Read;
  #seen: string;

  /** Throws a UsageError that says which file is wrong. */
  constructor(files: ListenerTls, log: Log) {
    this.#files = files;
    this.#log = log;
    this.#seen = versionOf(named(files));
    const read = readCertificate(files);
    if ('wrong' in read) throw new UsageError(`tls.${read.option} ${files[read.option]}: ${read.wrong}`);
    this.#read = read;
  }

  /** What a server is made with. With `client_ca_file` it talks to nobody without a certificate of that authority. */
  get options(): TlsOptions {
    const { valid_to: _, ...pem } = this.#read;
    const clients = this.#read.ca === undefined ? {} : { requestCert: true, rejectUnauthorized: true };
    return { ...pem, ...clients, minVersion: 'TLSv1.2', handshakeTimeout: HANDSHAKE_MS };
  }

  /** The server goes on with what the files say then. */
  follow(server: Server): void {
    // Before the server's own, which begins the handshake.
    server.prependListener('connection', () => this.#again(server));
    // A handshake that fails is the client's trouble; it has hung up, or is not one of TLS.
    server.on('tlsClientError', (_error, socket) => socket.destroy());
  }

  #again(server: Server): void {
    const seen = versionOf(named(this.#files));
    if (seen === this.#seen) return;
    this.#seen = seen;
    const read = readCertificate(this.#files);
    if ('wrong' in read) {
      const file = this.#files[read.option];
      this.#log('warning', `tls.${read.option} ${file}: ${read.wrong}; what the files said before still holds`);
      return;
    }
    this.#read = read;
    server.setSecureContext(this.options);
  }
}

const HANDSHAKE_MS = 5_000;

/** What the files hold, or which of them is wrong, and how. Nothing of a key is in it. */
export function readCertificate(
  files: ListenerTls,
): Read | { readonly option: keyof ListenerTls; readonly wrong: string } {
  let option: keyof ListenerTls = 'cert_file';
  let holds = 'certificate';
  try {
    const cert = readFileSync(files.cert_file);
    const certificate = new X509Certificate(cert);
    option = 'key_file';
    holds = 'private key';
    const key = readFileSync(files.key_file);
    if (!certificate.checkPrivateKey(createPrivateKey(key))) {
      return { option, wrong: `is not the key of the certificate in ${files.cert_file}` };
    }
    const valid_to = new Date(certificate.validTo);
    if (files.client_ca_file === undefined) return { cert, key, valid_to };
    option = 'client_ca_file';
    holds = 'certificate';
    const ca = readFileSync(files.client_ca_file);
    new X509Certificate(ca);
    createSecureContext({ cert, key, ca });
    return { cert, key, ca, valid_to };
  } catch (error) {
    const system = (error as NodeJS.ErrnoException).syscall !== undefined;
    return { option, wrong: system ? unreadable(error) : `holds no ${holds} in PEM` };
  }
}

function named({ cert_file, key_file, client_ca_file }: ListenerTls): string[] {
  return [cert_file, key_file, ...(client_ca_file === undefined ? [] : [client_ca_file])];
}
