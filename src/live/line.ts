import { lineOf, type Colour, type Paint, type Span } from '../terminal/paint.ts';
import { age } from '../terminal/text.ts';

export type Row = Readonly<Record<string, unknown>>;

/** How wide it is, and how it is painted. */
export interface Layout {
  readonly columns: number;
  readonly paint: Paint;
  /** At a terminal the time of the day is enough. */
  readonly dates: boolean;
}

/** From here on there is room for the execution and the pod, too. */
const WIDE = 120;
const MARK = 6;
const DURATION = 8;

/** One event as one line: time, how it went, how long it took, what it was, and whose. Without anything that a terminal would obey. */
export function eventLine(row: Row, { columns, paint, dates }: Layout): string {
  const ts = text(row['ts']);
  const time = dates ? `${ts.slice(0, 23)}Z` : ts.slice(11, 23);
  const seconds = row['wall_time_s'];
  const spans: Span[] = [
    { text: `${time}  `, colour: 'dim' },
    markOf(row),
    { text: (typeof seconds === 'number' ? duration(seconds) : '').padStart(DURATION) },
    { text: '  ' },
    ...(row['kind'] === 'log' || row['kind'] === 'error' ? said(row) : done(row)),
    ...(columns >= WIDE ? whose(row) : []),
  ];
  return lineOf(spans, columns, paint).trimEnd();
}

const MARKS: Readonly<Record<string, readonly [string, Colour | undefined]>> = {
  success: ['ok', undefined],
  error: ['FAIL', 'red'],
  canceled: ['stop', 'yellow'],
  running: ['run', 'dim'],
  unknown: ['?', 'dim'],
  FATAL: ['FATAL', 'red'],
  ERROR: ['ERROR', 'red'],
  WARN: ['WARN', 'yellow'],
};

function markOf(row: Row): Span {
  const said = row['kind'] === 'error' ? 'ERROR' : text(row['status']) || text(row['level']);
  const [mark, colour] = Object.hasOwn(MARKS, said)
    ? MARKS[said]!
    : [said.toLowerCase().slice(0, MARK - 1), 'dim' as const];
  return { text: mark.padEnd(MARK), colour };
}

/** Of what was done: its name, its task, and how it failed. */
function done(row: Row): Span[] {
  const task = text(row['task']);
  const whole = row['kind'] === 'task' && task !== '';
  const name = whole ? task : text(row['step']) || text(row['event']) || text(row['kind']);
  const attempt = row['attempt'];
  const again = typeof attempt === 'number' && attempt > 0 ? `  attempt ${attempt}` : '';
  const failed = text(row['root_error_type']) || text(row['error_type']);
  return [
    { text: name, colour: row['status'] === 'error' ? 'red' : 'bold' },
    ...(failed === '' ? [] : [{ text: `  ${failed}`, colour: 'red' as const }]),
    ...(task === '' || whole ? [] : [{ text: `  ${task}`, colour: 'dim' as const }]),
    { text: again, colour: 'dim' },
    { text: figures(row) },
    ...(text(row['message']) === '' ? [] : [{ text: `  ${first(text(row['message']))}` }]),
  ];
}

const FIGURES = { cpu_percent: 'cpu', memory_percent: 'memory', gpu_percent: 'gpu' } as const;

/** Of a resource: where, and how busy it is. */
function figures(row: Row): string {
  const busy = Object.entries(FIGURES).flatMap(([name, label]) => {
    const percent = row[name];
    return typeof percent === 'number' ? [`${label} ${percent.toFixed(0)} %`] : [];
  });
  return busy.length === 0 ? '' : `  ${[text(row['node']), ...busy].filter((part) => part !== '').join('  ')}`;
}

/** Of what was said: by whom, and its first line. */
function said(row: Row): Span[] {
  const error = row['kind'] === 'error';
  const message = text(row['message']);
  const name = error ? text(row['root_error_type']) || text(row['error_type']) : text(row['logger']);
  const line = first(message);
  const level = text(row['level']);
  const bad = error || level === 'ERROR' || level === 'FATAL';
  const named =
    name === '' || line.startsWith(name)
      ? []
      : [{ text: `${name}  `, colour: bad ? ('red' as const) : ('dim' as const) }];
  const task = error ? text(row['task']) : '';
  return [
    ...named,
    { text: line, colour: error ? 'red' : undefined },
    ...(task === '' ? [] : [{ text: `  ${task}`, colour: 'dim' as const }]),
  ];
}

function whose(row: Row): Span[] {
  const names = [text(row['execution_id']), text(row['pod'])].filter((name) => name !== '');
  return names.length === 0 ? [] : [{ text: `  ${names.join(' ')}`, colour: 'dim' }];
}

/** The first line; of a trace in Python the last, which says what went wrong. */
function first(message: string): string {
  const lines = message.trim().split('\n');
  const line = lines.at(/^Trace(?:back\b|:)/.test(lines[0]!) ? -1 : 0)!.trim();
  return lines.length === 1 ? line : `${line} (+${lines.length - 1} lines)`;
}

/** In at most seven columns: `<0.1 ms`, `0.4 ms`, `152 ms`, `1.52 s`, `12m05s`. */
function duration(seconds: number): string {
  if (seconds < 0.000_05) return '<0.1 ms';
  if (seconds < 0.009_95) return `${(seconds * 1000).toFixed(1)} ms`;
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.995) return `${seconds.toFixed(2)} s`;
  return seconds < 59.95 ? `${seconds.toFixed(1)} s` : age(seconds);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
