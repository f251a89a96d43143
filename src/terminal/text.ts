/** Text as a terminal shows it: what logs said may hold anything. */

const CONTROL = /[\p{Cc}\u2028\u2029]/gu;
/** Marks that turn the direction of what follows, or show as nothing at all. */
const INVISIBLE = /[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]/g;

/** On one line, without anything that a terminal would obey. */
export function clean(text: string): string {
  return text.toWellFormed().replace(CONTROL, ' ').replace(INVISIBLE, '');
}

const NARROW = /^[\x20-\x7e]*$/;
/** Marks that terminals have known for long, from and to. Of newer scripts many count a column for each, so that is what is reckoned with. */
const ZERO = [
  [0x0300, 0x036f],
  [0x0483, 0x0489],
  [0x0591, 0x05bd],
  [0x064b, 0x065f],
  [0x200c, 0x200d],
  [0x20d0, 0x20dc],
  [0x3099, 0x309a],
  [0xfe00, 0xfe0e],
  [0xfe20, 0xfe23],
] as const;
const WIDE =
  /[\p{Emoji_Presentation}\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18cff}\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}]/u;

/** Columns of one code point. What joins several into one picture is not looked at: a text is never wider than this says. */
export function columns(point: string): number {
  // Asks for the picture of a sign: some terminals then take two columns for it.
  if (point === '\ufe0f') return 1;
  const code = point.codePointAt(0)!;
  if (ZERO.some(([from, to]) => code >= from && code <= to)) return 0;
  return WIDE.test(point) ? 2 : 1;
}

/** How many columns a text takes that is clean. */
export function width(text: string): number {
  if (NARROW.test(text)) return text.length;
  let sum = 0;
  for (const point of text) sum += columns(point);
  return sum;
}

/** The text, or its beginning with `...` behind it, in at most so many columns. */
export function clip(text: string, most: number): string {
  if (width(text) <= most) return text;
  const dots = '...'.slice(0, Math.max(0, most));
  let room = most - dots.length;
  let end = 0;
  for (const point of text) {
    room -= columns(point);
    if (room < 0) break;
    end += point.length;
  }
  return text.slice(0, end) + dots;
}

export function padEnd(text: string, to: number): string {
  return text + ' '.repeat(Math.max(0, to - width(text)));
}

/** Lines of at most so many columns, broken between words; a word is never broken, and the last of `most` lines takes the rest. */
export function wrap(text: string, columns: number, most = Number.POSITIVE_INFINITY): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const line = lines.at(-1);
    if (line !== undefined && (lines.length >= most || width(line) + 1 + width(word) <= columns))
      lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** `1,234,567`. */
export function number(count: number): string {
  return Math.round(count).toLocaleString('en-GB');
}

/** In at most seven columns: `123,456`, `1.23 M`. */
export function short(count: number): string {
  if (count < 999_999.5) return number(count);
  return count < 999.5e6 ? `${(count / 1e6).toPrecision(3)} M` : `${(count / 1e9).toPrecision(3)} G`;
}

const DECIMAL = ['B', 'kB', 'MB', 'GB', 'TB'];
const BINARY = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** `820 kB`, `3.4 MB`: for rates. */
export const bytesText = (bytes: number): string => sized(bytes, 1000, DECIMAL);

/** `12 MiB`, `4.0 GiB`: for what options give in powers of two. */
export const binaryText = (bytes: number): string => sized(bytes, 1024, BINARY);

function sized(bytes: number, step: number, units: readonly string[]): string {
  let unit = 0;
  let left = bytes;
  for (; left >= step * 0.9995 && unit < units.length - 1; unit++) left /= step;
  return `${unit === 0 || left >= 9.95 ? Math.round(left) : left.toFixed(1)} ${units[unit]}`;
}

/** `12 s`, `4m05s`, `3h12m`, `2d07h`. */
export function age(seconds: number): string {
  const whole = Math.floor(seconds);
  const two = (part: number): string => String(Math.floor(part)).padStart(2, '0');
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)}h${two((whole % 3600) / 60)}m`;
  return `${Math.floor(whole / 86_400)}d${two((whole % 86_400) / 3600)}h`;
}
