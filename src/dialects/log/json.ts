import { members, valueText } from '../../json.ts';
import { epochTime, parseTime } from '../../time.ts';
import type { Observer } from '../../observer.ts';
import type { Privacy } from '../../privacy/index.ts';
import type { Times, When } from '../when.ts';
import { pythonLevel, readLevel, type Level } from './level.ts';
import { rootErrorType } from './error-type.ts';

/** What a JSON log line says, whatever library wrote it. Texts are decoded. */
export interface JsonLog {
  readonly when: When;
  readonly message: string;
  readonly level: Level | undefined;
  readonly logger: string | undefined;
  readonly error_type: string | undefined;
  /** Every other key, its value as text. */
  readonly attributes: Map<string, string>;
}

/*
 * First names first: python-json-logger, flytekit, Flyte 2, flytestdlib (logrus json and gcp), zap, pino, bunyan, structlog, ECS, Serilog, log4j.
 */
const LEVEL = ['levelname', 'level', 'severity', 'log.level', 'lvl', 'loglevel', 'log_level', 'levelno', '@l'];
const MESSAGE = ['message', 'msg', '@m', 'log', 'text', 'event'];
const LOGGER = ['logger', 'name', 'logger_name', 'log.logger', 'loggerName', 'logger.name'];
const TIME = ['asctime', 'timestamp', '@timestamp', 'ts', 'time', 'datetime', 'date', 'eventTime', '@t'];
/** Null unless the line was written inside an asyncio task, and then of no use. */
const IGNORED = ['taskName'];
const STACKS = ['exc_info', 'exception', 'stack', 'stacktrace', 'stack_trace', 'error.stack_trace', 'exc_text'];

/** `value` is what parseObject made of `text`. `skip`: keys that are the transport's. */
export function readJsonLog(
  value: Record<string, unknown>,
  text: string,
  runtime: string,
  times: Times,
  skip: ReadonlySet<string>,
  privacy: Privacy,
): JsonLog {
  const rest = new Map<string, string>();
  for (const [name, json] of members(text)) {
    if (skip.has(name) || IGNORED.includes(name)) continue;
    const said = valueText(json);
    if (said !== undefined) rest.set(name, said);
  }
  // A key that has a rule is no field of the log, whatever it is called: then it is an attribute, and treated as the rule says.
  const free = (names: readonly string[]): readonly string[] =>
    privacy.unmarked ? names : names.filter((name) => !privacy.marks(name));
  const { tell } = privacy;
  const level = take(rest, free(LEVEL), 'level', tell, (name) =>
    name === 'levelno' ? pythonLevel(Number(value[name])) : readLevel(value[name]),
  );
  // A name of an object is not a logger when nothing else looks like a log line.
  const message = take(rest, free(MESSAGE), 'message', tell, (name) =>
    typeof value[name] === 'string' ? value[name] : undefined,
  );
  const logger = take(rest, free(LOGGER), 'logger', tell, (name) =>
    (message !== undefined || level !== undefined) && typeof value[name] === 'string' ? value[name] : undefined,
  );
  const when =
    take(rest, free(TIME), 'ts', tell, (name) => readTime(value[name], runtime, times)) ?? times.ofNone(runtime);
  const stack = free(STACKS).find((name) => typeof value[name] === 'string' && value[name] !== '');
  if (stack !== undefined) tell?.from('error_type', `line: last class in ${stack}`);
  tell?.from('attributes', 'line: every other key');
  const error_type = stack === undefined ? undefined : rootErrorType(value[stack] as string);
  return { when, message: message ?? '', level, logger, error_type, attributes: rest };
}

/** The first of `names` that `read` understands; it is then no attribute any more. */
function take<T>(
  rest: Map<string, string>,
  names: readonly string[],
  field: string,
  tell: Observer | undefined,
  read: (name: string) => T | undefined,
): T | undefined {
  for (const name of names) {
    if (!rest.has(name)) continue;
    const found = read(name);
    if (found === undefined) continue;
    rest.delete(name);
    tell?.from(field, { key: name });
    return found;
  }
  return undefined;
}

/** An epoch or a text; undefined for what is no time or cannot be stored. */
export function readTime(value: unknown, runtime: string, times: Times): When | undefined {
  let when: When | undefined;
  if (typeof value === 'number') {
    const us = epochTime(value);
    if (us !== undefined) when = times.ofUtc(us, runtime);
  } else if (typeof value === 'string') {
    const time = parseTime(value);
    if (time !== undefined) when = times.of(time, runtime);
  }
  // A time that cannot be stored stays an attribute, as it was written.
  return when?.from === 'line' ? when : undefined;
}
