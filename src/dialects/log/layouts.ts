/*
 * The layouts of ordinary log lines, as patterns for the start of a text. In every list the first that fits wins, so the
 * more particular stands first.
 */

/** No known prefix is longer, and what a regular expression may look at must not grow with the line. */
export const HEAD = 400;

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
export const WRAPPERS =
  /^(?:\[(?:rank|default)(?<rank>\d{1,6})\]:? ?|\((?<ray_task>[^()\s]{1,100}) pid=(?<pid>\d{1,10})(?:, ip=(?<ip>[\da-f.:]{1,45}))?\) )/;

/** Most lines that begin with a digit or a bracket begin with a time; Spark's has two digits for the year. */
export const DATE = layout`(?<bracket>\[)?(?:TIME|(?<spark>\d\d/\d\d/\d\d CLOCK))`;

/** zap's development layout: level, logger, caller, message and a JSON object, with tabs between. */
export const ZAP = layout`\tANYCASE\t(?:LOGGER\t)?(?:CALLER\t)?`;

/** What may follow the time that a line begins with. */
export const AFTER_TIME: readonly RegExp[] = [
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

export const AFTER_SPARK_TIME: readonly RegExp[] = [layout` LEVEL (?:(?<logger>[\w.$]{1,120}): )?`];

export const AFTER_BRACKETED_TIME: readonly RegExp[] = [
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

export const BRACKETED: readonly RegExp[] = [
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
export const PYTHON_WARNING = layout`(?<caller>(?:<frozen [\w.]{1,100}>|[\w./\\<>~+-]{1,200}):\d{1,7}): (?=\w{0,80}Warning: )`;

export const WORDY: readonly RegExp[] = [
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
