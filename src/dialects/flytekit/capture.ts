import type { Observer } from '../../observer.ts';
import { rootErrorType } from '../log/error-type.ts';
import type { When } from '../when.ts';

/*
 * When a task fails, flytekit prints up to four ERROR lines on logger `flytekit` (bin/entrypoint.py), after the failed step:
 *
 *   opened   `Exception when executing task <name>, reason <text>`, or `Exception when loading_task, reason <text>`
 *   begun    `!! Begin User Error Captured by Flyte !!`, or Non-recoverable System, or Unknown System
 *   traced   `Trace:`, the indented traceback, `Message:`, the indented message: one JSON line, or many lines of text
 *   closed   `!! End Error Captured by Flyte !!`
 *
 * They become one event. Lines of other loggers may stand between them and are let through. Whatever is there when the stream goes quiet,
 * ends, or says something else on that logger becomes the event all the same.
 */

const OPENED = /^Exception when (?:executing task (.+?)|loading_task), reason ([\s\S]*)$/;
const BEGUN = /^!! Begin (User|Non-recoverable System|Unknown System) Error Captured by Flyte !!\s*$/;
const CLOSED = /^!! End Error Captured by Flyte !!\s*$/;

/** A trace in text is kept up to here; more lines are counted and let go. */
const LONGEST_TRACE = 1 << 18;

/** What a captured error has become so far. */
export interface Captured {
  readonly when: When;
  /** Messages taken. Not the lines: one that stands behind a step on its line has none of its own. */
  messages: number;
  lines: number;
  task: string;
  reason: string;
  kind: 'user' | 'system' | undefined;
  trace: string;
  /** True while lines of text that follow may belong to the trace, and blank lines that do only if more of it comes. */
  tracing: boolean;
  blank: number;
}

export type Step = 'taken' | 'closed' | 'other';

export function startsCapture(message: string): boolean {
  return OPENED.test(message) || BEGUN.test(message) || startsTrace(message);
}

function startsTrace(message: string): boolean {
  return message === 'Trace:' || message.startsWith('Trace:\n');
}

export function newCapture(when: When): Captured {
  return { when, messages: 0, lines: 0, task: '', reason: '', kind: undefined, trace: '', tracing: false, blank: 0 };
}

/** Offers a message of logger `flytekit`. `taken`: it belongs to the error; `closed`: it was the last; `other`: it does not belong. */
export function capture(error: Captured, message: string, lines: number): Step {
  const opened = OPENED.exec(message);
  if (opened !== null) {
    if (error.messages > 0) return 'other';
    error.task = opened[1] ?? '';
    error.reason = opened[2]!;
  } else if (CLOSED.test(message)) {
    if (error.messages === 0) return 'other';
    error.lines += lines;
    return 'closed';
  } else if (startsTrace(message)) {
    if (error.trace !== '') return 'other';
    error.trace = message;
    error.tracing = message === 'Trace:';
  } else {
    const begun = BEGUN.exec(message);
    if (begun === null || error.kind !== undefined || error.trace !== '') return 'other';
    error.kind = begun[1] === 'User' ? 'user' : 'system';
  }
  error.messages += 1;
  error.lines += lines;
  return 'taken';
}

/**
 * Offers a line of text behind `[flytekit] Trace:`: blank, indented, or `Message:`. When it does not belong, `blank` lines before it did not either:
 * the caller counts them and sets them to 0.
 */
export function captureText(error: Captured, text: string, lines: number): Step {
  if (!error.tracing) return 'other';
  if (text.trim() === '') {
    error.blank += lines;
    return 'taken';
  }
  if (!(text.startsWith('    ') || text === 'Message:')) {
    error.tracing = false;
    return 'other';
  }
  if (error.trace.length < LONGEST_TRACE) error.trace += `\n${'\n'.repeat(error.blank)}${text}`;
  error.lines += error.blank + lines;
  error.blank = 0;
  return 'taken';
}

/** The class that was raised: the last line of the trace says it. */
export function capturedType(error: Captured): string | undefined {
  return error.trace === '' ? undefined : rootErrorType(error.trace);
}

/** Says where what is printed of an error goes. */
export function tellCaptured(error: Captured, tell: Observer): void {
  tell.note('dialect', 'lines in which the framework prints an error that it captured', 'flytekit');
  const trace = error.trace === '' ? 'line: Exception when ...' : 'line: Trace';
  tell.from('message', trace);
  tell.from('root_error_type', 'last class of the trace');
  tell.from('error_kind', 'line: !! Begin ...');
  tell.from('task', 'line: Exception when ...');
  // They are known only where the step is.
  tell.from('task_project', 'earlier failed step');
  tell.from('task_domain', 'earlier failed step');
  tell.from('attributes', 'line: Exception when ...');
  tell.from('level', 'dialect');
  tell.from('status', 'dialect');
  tell.from('logger', 'dialect');
}
