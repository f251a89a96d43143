import { exceptionClass, HEADER, indentOf, LONGEST_PREFIX, REPEATED } from './traceback.ts';

/** Of a text full of headers only the last ones are looked at. */
const MOST_HEADERS = 16;

/**
 * The bare class that a whole trace ends in: of Python the one that was raised last (of a chain the last, of a message
 * with a worker's trace in it the worker's), of Java the last cause. In flytekit's captured trace `Message:` names it.
 * Undefined if the text names none.
 */
export function rootErrorType(trace: string): string | undefined {
  const name = capturedClass(trace) ?? raisedClass(trace) ?? causeClass(trace) ?? lastClass(trace);
  // Of `pkg.Outer$Inner`, Java's own short name is Inner.
  return name?.slice(Math.max(name.lastIndexOf('.'), name.lastIndexOf('$', name.length - 2)) + 1);
}

function capturedClass(trace: string): string | undefined {
  const at = trace.lastIndexOf('\nMessage:\n');
  if (at < 0 || !/(?:^|\s)Trace:\s/.test(trace.slice(0, LONGEST_PREFIX))) return undefined;
  return /^\s{0,20}([A-Za-z_]\w{0,200})(?::|\s{0,9}$)/.exec(trace.slice(at + '\nMessage:\n'.length))?.[1];
}

/** The first class behind the last header, at the header's indent: what follows it is the rest of its message. */
function raisedClass(trace: string): string | undefined {
  let end = trace.length;
  for (let tries = 0; tries < MOST_HEADERS && end > 0; tries++) {
    const at = trace.lastIndexOf(HEADER, end - 1);
    if (at < 0) return undefined;
    const before = trace.slice(Math.max(0, at - LONGEST_PREFIX), at);
    const indent = indentOf(bare(before.slice(before.lastIndexOf('\n') + 1)));
    for (let start = at + HEADER.length; start < end;) {
      const newline = trace.indexOf('\n', start);
      const stop = newline < 0 ? end : newline;
      const text = stop > start ? bare(trace.slice(start, stop)) : '';
      const found = text !== '' && indentOf(text) === indent ? exceptionClass(text.trim()) : undefined;
      if (found !== undefined) return found;
      start = stop + 1;
    }
    // It was cut off: then the one before it says more than nothing.
    end = at;
  }
  return undefined;
}

/** Without what a launcher and an exception group's frame put before a line. */
function bare(line: string): string {
  return line.replace(REPEATED, '').replace(/^\s{0,200}[|+] /, '');
}

/** Of Java, and of what is written like it. */
function causeClass(trace: string): string | undefined {
  const cause = [...trace.matchAll(/^[ \t]{0,80}Caused by: ([\w.$]{1,300})/gm)].at(-1)?.[1];
  if (cause !== undefined || !/^[ \t]{1,80}at \S/m.test(trace)) return cause;
  return /^(?:Exception in thread "[^"\n]{0,200}" |: )?((?:[\w$]{1,100}\.){0,20}[A-Z][\w$]{0,200})(?=:|\r?$)/m.exec(
    trace,
  )?.[1];
}

/** A trace without a header: a syntax error, or the class and its message alone. */
function lastClass(trace: string): string | undefined {
  for (let end = trace.length; end >= 0;) {
    const start = end === 0 ? 0 : trace.lastIndexOf('\n', end - 1) + 1;
    const found = start === end ? undefined : exceptionClass(bare(trace.slice(start, end)).trim());
    if (found !== undefined && /(?:error|exception|interrupt|exit|warning|timeout)$/i.test(found)) return found;
    end = start - 1;
  }
  return undefined;
}
