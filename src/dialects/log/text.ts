import { parseTime, type WrittenTime } from '../../time.ts';
import { readLevel, type Level } from './level.ts';

/** What a line of plain text says about itself. `message` is always there; the rest only if the line says so. */
export interface TextLog {
  readonly message: string;
  readonly level?: Level;
  readonly logger?: string;
  readonly time?: WrittenTime;
  readonly attributes?: readonly Attribute[];
}

type Attribute = readonly [string, string];
type Draft = { -readonly [K in keyof TextLog]: TextLog[K] };

/**
 * Reads one decoded line, without its newline. In a known layout `message` is what follows the prefix, and all of the
 * prefix is in the other fields; else `message` is the whole line, less colours and what a progress bar drew over.
 * Never throws. Linear in the line: prefixes and levels are looked for in its first HEAD characters only.
 */
export function readText(line: string): TextLog {
  const text = collapseProgress(stripAnsi(line));
  const wrapper = WRAPPERS.exec(text.slice(0, HEAD));
  if (wrapper === null) return readLayout(text);
  const inner = readLayout(text.slice(wrapper[0].length));
  return { ...inner, attributes: [...present(wrapper), ...(inner.attributes ?? [])] };
}

/** The text without colours, cursor movements and hyperlinks (CSI, OSC and two-character escape sequences). */
export function stripAnsi(text: string): string {
  return text.includes('\u001b') ? text.replace(ESCAPES, '') : text;
}

const ESCAPES = /\u001b(?:\[[0-?]{0,64}[ -/]{0,8}[@-~]|\][^\u0007\u001b]{0,2048}(?:\u0007|\u001b\\)|[@-Z\\^_78=>])/g;

/**
 * What a terminal would show of a line that was drawn over: the last segment between carriage returns that is not blank.
 * The carriage return of a CRLF is not content.
 */
export function collapseProgress(text: string): string {
  if (!text.includes('\r')) return text;
  let end = text.length;
  for (let i = end - 1; i >= 0; i--) {
    const code = text.charCodeAt(i);
    if (code === 0x0d) end = i;
    else if (code > 0x20) return text.slice(text.lastIndexOf('\r', i) + 1, end);
  }
  return '';
}

/** No known prefix is longer, and what a regular expression may look at must not grow with the line. */
const HEAD = 400;

const WORDS =
  'TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|ERR|SEVERE|CRITICAL|CRIT|FATAL|DPANIC|PANIC|ALERT|EMERGENCY|EMERG|SUCCESS';
const LOWER = 'trace|debug|info|notice|warn|warning|error|err|critical|fatal';

/** What layouts are made of. A group's name is the field that it fills, or else the attribute. */
const PARTS: Readonly<Record<string, string>> = {
  TIME: String.raw`(?<time>\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z| ?[+-]\d\d:?\d\d(?!\d))?)`,
  CLOCK: String.raw`\d\d:\d\d:\d\d(?:\.\d{1,9})?`,
  LEVEL: `(?<level>${WORDS})`,
  WORD: `(?<level>${WORDS}|${LOWER})`,
  ANYCASE: `(?<level>${WORDS}|${LOWER}|Trace|Debug|Info|Warn|Warning|Error|Critical|Fatal)`,
  LOGGER: String.raw`(?<logger>[A-Za-z_][\w.$/-]{0,120})`,
  // A name that is hardly a message's first word: `root`, `__main__`, `a.b`, `crate::module`.
  DOTTED: String.raw`(?<logger>root|__\w{1,60}__|[A-Za-z_][\w-]{0,60}(?:(?:\.|::)[\w$-]{1,60}){1,9})`,
  // The same and any lower-case name, where a colon follows. A capital may be prose: `INFO Epoch: 3`.
  NAME: String.raw`(?<logger>[a-z_][\w$-]{0,60}(?:(?:\.|::)[\w$-]{1,60}){0,9}|[A-Z]\w{0,60}(?:(?:\.|::)[\w$-]{1,60}){1,9})`,
  CALLER: String.raw`(?<caller>[\w./\\<>~+-]{1,200}:\d{1,7})`,
};

/** A pattern for the start of a text, in which an upper-case name stands for its part. */
function layout(source: TemplateStringsArray): RegExp {
  return new RegExp(`^${String.raw(source).replace(/[A-Z]{4,7}/g, (name) => PARTS[name] ?? name)}`);
}

