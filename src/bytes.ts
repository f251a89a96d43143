/*
 * Byte strings: strings in which every character is one byte (0x00-0xff), the latin1 reading of UTF-8 data.
 *
 * Lines are read, cut and joined in this form because V8 keeps it at one byte a character and writes it back with a plain copy:
 * decoding UTF-8 costs 6 to 10 times more per line, and nearly every line is ASCII, for which both readings are the same.
 */

const NOT_ASCII = /[^\x00-\x7f]/;
/** Printable ASCII without quote and backslash: JSON text needs no escape for it. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

/** Text of a byte string; invalid UTF-8 becomes U+FFFD. */
export function decodeUtf8(bytes: string): string {
  return NOT_ASCII.test(bytes) ? Buffer.from(bytes, 'latin1').toString('utf8') : bytes;
}

/** The byte string of a text; lone surrogates become U+FFFD. */
export function encodeUtf8(text: string): string {
  return NOT_ASCII.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text;
}

/** JSON string, quotes included, of a text, as a byte string. Lone surrogates become U+FFFD: ClickHouse refuses a whole block for one. */
export function quote(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : encodeUtf8(JSON.stringify(text.toWellFormed()));
}

/**
 * The members of a JSON object, each a name and the JSON text of its value, as a byte string. No name comes twice, since Elasticsearch refuses a row
 * for that: of a repeated one the last counts, as in JSON.parse. Names may become equal only here, when lone surrogates become U+FFFD.
 */
export function joinMembers(members: Iterable<readonly [string, string]>): string {
  const unique = new Map<string, string>();
  for (const [name, json] of members) unique.set(quote(name), json);
  return [...unique].map(([name, json]) => `${name}:${json}`).join(',');
}

/** The same text in one piece. What is put together with `+` is a tree of its parts until somebody reads it: three times the memory, if it is kept. */
export function flat(text: string): string {
  return Buffer.from(text, 'latin1').latin1Slice();
}
