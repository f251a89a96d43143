/*
 * Where a value in text begins and ends, to the character. A hash is of a whole value or it is of no use; what cannot be delimited here is masked.
 */

/** The text of a value: `[start, end)`, in as many strings as `levels`, one within the other, each of which may have escaped it. */
export interface Whole {
  readonly start: number;
  readonly end: number;
  readonly levels: number;
}

/** Behind these, in a header, comes one value. */
export const PREFIXES = 'Bearer|Basic|Token|ApiKey|Negotiate|NTLM';

/** Python writes b'' and u''. */
const OPENING = /([bru]{0,2})(\\*)(["'])/iy;
/** What stands around words in a sentence, a list or a call. Inside of a bare value it leaves open where that ends. */
const WORD = '[^ \\t\\r\\n\\v\\f"\'\\\\,;&()[\\]{}<>|]';
const BARE = new RegExp(`^((?:(?:${PREFIXES})\\s+)?${WORD}*(?![.:!?])${WORD})[,;.:!?)\\]}>"'\\\\]*$`, 'i');

/** The value that starts at `at` and ends at `limit` at the latest; undefined where its end is not certain. */
export function wholeValue(text: string, at: number, limit: number): Whole | undefined {
  OPENING.lastIndex = at;
  const opening = OPENING.exec(text);
  if (opening === null) {
    const bare = BARE.exec(text.slice(at, limit))?.[1];
    return bare === undefined ? undefined : { start: at, end: at + bare.length, levels: 0 };
  }
  const [all, prefix, slashes, mark] = opening as unknown as [string, string, string, string];
  const start = at + all.length;
  const end = contentEnd(text, start, slashes.length, mark, limit);
  if (end === undefined) return undefined;
  // Python escapes in its own way.
  const python = prefix !== '' || mark === "'";
  return python && text.slice(start, end).includes('\\')
    ? undefined
    : { start, end, levels: Math.log2(slashes.length + 1) + 1 };
}

/**
 * Where the content of a string ends that starts at `start`, behind its opening quote. In a string within strings a quote has 1, 3, 7 backslashes before it,
 * and every backslash of the content is 2, 4, 8 of them. A quote with another number ends a string further out: then this one does not end.
 */
export function contentEnd(
  text: string,
  start: number,
  slashes: number,
  mark: string,
  limit: number,
): number | undefined {
  if ((slashes & (slashes + 1)) !== 0) return undefined;
  const period = 2 * (slashes + 1);
  for (let at = text.indexOf(mark, start); at !== -1 && at < limit; at = text.indexOf(mark, at + 1)) {
    let before = 0;
    while (at - before > start && text[at - before - 1] === '\\') before++;
    if (before % period === slashes) return at - slashes;
    // Else it is a quote in the content, escaped once more.
    if (before % period !== period - 1) return undefined;
  }
  return undefined;
}

/** What the innermost of `levels` strings says; undefined if one of them is no JSON. */
export function unescaped(text: string, levels: number): string | undefined {
  let said = text;
  for (let level = 0; level < levels && said.includes('\\'); level++) {
    try {
      said = JSON.parse(`"${said}"`) as string;
    } catch {
      return undefined;
    }
  }
  return said;
}
