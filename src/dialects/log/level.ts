/** Severity of an ordinary log line, by OpenTelemetry's short names. Read from the line, never from the stream. */
export type Level = 'TRACE' | 'DEBUG' | 'INFO' | 'WARN' | 'ERROR' | 'FATAL';

const SPELLINGS: Readonly<Record<Level, string>> = {
  TRACE: 'trace trc silly finest',
  // torch writes V for DEBUG; OpenTelemetry maps java.util.logging's finer to config, and `verbose`, to DEBUG.
  DEBUG: 'debug dbg verbose finer fine config d v',
  INFO: 'info inf information informational notice success i',
  WARN: 'warn warning wrn w',
  // dpanic panics in development only; in production zap logs it and the program goes on.
  ERROR: 'error err severe dpanic e',
  // GCP's and syslog's alert and emergency, logrus' and zerolog's panic; Python's critical is its highest.
  FATAL: 'fatal ftl critical crit panic pnc alert emergency emerg f c',
};

const LEVELS = new Map<string, Level>();
for (const [level, spellings] of Object.entries(SPELLINGS)) {
  for (const spelling of spellings.split(' ')) LEVELS.set(spelling, level as Level);
}

/** Longer than any spelling with blanks round it: a message in the level's place is not looked at. */
const LONGEST = 32;

/**
 * The level that a producer's word, letter or number means; undefined for what means none (`NOTSET`, `DEFAULT`, `off`).
 *
 * Numbers are pino's and bunyan's, because a number in `level` is theirs: 10 trace to 60 fatal, one between two belongs
 * to the lower. Python's scale is one step off (10 is DEBUG, 50 CRITICAL) and stands in `levelno`: see pythonLevel.
 * Numbers below 10 mean one thing in syslog, another in zap and a third in OpenTelemetry: undefined.
 */
export function readLevel(value: unknown): Level | undefined {
  if (typeof value === 'number') return numberedLevel(value);
  if (typeof value !== 'string' || value.length > LONGEST) return undefined;
  const known = LEVELS.get(value);
  if (known !== undefined) return known;
  const word = value.trim().toLowerCase();
  return /^\d\d$/.test(word) ? numberedLevel(Number(word)) : LEVELS.get(word);
}

/** The level that Python's `levelno` means, loguru's 5 and levels of one's own included. */
export function pythonLevel(levelno: number): Level | undefined {
  return levelno > 0 ? numberedLevel(levelno + 10) : undefined;
}

function numberedLevel(value: number): Level | undefined {
  if (!(value >= 10 && value < 1000)) return undefined;
  if (value < 20) return 'TRACE';
  if (value < 30) return 'DEBUG';
  if (value < 40) return 'INFO';
  if (value < 50) return 'WARN';
  return value < 60 ? 'ERROR' : 'FATAL';
}
