import { createRequire } from 'node:module';
import type * as Msgpack from '@msgpack/msgpack';

let loaded: typeof Msgpack | undefined;

/** @msgpack/msgpack, when somebody speaks the forward protocol: most runs do not, and loading it takes 12 ms. */
export function msgpack(): typeof Msgpack {
  loaded ??= createRequire(import.meta.url)('@msgpack/msgpack') as typeof Msgpack;
  return loaded;
}
