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
  const { token, token_file } = options;
  const secret = Secret.of({ value: token, file: token_file }, 'token', log);
  return postSource({ ...options, name, framing: 'record', speaks: () => records(options, secret), clock, log });
}
