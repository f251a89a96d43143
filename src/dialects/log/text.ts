import { parseTime, type WrittenTime } from '../../time.ts';
import * as layouts from './layouts.ts';
import { readLevel, type Level } from './level.ts';
import { readLogfmt } from './logfmt.ts';
import { collapseProgress, stripAnsi } from './terminal.ts';

/** What a line of plain text says about itself. */
export interface TextLog {
  readonly message: string;
  readonly level: Level | undefined;
  readonly logger: string | undefined;
  readonly time: WrittenTime | undefined;
  /** What else the prefix says: `caller`, `pid`, `rank` and the like. */
  readonly attributes: readonly Attribute[];
}

export type Attribute = readonly [name: string, value: string];

/**
 * Reads one decoded line, without its newline. In a known layout `message` is what follows the prefix, and all of the
 * prefix is in the other fields; else `message` is the whole line, less colours and what a progress bar drew over.
 * Never throws. Linear in the line: prefixes and levels are looked for in its first HEAD characters only.
 */
export function readText(line: string): TextLog {
  const text = collapseProgress(stripAnsi(line));
  const wrapper = layouts.WRAPPERS.exec(text.slice(0, layouts.HEAD));
  if (wrapper === null) return readLine(text);
  const inner = readLine(text.slice(wrapper[0].length));
  return { ...inner, attributes: [...attributesOf(wrapper.groups), ...inner.attributes] };
}

function readLine(text: string): TextLog {
  const pairs = readLogfmt(text);
  if (pairs !== undefined) return pairs;
  const date = layouts.DATE.exec(text.slice(0, layouts.HEAD));
  const { time, spark, bracket } = date?.groups ?? {};
  const written = timeOf(time ?? spark);
  if (date === null || written === undefined) {
    return readAs(text.startsWith('[') ? layouts.BRACKETED : layouts.WORDY, text, 0);
  }
  const after = bracket ? layouts.AFTER_BRACKETED_TIME : spark ? layouts.AFTER_SPARK_TIME : layouts.AFTER_TIME;
  return readAs(after, text, date[0].length, written);
}

/** Reads the text from `start` on in the first layout that fits; `written` is the time that stands before. */
function readAs(known: readonly RegExp[], text: string, start: number, written?: WrittenTime): TextLog {
  const head = text.slice(start, start + layouts.HEAD);
  for (const pattern of known) {
    const match = pattern.exec(head);
    if (match === null) continue;
    const { level: word, time: clock, logger } = match.groups ?? {};
    const time = written ?? timeOf(clock);
    // A time that is in no calendar: then the layout is not this one.
    if (time === undefined && clock !== undefined) continue;
    const rest = text.slice(start + match[0].length);
    const end = pattern === layouts.ZAP ? fieldsStart(rest) : rest.length;
    const message = rest.slice(0, end);
    const level = pattern === layouts.PYTHON_WARNING ? 'WARN' : readLevel(word);
    const attributes = attributesOf(match.groups);
    if (end < rest.length) attributes.push(['fields', rest.slice(end + 1)]);
    return { message, level: level ?? standingLevel(message), logger, time, attributes };
  }
  return { message: text, level: standingLevel(text), logger: undefined, time: written, attributes: [] };
}

/** The groups that took part in a match and are no fields of their own. */
function attributesOf(groups: RegExpExecArray['groups'] = {}): Attribute[] {
  const attributes: Attribute[] = [];
  for (const name in groups) {
    const value = groups[name];
    if (value !== undefined && name !== 'level' && name !== 'time' && name !== 'logger') attributes.push([name, value]);
  }
  return attributes;
}

/** Where the tab before the JSON object at the end of zap's message stands, else the end. In JSON a tab is escaped. */
function fieldsStart(message: string): number {
  const at = message.endsWith('}') ? message.lastIndexOf('\t{') : -1;
  return at < 0 ? message.length : at;
}

/** Times as the layouts write them: Spark's year has two digits, glog's date no dashes. */
function timeOf(text = ''): WrittenTime | undefined {
  if (text[2] === '/') return parseTime(`20${text}`);
  if (text[8] === ' ') return parseTime(`${text.slice(0, 4)}-${text.slice(4, 6)}-${text.slice(6)}`);
  return parseTime(text);
}

/**
 * The level of a line without a layout: an upper-case word that stands alone in the first 80 characters, or what C, Go
 * and JavaScript programs die with. Words in prose, in quotes or in something like JSON say nothing about the line.
 */
function standingLevel(text: string): Level | undefined {
  if (text.startsWith('{')) return undefined;
  const head = text.slice(0, 90);
  const dying = /^(?:fatal error|panic|Error|Fatal|Warning|Critical)(?=: )/.exec(head);
  if (dying !== null) return readLevel(dying[0].split(' ')[0]);
  const word =
    /(?:^|[\s[(<|])((?<!STACK )TRACE|DEBUG|INFO|WARN|WARNING|ERROR|SEVERE|CRITICAL|FATAL)(?=[\s\])>|:]|$)/.exec(head);
  return word !== null && word.index < 80 ? readLevel(word[1]) : undefined;
}
