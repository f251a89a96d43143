import { systemClock, type Clock } from '../../clock.ts';
import { Secret } from '../../listening/secret.ts';
import type { Log } from '../../log.ts';
import { postSource } from '../../posts/source.ts';
import type { OwnSource } from '../source.ts';
import { ClickHouseProtocol } from './protocol.ts';
import type { ClickHouseHttpOptions } from './schema.ts';

/** Takes inserts as ClickHouse does. Throws a UsageError for a certificate or a password that is none. */
export function clickhouseHttpSource(
  name: string,
  options: ClickHouseHttpOptions,
  { clock = systemClock, log }: { readonly clock?: Clock; readonly log: Log },
): OwnSource {
  const { password, password_file } = options;
  const secret = Secret.of({ value: password, file: password_file }, 'password', log);
  const speaks = (intake: Parameters<OwnSource['run']>[0]): ClickHouseProtocol =>
    new ClickHouseProtocol(options, secret, intake);
  // A row is what its client says: nothing is taken off it.
  return postSource({ ...options, name, path: '/', framing: 'none', speaks, clock, log });
}
