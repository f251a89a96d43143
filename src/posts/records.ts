const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const NEWLINE = 10;

/**
 * The body as lines, a record each: a JSON array of objects and objects one behind the other are cut apart, whatever blanks and newlines stand between and in
 * them; everything else is lines as it is. Only by its outside: no value is looked at, and so none is changed. A record that is broken makes everything
 * lines again, so that those beside it are read as they stand.
 */
export function toLines(body: Buffer): Buffer {
  const bytes = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? body.subarray(3) : body;
  let count = 0;
  let are_lines = true;
  const clean = objects(bytes, (start, _, newline_in) => {
    if (newline_in || (start > 0 && bytes[start - 1] !== NEWLINE)) are_lines = false;
    count++;
  });
  if (clean === 'no' || (clean === 'stream' && are_lines)) return bytes;
  const lines = Buffer.allocUnsafeSlow(bytes.length + count);
  let at = 0;
  objects(bytes, (start, end, newline_in) => {
    bytes.copy(lines, at, start, end);
    if (newline_in) withoutNewlines(lines, at, at + end - start);
    at += end - start;
    lines[at++] = NEWLINE;
  });
  return lines.subarray(0, at);
}

type Each = (start: number, end: number, newline_in: boolean) => void;

/** Calls with every object of an array or a stream of them, until something else comes: then it is `no` such thing. Iterative: depth costs nothing. */
function objects(bytes: Buffer, each: Each): 'array' | 'stream' | 'no' {
  let at = blank(bytes, 0);
  const array = bytes[at] === 0x5b;
  if (array) at = blank(bytes, at + 1);
  if (array && bytes[at] === 0x5d) return blank(bytes, at + 1) === bytes.length ? 'array' : 'no';
  while (at < bytes.length) {
    const end = objectEnd(bytes, at);
    if (end === 0) return 'no';
    each(at, Math.abs(end), end < 0);
    at = blank(bytes, Math.abs(end));
    if (!array) continue;
    if (bytes[at] === 0x5d) return blank(bytes, at + 1) === bytes.length ? 'array' : 'no';
    if (bytes[at] !== COMMA) return 'no';
    at = blank(bytes, at + 1);
  }
  return array ? 'no' : 'stream';
}

/** Offset just past the object that starts there, negative when a newline stands in it; 0 when none starts, or it does not end, or a string of it goes on behind a newline. */
function objectEnd(bytes: Buffer, start: number): number {
  if (bytes[start] !== 0x7b) return 0;
  let depth = 0;
  let sign = 1;
  for (let at = start; at < bytes.length; at++) {
    switch (bytes[at]) {
      case QUOTE:
        at = stringEnd(bytes, at);
        if (at === -1) return 0;
        break;
      case 0x7b:
      case 0x5b:
        depth++;
        break;
      case 0x7d:
      case 0x5d:
        if (--depth === 0) return sign * (at + 1);
        break;
      case NEWLINE:
        sign = -1;
        break;
      default:
    }
  }
  return 0;
}

/** Offset of the quote that ends the string; -1 when a newline comes first, or nothing. */
function stringEnd(bytes: Buffer, start: number): number {
  for (let at = start + 1; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) at++;
    else if (byte === NEWLINE) return -1;
  }
  return -1;
}

/** Offset of the next byte that is no white space. */
export function blank(bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length && (bytes[at] === 0x20 || (bytes[at]! >= 9 && bytes[at]! <= 13))) at++;
  return at;
}

function withoutNewlines(bytes: Buffer, from: number, to: number): void {
  for (let at = from; at < to; at++) if (bytes[at] === NEWLINE) bytes[at] = 0x20;
}
