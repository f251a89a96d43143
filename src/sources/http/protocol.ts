import type { IncomingMessage } from 'node:http';
import { bearer } from '../../listening/http.ts';
import type { Secret } from '../../listening/secret.ts';
import { formObject } from '../../posts/form.ts';
import type { Answer, Identity, Protocol, Read } from '../../posts/protocol.ts';
import { toLines } from '../../posts/records.ts';
import { Signature } from '../../posts/signature.ts';
import { fromBulk, greeting, isBulk } from './bulk.ts';
import type { HttpSourceOptions } from './schema.ts';

const STORED: Answer = { status: 200 };
const UNKNOWN: Answer = { status: 401, headers: { 'www-authenticate': 'Bearer' } };

/** What lets clients in; where none is there, nobody is asked. One of them is enough. */
export interface Secrets {
  readonly token: Secret | undefined;
  readonly signature: Secret | undefined;
}

/** Records by POST. Fluent Bit throws away what is answered with 4xx: so nothing is, for what a record contains. */
export function records(options: HttpSourceOptions, { token, signature }: Secrets): Protocol {
  const read = (body: Buffer, bulk: boolean, identity: Identity): Read => {
    if (bulk) return { ...fromBulk(body), identity };
    return { lines: toLines(formObject(body) ?? body), stored: STORED, identity };
  };
  return {
    begin(request) {
      const path = (request.url ?? '').split('?', 1)[0]!;
      const bulk = options.elasticsearch && isBulk(path);
      const greeted = options.elasticsearch ? greeting(request.method ?? '', path) : undefined;
      if (greeted === undefined) {
        if (!bulk && path !== options.path && path !== '/') return { status: 404, told: `posts go to ${options.path}` };
        if (request.method !== 'POST') return { status: 405, headers: { allow: 'POST' } };
      }
      const known = token?.match(bearer(request.headers.authorization));
      const signed = request.headers[options.signature_header.toLowerCase()];
      const open = token === undefined && signature === undefined;
      if (open || known !== undefined) {
        if (greeted !== undefined) return greeted;
        const identity = identityOf(request, known ?? '', options.deduplicate);
        return { identity, read: (body) => read(body, bulk, identity) };
      }
      if (signature === undefined) return { ...UNKNOWN, told: 'the token is missing, or another' };
      if (typeof signed !== 'string') return { ...UNKNOWN, told: `it has no ${options.signature_header}` };
      const sum = new Signature(signed, signature);
      const identity = identityOf(request, 'signed', options.deduplicate);
      return {
        sent: (piece) => sum.update(piece),
        read: (body) =>
          sum.holds() ? read(body, bulk, identity) : { ...UNKNOWN, told: 'it was signed with another secret' },
      };
    },
  };
}

/** A webhook says which delivery it is: the same for each try. */
function identityOf({ headers }: IncomingMessage, beside: string | Buffer, deduplicate: boolean): Identity {
  const key = headers['idempotency-key'] ?? headers['x-orchest-delivery'];
  if (key !== undefined) return { key: String(key), beside: [beside], compared: true };
  return { beside: [beside, String(headers['x-fluent-tag'] ?? '')], compared: deduplicate };
}