/** `[rank0]: ` of torchrun and `(func pid=123) ` of Ray stand before whole lines of any layout. */
const WRAPPERS =
  /^(?:\[(?:rank|default)(?<rank>\d{1,6})\]:? ?|\((?<ray_task>[^()\s]{1,100}) pid=(?<pid>\d{1,10})(?:, ip=(?<ip>[\da-f.:]{1,45}))?\) )/;

/** Most lines that begin with a digit or a bracket begin with a time; Spark's has two digits for the year. */
const DATE = layout`(?<bracket>\[)?(?:TIME|(?<spark>\d\d/\d\d/\d\d CLOCK))`;

/** zap's development layout: level, logger, caller, message and a JSON object, with tabs between. */
const ZAP = layout`\tANYCASE\t(?:LOGGER\t)?(?:CALLER\t)?`;

/** In every list the first that fits wins, so the more particular stands first. */
const AFTER_TIME: readonly RegExp[] = [
  ZAP,
  layout` \| LEVEL *\| LOGGER:(?<caller>[\w.<>]{1,120}:\d{1,7}) - `, // loguru
  layout` \| LEVEL *\| `,
  layout` +LEVEL +(?<pid>\d{1,10}) --- (?:\[(?<app>[^\]]{1,80})\] )?\[ *(?<thread>[^\]]{1,80})\] LOGGER *: `, // Spring
  layout` +LEVEL +\[(?<thread>[^\]]{1,80})\] DOTTED(?: -|:) `, // log4j
  layout` +\[(?<thread>[^\]]{1,80})\] +LEVEL +LOGGER(?: -|:) `, // logback
  layout`\sLEVEL +CALLER -- `, // Ray's own
  layout`: (?<level>[IWEF]) CALLER\] `, // TensorFlow
  layout` - LOGGER - \[?LEVEL *\]? - `,
  layout` - LEVEL *- DOTTED - `,
  layout`[:,]? +\[?LEVEL *\]? +NAME: `,
  layout`[:,]? +\[LOGGER\] +\[?LEVEL *\]?(?: -|:)? +`,
  layout`[:,]? +DOTTED:? +\[?LEVEL *\]?(?: -|:)? +`,
  layout`(?:[:,]| -)? +LEVEL *(?:[:|-] +| )\s*`,
  layout`(?:[:,]| -)? +\[ANYCASE *\](?: -|:)? +`,
  layout`(?: -|:|,)?\s+`, // Go's log, GORM
];

const AFTER_SPARK_TIME: readonly RegExp[] = [layout` LEVEL (?:(?<logger>[\w.$]{1,120}): )?`];

const AFTER_BRACKETED_TIME: readonly RegExp[] = [
  layout`: LEVEL/(?<process>[\w.-]{1,80})\] `, // Celery
  layout`\] \{CALLER\} LEVEL - `, // Airflow
  layout`\]\[LOGGER\]\[LEVEL *\](?: -)? `, // Hydra
  layout`\] \[(?<pid>\d{1,10})\] \[LEVEL\] `, // Gunicorn
  layout`\] LEVEL in LOGGER: `, // Flask
  layout`\] \[LEVEL\] \[(?<caller>[\w./-]{1,200}:\d{1,7}(?::[\w<>]{1,80})?)\] `, // DeepSpeed
  layout`\] +LEVEL(?: -|:)? +`,
  layout`\] +\[ANYCASE *\](?: -|:)? +`,
  layout`\] +`,
];

const BRACKETED: readonly RegExp[] = [
  // Flyte 2's console. Only its own lines say [flyte]; a user's are known by the run's generated name.
  layout`\[(?<run_name>[\w.-]{1,100})\]\[(?<action_name>[\w.-]{1,100})\] \[(?<logger>flyte[\w.]{0,60})\] (?:LEVEL:? +)?`,
  layout`\[(?<run_name>[a-z][a-z\d]{19})\]\[(?<action_name>[\w.-]{1,100})\] (?:LEVEL:? +)?`,
  layout`\[(?<logger>flyte(?:\.\w{1,60}){0,5})\] LEVEL:? +`,
  layout`\[(?<logger>(?:flytekit|flyte)(?:\.\w{1,60}){0,5}|user_space|developer)\](?: |$)`,
  layout`\[(?<level>[IWEFDV])(?:(?<clock>\d{4} CLOCK))? CALLER\] ?`, // torch's C++
  layout`\[(?<level>[DIWEC]) TIME LOGGER\] `, // Jupyter
  layout`\[LEVEL\|CALLER\] TIME >> `, // transformers
  layout`\[ANYCASE *\](?: -|:)?(?: +|$)`,
  layout`\[(?<logger>[A-Za-z][\w.]{0,60})\] \[ANYCASE\] `, // LightGBM
];

