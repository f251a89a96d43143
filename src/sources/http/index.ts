import { systemClock, type Clock } from '../../clock.ts';
import { Secret } from '../../listening/secret.ts';
import type { Log } from '../../log.ts';
import { postSource } from '../../posts/source.ts';
import type { OwnSource } from '../source.ts';
import { records } from './protocol.ts';
import type { HttpSourceOptions } from './schema.ts';

/** Takes posts of records. Throws a UsageError for a certificate or a secret that is none. */
export function httpSource(
  name: string,
  options: HttpSourceOptions,
  { clock = systemClock, log }: { readonly clock?: Clock; readonly log: Log },
): OwnSource {
  const { token, token_file, signature_secret, signature_secret_file } = options;
  const secrets = {
    token: Secret.of({ value: token, file: token_file }, 'token', log),
    signature: Secret.of({ value: signature_secret, file: signature_secret_file }, 'signature_secret', log),
  };
  return postSource({ ...options, name, framing: 'record', speaks: () => records(options, secrets), clock, log });
}
