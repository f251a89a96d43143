import { unusable, Watched, type NamedFile, type Watching } from './watched.ts';

/** How a user, or a machine, proves who it is. `''` is as good as nothing. */
export interface CredentialOptions {
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly password_file?: string | undefined;
  readonly api_key?: string | undefined;
  readonly api_key_file?: string | undefined;
  readonly bearer_token?: string | undefined;
  readonly bearer_token_file?: string | undefined;
}

/** What is shown to the server. */
export type Login =
  | { readonly scheme: 'none' }
  | { readonly scheme: 'basic'; readonly user: string; readonly password: string }
  | { readonly scheme: 'api_key' | 'bearer'; readonly secret: string };

const WAYS = ['password', 'password_file', 'api_key', 'api_key_file', 'bearer_token', 'bearer_token_file'] as const;
type Way = (typeof WAYS)[number];

/** What can be in a header. */
const VISIBLE = /^[!-~]+$/;

/** What logs in, out of the options or a file that may be replaced while steptap runs. Throws when the options make no sense together. */
export class Credentials {
  readonly #login: Watched<Login>;

  constructor(options: CredentialOptions, watching: Watching) {
    const way = wayOf(options);
    const files = credentialFiles(options);
    const make = (contents: readonly Buffer[]): Login => {
      const [file, content] = [files[0], contents[0]];
      // Editors and `echo` end a file in a newline.
      const text = content?.toString('utf8').replace(/\s+$/, '');
      if (text === '') throw unusable(file!, 'is empty');
      if (text !== undefined && way !== 'password_file' && !VISIBLE.test(text)) {
        throw unusable(file!, 'has more in it than one secret');
      }
      return loginOf(way, text, options);
    };
    this.#login = new Watched(files, make, watching);
  }

  /** Throws an OutgoingError while a file never could be used. */
  get(): Login {
    return this.#login.get();
  }

  reread(): boolean {
    return this.#login.reread();
  }
}

/** The file that the secret is in, if it is in one. */
export function credentialFiles(options: CredentialOptions): NamedFile[] {
  const path = (way: Way): NamedFile[] =>
    way.endsWith('_file') && options[way] !== undefined ? [{ option: way, path: options[way] }] : [];
  return WAYS.flatMap(path);
}

/** Which one is given. Throws when two are, or what belongs to it is not. */
function wayOf(options: CredentialOptions): Way | undefined {
  const [way, other] = WAYS.filter((name) => (options[name] ?? '') !== '');
  if (other !== undefined) throw twice(`\`${way!}\``, other);
  const named = (options.user ?? '') !== '';
  if (way === undefined) return undefined;
  if (!way.startsWith('password')) {
    if (named) throw twice('`user`', way);
    const secret = way.endsWith('_file') ? undefined : options[way];
    if (secret !== undefined && !VISIBLE.test(secret)) {
      throw new Error(`\`${way}\` has characters that no key has: is a line break at its end?`);
    }
  } else if (!named) throw new Error(`\`${way}\` is given without \`user\`: say whose it is`);
  return way;
}

export function twice(one: string, other: string): Error {
  return new Error(`${one} and \`${other}\` are both given: give one of them`);
}

function loginOf(way: Way | undefined, content: string | undefined, options: CredentialOptions): Login {
  const { user = '', password = '' } = options;
  if (way?.startsWith('api_key') === true) {
    const key = content ?? options.api_key!;
    // `id:key`, or both encoded already, which has no colon.
    return { scheme: 'api_key', secret: key.includes(':') ? base64(key) : key };
  }
  if (way?.startsWith('bearer_token') === true) return { scheme: 'bearer', secret: content ?? options.bearer_token! };
  return user === '' ? { scheme: 'none' } : { scheme: 'basic', user, password: content ?? password };
}

/** The value of the header `Authorization`. */
export function authorization(login: Login): string | undefined {
  if (login.scheme === 'none') return undefined;
  if (login.scheme === 'basic') return `Basic ${base64(`${login.user}:${login.password}`)}`;
  return `${login.scheme === 'api_key' ? 'ApiKey' : 'Bearer'} ${login.secret}`;
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
