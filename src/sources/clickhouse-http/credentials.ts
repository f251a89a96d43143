import type { IncomingMessage } from 'node:http';
import type { Secret } from '../../listening/secret.ts';
import type { Answer } from '../../posts/protocol.ts';
import { exception } from './exceptions.ts';

/** The password that a client may come in with; `''` where everybody may; an answer where it may not. */
export function letIn(
  request: IncomingMessage,
  params: URLSearchParams,
  username: string,
  secret: Secret | undefined,
): Buffer | '' | Answer {
  if (secret === undefined) return '';
  const { user, password } = credentials(request, params);
  if (password === '') {
    return exception(194, 'the password is missing', { 'www-authenticate': 'Basic realm="steptap"' });
  }
  // Looked at in any case: who guesses is not told which of the two was right.
  const found = secret.match(password);
  if (found !== undefined && user === username) return found;
  return exception(516, 'the password is another, or there is no user of that name');
}

/** From where ClickHouse takes them, in its order; the user is `default` where nobody says one. */
function credentials(
  { headers }: IncomingMessage,
  params: URLSearchParams,
): { readonly user: string; readonly password: string } {
  const { 'x-clickhouse-user': name, 'x-clickhouse-key': key, authorization = '' } = headers;
  if (name !== undefined || key !== undefined) return { user: String(name ?? 'default'), password: String(key ?? '') };
  const basic = /^basic +([\w+/=-]+) *$/i.exec(authorization)?.[1];
  if (basic !== undefined) {
    const text = Buffer.from(basic, 'base64').toString('utf8');
    const colon = text.indexOf(':');
    return colon === -1
      ? { user: text, password: '' }
      : { user: text.slice(0, colon), password: text.slice(colon + 1) };
  }
  return { user: params.get('user') ?? 'default', password: params.get('password') ?? '' };
}
