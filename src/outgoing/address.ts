/** An address of a server, apart from who logs in there. */
export interface Address {
  /** Without credentials and query. */
  readonly url: URL;
  /** The same for messages. */
  readonly name: string;
  /** Those that stood in it. */
  readonly given: { readonly user: string; readonly password: string } | undefined;
}

export function addressOf(text: string): Address {
  const url = new URL(text);
  const given =
    url.username === '' && url.password === ''
      ? undefined
      : { user: decoded(url.username), password: decoded(url.password) };
  url.username = '';
  url.password = '';
  url.search = '';
  url.hash = '';
  return { url, name: url.href.replace(/\/$/, ''), given };
}

/** A lone `%` in a password is meant as it stands. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
