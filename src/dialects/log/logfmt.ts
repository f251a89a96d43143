import { parseTime, type WrittenTime } from '../../time.ts';
import { readLevel, type Level } from './level.ts';
import type { Attribute, TextLog } from './text.ts';

const LOGFMT = /^[A-Za-z_][\w.@/-]{0,60}=/;

/** More pairs than a line of logrus or go-kit ever has: then it is something else, and stays text. */
const MOST_PAIRS = 64;

/** `time="..." level=info msg="..." key=value`: undefined unless all of the line is pairs and one says level or time. */
export function readLogfmt(text: string): TextLog | undefined {
  const pairs = LOGFMT.test(text) ? logfmtPairs(text) : undefined;
  if (pairs === undefined) return undefined;
  let level: Level | undefined;
  let time: WrittenTime | undefined;
  let logger: string | undefined;
  let message: string | undefined;
  const attributes: Attribute[] = [];
  for (const pair of pairs) {
    const [key, value] = pair;
    if (message === undefined && (key === 'msg' || key === 'message')) message = value;
    else if (level === undefined && /^(?:level|lvl|severity)$/.test(key) && readLevel(value)) level = readLevel(value);
    else if (time === undefined && /^(?:time|ts|timestamp)$/.test(key) && parseTime(value)) time = parseTime(value);
    else if (logger === undefined && key === 'logger') logger = value;
    else attributes.push(pair);
  }
  if (level === undefined && time === undefined) return undefined;
  // Without a message the pairs themselves are it.
  if (message === undefined) return { message: text, level, logger: undefined, time, attributes: [] };
  return { message, level, logger, time, attributes };
}

function logfmtPairs(text: string): Attribute[] | undefined {
  const key = /([A-Za-z_][\w.@/-]{0,99})=/y;
  const pairs: Attribute[] = [];
  let at = 0;
  while (at < text.length) {
    key.lastIndex = at;
    const name = key.exec(text)?.[1];
    if (name === undefined || pairs.length === MOST_PAIRS) return undefined;
    const start = key.lastIndex;
    const quoted = text[start] === '"';
    const end = quoted ? closingQuote(text, start) + 1 : text.indexOf(' ', start);
    const stop = end === -1 ? text.length : end;
    if (stop === 0 || (stop < text.length && text[stop] !== ' ')) return undefined;
    pairs.push([name, quoted ? unescape(text.slice(start + 1, stop - 1)) : text.slice(start, stop)]);
    at = stop + 1;
  }
  return pairs;
}

/** Where the quote that opens at `start` closes; -1 if nowhere. */
function closingQuote(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at > 0; at = text.indexOf('"', at + 1)) {
    let backslashes = 0;
    while (text[at - 1 - backslashes] === '\\') backslashes++;
    if (backslashes % 2 === 0) return at;
  }
  return -1;
}

const CONTROLS: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** Undoes Go's %q. */
function unescape(value: string): string {
  if (!value.includes('\\')) return value;
  return value.replace(/\\(?:x([\da-f]{2})|u([\da-f]{4})|U(0[\da-f]{7})|([^]))/g, (_, x, u, U, other: string) => {
    const code: string | undefined = x ?? u ?? U;
    if (code === undefined) return CONTROLS[other] ?? other;
    const point = Number.parseInt(code, 16);
    return point <= 0x10ffff ? String.fromCodePoint(point) : '\ufffd';
  });
}
