import type { Observer } from '../../observer.ts';
import type { OpenStack } from './pending.ts';
import type { StackState } from './stack.ts';
import type { TextLog } from './text.ts';

/*
 * What the log dialect says of itself to somebody who asks. It takes what no other dialect does, so it also says what a line lacks to be a step.
 */

/** A step has them; a log hardly ever does. */
const OF_STEPS = ['step', 'wall_time_s', 'process_time_s'];

export function tellObject(value: Record<string, unknown>, tell: Observer): void {
  tell.note('dialect', 'a JSON object, and no step', 'log');
  const found = OF_STEPS.filter((name) => name in value);
  if (found.length === 0) return;
  const why = 'event' in value ? 'its event is not flytekit_step' : 'it has no event';
  tell.note('dialect', `${why}, though it has ${found.join(', ')}`, 'not a step');
}

export function tellTerminal(written: string, drawn: string, text: string, tell: Observer): void {
  const states = written.split('\r').filter((state) => state.trim() !== '').length;
  if (states > 1) tell.note('rule', `drawn over: the last of ${states} states is kept`, 'progress bar');
  if (drawn !== text) tell.note('rule', 'escape sequences of the terminal are taken out', 'colours');
}

/** `said` is what the line says of itself. Of a stack its other lines follow. */
export function tellText(text: string, said: TextLog, tell: Observer): void {
  const { message, time, level, logger, attributes } = said;
  const parts = { ts: time, level, logger };
  const before = Object.keys(parts).filter((name) => parts[name as keyof typeof parts] !== undefined);
  const laidOut = logger !== undefined || time !== undefined || attributes.length > 0 || message.length < text.length;
  tell.note(
    'dialect',
    laidOut ? 'text in a known layout' : 'text without a known layout: all of it is the message',
    'log',
  );
  for (const name of before) tell.from(name, laidOut ? 'line: its layout' : 'line: a word in it');
  if (attributes.length > 0) tell.from('attributes', 'line: its layout');
  tell.from('message', laidOut ? 'line: after its layout' : 'line');
  if (text.startsWith('{')) {
    tell.note('dialect', 'it begins like a JSON object and is none: cut off, or written over', 'no JSON');
  }
  if (text.includes('flytekit_step')) {
    tell.note('dialect', 'it names flytekit_step, and not as the event of a JSON object', 'not a step');
  }
}

const KINDS: Readonly<Record<StackState['at'], string>> = {
  captured: 'a trace that flytekit captured',
  frames: 'a Python traceback without its end',
  raised: 'a Python traceback',
  chained: 'a Python traceback without its end',
  group: 'a Python exception group',
  java: 'a Java stack',
  go: 'a Go panic',
  sql: 'the place of an SQL statement, without it',
  told: 'an SQL statement and its place',
};

export function tellStack({ state, lines }: OpenStack, tell: Observer): void {
  tell.note('dialect', `${KINDS[state.at]}: ${lines === 1 ? '1 line' : `${lines} lines joined`}`, 'stack');
  tell.from('error_type', 'last class of the stack');
  tell.from('message', 'line: the whole stack');
}
