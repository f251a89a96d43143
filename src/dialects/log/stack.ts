import { SQL_PLACE, SQL_STATEMENT } from './sql.ts';
import { exceptionClass, HEADER, indentOf, LONGEST_PREFIX, REPEATED } from './traceback.ts';

/**
 * Where a stack stands after some of its lines. Plain data: an open join is kept with a source's position.
 *
 *   captured  flytekit's `[flytekit] Trace:`, with all of it indented by four, and `Message:` between
 *   frames    a Python traceback's header has been read; deeper lines are frames, the first at its own indent is the class
 *   raised    `Class: message` has been read: complete, unless blank lines and one of Python's two chain lines follow
 *   chained   a chain line has been read; a header must follow
 *   group     a Python exception group: every line has a bar or a plus
 *   java      `Class: message` of Java has been read; frames and causes follow
 *   go        a panic or a goroutine's header has been read; calls, files and more goroutines follow
 *   sql       the place of a statement has been read; the statement follows
 *   told      it has: nothing follows
 *
 * Blank lines belong only if a line that belongs follows: until then they are counted in `held`.
 */
export interface StackState {
  readonly at: 'captured' | 'frames' | 'raised' | 'chained' | 'group' | 'java' | 'go' | 'sql' | 'told';
  /** Blanks before a Python header: its class stands as deep. */
  readonly indent: number;
  /** What a launcher puts before every line (`[rank0]: `), else `''`. */
  readonly prefix: string;
  /** Blank lines at the end that may not belong. */
  readonly held: number;
}

const CHAINS = [
  'During handling of the above exception, another exception occurred:',
  'The above exception was the direct cause of the following exception:',
];

/** More blank lines than any stack has in a row. */
const MOST_HELD = 2;

/** The state after a stack's first line; undefined if the line begins none. Lines come without newline and colours. */
export function startStack(line: string): StackState | undefined {
  const text = line.trimEnd();
  if (text.endsWith(HEADER)) return startPython(text.slice(0, -HEADER.length));
  if (/^(?:panic: |fatal error: |goroutine \d{1,12} \[[^\]]{1,80}\]:$)/.test(text)) return state('go');
  if (
    /^(?:Exception in thread ".{0,200}" \S|(?:[a-z]\w{0,60}\.){1,12}[A-Z][\w$]{0,100}(?<=Exception|Error|Throwable)(?:: |$))/.test(
      text,
    )
  ) {
    return state('java');
  }
  if (SQL_PLACE.test(text)) return state('sql');
  return /^\[flytekit[\w.]{0,60}\] Trace:$/.test(text) ? state('captured') : undefined;
}

/**
 * The state after one more line; undefined if the line does not belong. Then the stack ended before the last `held`
 * lines, which are blank lines of the log, and the caller reads this line on its own: it may begin the next stack.
 */
export function continueStack(last: StackState, line: string): StackState | undefined {
  const prefixed = last.prefix !== '' && line.startsWith(last.prefix.trimEnd());
  const text = (prefixed ? line.slice(last.prefix.length) : line).trimEnd();
  if (text === '') return last.held < MOST_HELD ? { ...last, held: last.held + 1 } : undefined;
  const next = STEPS[last.at](text, last);
  return next === undefined ? undefined : { ...next, prefix: last.prefix, held: 0 };
}

type Step = (text: string, last: StackState) => StackState | undefined;

const STEPS: Readonly<Record<StackState['at'], Step>> = {
  captured: (text, last) => (text.startsWith('    ') || text === 'Message:' ? last : undefined),
  frames(text, last) {
    const indent = indentOf(text);
    if (indent > last.indent) return last;
    return indent === last.indent && exceptionClass(text.slice(indent)) !== undefined
      ? { ...last, at: 'raised' }
      : undefined;
  },
  raised(text, last) {
    if (CHAINS.includes(text.trimStart())) return { ...last, at: 'chained' };
    // A worker's trace inside the message of torch's DataLoader, and Spark's inside that of Py4J.
    if (text.endsWith(`Original ${HEADER}`)) return startPython(text.slice(0, -HEADER.length));
    if (/^: (?:[a-z]\w{0,60}\.){1,12}[A-Z]/.test(text)) return { ...last, at: 'java' };
    // In an indented trace the lines of a long message are indented too.
    return last.indent > 0 && indentOf(text) >= last.indent ? last : undefined;
  },
  chained(text, last) {
    if (text.endsWith(HEADER)) return startPython(text.slice(0, -HEADER.length));
    return exceptionClass(text.trimStart()) === undefined ? undefined : { ...last, at: 'raised' };
  },
  group(text, last) {
    if (CHAINS.includes(text)) return { ...last, at: 'chained' };
    return /^ {2,200}[|+]/.test(text) ? last : undefined;
  },
  java: (text, last) =>
    /^\s{0,40}(?:\sat \S|\.\.\. \d{1,6} |Caused by: |Suppressed: |\[CIRCULAR REFERENCE)/.test(text) ? last : undefined,
  go: (text, last) => (GO_LINE.test(text) || isGoCall(text) ? last : undefined),
  sql: (text, last) => (SQL_STATEMENT.test(text) ? { ...last, at: 'told' } : undefined),
  told: () => undefined,
};

const GO_LINE =
  /^(?:\t|goroutine \d|\[signal |panic(?:: |\()|created by |runtime stack:|\.\.\.|exit status \d|[a-z]\w{1,5} {1,8}0x[\da-f]{1,16}$)/;

/** `main.(*Worker).run(0xc000010000, {0x1, 0x2})` */
function isGoCall(text: string): boolean {
  const name = text.slice(0, text.indexOf('('));
  return text.endsWith(')') && name.includes('.') && !name.includes(' ');
}

function startPython(before: string): StackState | undefined {
  if (before.length > LONGEST_PREFIX) return undefined;
  const prefix = REPEATED.exec(before)?.[1] ?? '';
  const rest = before.slice(prefix.length);
  if (rest.endsWith('+ Exception Group ')) return { ...state('group'), prefix };
  // Behind a quote or a letter it is somebody's text about a traceback.
  return /^$|[\s:\])]$/.test(rest) ? { ...state('frames'), prefix, indent: indentOf(rest) } : undefined;
}

function state(at: StackState['at']): StackState {
  return { at, indent: 0, prefix: '', held: 0 };
}
