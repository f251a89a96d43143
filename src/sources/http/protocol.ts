import { bearer } from '../../listening/http.ts';
import type { Secret } from '../../listening/secret.ts';
import type { Answer, Identity, Protocol } from '../../posts/protocol.ts';
import { fromBulk, greeting, isBulk } from './bulk.ts';
import { toLines } from '../../posts/records.ts';
import type { HttpSourceOptions } from './schema.ts';

const STORED: Answer = { status: 200 };

/** Records by POST. Fluent Bit throws away what is answered with 4xx: so nothing is, for what a record contains. */
export function records(options: HttpSourceOptions, secret: Secret | undefined): Protocol {
  return {
    begin(request) {
      const path = (request.url ?? '').split('?', 1)[0]!;
      const bulk = options.elasticsearch && isBulk(path);
      const greeted = options.elasticsearch ? greeting(request.method ?? '', path) : undefined;
      if (greeted === undefined) {
        if (!bulk && path !== options.path && path !== '/') return { status: 404, told: `posts go to ${options.path}` };
        if (request.method !== 'POST') return { status: 405, headers: { allow: 'POST' } };
      }
      const token = secret?.match(bearer(request.headers.authorization));
      if (secret !== undefined && token === undefined) {
        return { status: 401, headers: { 'www-authenticate': 'Bearer' }, told: 'the token is missing, or another' };
      }
      if (greeted !== undefined) return greeted;
      const { 'idempotency-key': key, 'x-fluent-tag': tag = '' } = request.headers;
      const identity: Identity =
        key === undefined
          ? { beside: [token ?? '', String(tag)], compared: options.deduplicate }
          : { key: String(key), beside: [token ?? ''], compared: true };
      return {
        identity,
        read: (body) => ({ ...(bulk ? fromBulk(body) : { lines: toLines(body), stored: STORED }), identity }),
      };
    },
  };
}