/** path.py:1: FutureWarning: msg. The class stays in the message. */
const PYTHON_WARNING = layout`(?<caller>(?:<frozen [\w.]{1,100}>|[\w./\\<>~+-]{1,200}):\d{1,7}): (?=\w{0,80}Warning: )`;

const WORDY: readonly RegExp[] = [
  PYTHON_WARNING,
  layout`LEVEL:LOGGER:(?!//)`, // Python's basicConfig
  // klog, glog, torch. Only glog writes the year; without it there is no time, and the clock stays as it is.
  layout`(?<level>[IWEFDV])(?:(?<clock>\d{4} CLOCK)|(?<time>\d{8} CLOCK)) +(?<thread>\d{1,10}) CALLER\] ?`,
  layout`WORD: +`,
  layout`(?<logger>npm) (?<level>WARN|warn|ERR|error|notice|info|verbose)!? `,
  layout`LOGGER - LEVEL - `,
  layout`LEVEL +\[DOTTED\] `, // Alembic
  layout`LEVEL(?: -| \|)? +`,
];

function readLayout(text: string): TextLog {
  const head = text.slice(0, HEAD);
  const logfmt = LOGFMT.test(head) ? readLogfmt(text) : undefined;
  if (logfmt !== undefined) return logfmt;
  const date = DATE.exec(head);
  const { time, spark, bracket } = date?.groups ?? {};
  const written = timeOf(time ?? spark ?? '');
  if (date === null || written === undefined) return readAs(head.startsWith('[') ? BRACKETED : WORDY, text, 0);
  const after = bracket ? AFTER_BRACKETED_TIME : spark ? AFTER_SPARK_TIME : AFTER_TIME;
  return readAs(after, text, date[0].length, written);
}

/** Reads the text from `start` on in the first layout that fits; `written` is the time that stands before. */
function readAs(layouts: readonly RegExp[], text: string, start: number, written?: WrittenTime): TextLog {
  const head = text.slice(start, start + HEAD);
  for (const pattern of layouts) {
    const match = pattern.exec(head);
    if (match === null) continue;
    const time = written ?? timeOf(match.groups?.['time'] ?? '');
    // A time that is in no calendar: then the layout is not this one.
    if (time === undefined && match.groups?.['time'] !== undefined) continue;
    const draft: Draft = { message: text.slice(start + match[0].length) };
    const level = pattern === PYTHON_WARNING ? 'WARN' : readLevel(match.groups?.['level']);
    const attributes = present(match).filter(([name]) => name !== 'level' && name !== 'time' && name !== 'logger');
    if (pattern === ZAP) cutFields(draft, attributes);
    return complete(draft, level ?? standingLevel(draft.message), time, match.groups?.['logger'], attributes);
  }
  return complete({ message: text }, standingLevel(text), written);
}

function complete(
  draft: Draft,
  level: Level | undefined,
  time?: WrittenTime,
  logger?: string,
  attributes: readonly Attribute[] = [],
): TextLog {
  if (level !== undefined) draft.level = level;
  if (time !== undefined) draft.time = time;
  if (logger !== undefined) draft.logger = logger;
  if (attributes.length > 0) draft.attributes = attributes;
  return draft;
}

/** The named groups that took part in a match. */
function present(match: RegExpExecArray): Attribute[] {
  const groups: [string, string | undefined][] = Object.entries(match.groups ?? {});
  return groups.filter((group): group is [string, string] => group[1] !== undefined);
}

/** Moves the JSON object at the end of zap's message to the attribute `fields`. In JSON a tab is always escaped. */
function cutFields(draft: Draft, attributes: Attribute[]): void {
  const at = draft.message.endsWith('}') ? draft.message.lastIndexOf('\t{') : -1;
  if (at < 0) return;
  attributes.push(['fields', draft.message.slice(at + 1)]);
  draft.message = draft.message.slice(0, at);
}

/** Times as the layouts above write them: Spark's year has two digits, glog's date no dashes. */
function timeOf(text: string): WrittenTime | undefined {
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

const LOGFMT = /^[A-Za-z_][\w.@/-]{0,60}=/;

/** More pairs than a line of logrus or go-kit ever has: then it is something else, and stays text. */
const MOST_PAIRS = 64;

/** `time="..." level=info msg="..." key=value`: undefined unless all of the line is pairs and one says level or time. */
function readLogfmt(text: string): TextLog | undefined {
  const pairs = logfmtPairs(text);
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
  if (message === undefined) return complete({ message: text }, level, time);
  return complete({ message }, level, time, logger, attributes);
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
