import { PatternError, readPattern, type Holds, type Part } from './pattern-parts.ts';

export { PatternError } from './pattern-parts.ts';

/** What one step of the machine does: takes a character, looks at its place, or goes on in one or two others. */
interface Step {
  readonly test?: (point: string) => boolean;
  readonly holds?: Holds;
  next: number;
  other: number;
}

export const MOST_STEPS = 500;
const LONGEST = 500;
/** Of a longer text only the beginning is looked at. */
const LONGEST_TEXT = 16_384;

/**
 * A regular expression that takes time in proportion to the text, whatever the two are: all ways in which it may fit are followed at once, and none is tried twice
 * (https://swtch.com/~rsc/regexp/regexp1.html). JavaScript's own tries them one after the other, and a hostile line could hold the process for hours.
 *
 * It means what JavaScript means by it with the flag `u`, anywhere in the text; `(?i)` at its beginning passes over upper and lower case. Without references to groups and
 * without looking ahead or behind: a PatternError says so. Sees the first 16,384 characters of a text.
 */
export function compilePattern(source: string): (text: string) => boolean {
  const steps = stepsOf(source);
  if (steps === undefined) return (text) => text.includes(source);
  const run = machine(steps);
  return (text) => run(text.length > LONGEST_TEXT ? text.slice(0, LONGEST_TEXT) : text);
}

/** How many steps its machine has, which is what a character of a text may cost. Throws a PatternError. */
export function patternSteps(source: string): number {
  return stepsOf(source)?.length ?? 0;
}

/** Undefined for a text that stands for itself. */
function stepsOf(source: string): Step[] | undefined {
  if (source.length > LONGEST) throw new PatternError(LONGEST, `the pattern is longer than ${LONGEST} characters`);
  const fold = source.startsWith('(?i)');
  if (!fold && !/[\\[\](){}*+?|^$.]/.test(source)) return undefined;
  const steps: Step[] = [];
  lay(readPattern(source, fold), steps);
  return steps;
}

/** Writes the steps of a part behind those that there are; the end of the part is the end of the list. */
function lay(part: Part, steps: Step[]): void {
  switch (part.kind) {
    case 'one':
      push(steps, { test: part.test });
      return;
    case 'assert':
      push(steps, { holds: part.holds });
      return;
    case 'all':
      for (const each of part.parts) lay(each, steps);
      return;
    case 'either': {
      const last = part.parts.length - 1;
      const ends = part.parts.map((each, n) => {
        const fork = n < last ? push(steps, {}) : undefined;
        lay(each, steps);
        const end = n < last ? push(steps, {}) : undefined;
        if (fork !== undefined) fork.other = steps.length;
        return end;
      });
      for (const end of ends) if (end !== undefined) end.next = steps.length;
      return;
    }
    case 'repeat':
      layRepeat(part, steps);
  }
}

function layRepeat({ part, least, most }: Extract<Part, { kind: 'repeat' }>, steps: Step[]): void {
  for (let n = 0; n < least; n++) {
    const before = steps.length;
    lay(part, steps);
    // Nothing, as often as you like, is nothing.
    if (steps.length === before) return;
  }
  if (most === Number.POSITIVE_INFINITY) {
    const at = steps.length;
    const fork = push(steps, {});
    lay(part, steps);
    push(steps, {}).next = at;
    fork.other = steps.length;
    return;
  }
  const forks: Step[] = [];
  for (let n = least; n < most; n++) {
    forks.push(push(steps, {}));
    lay(part, steps);
  }
  for (const fork of forks) fork.other = steps.length;
}

function push(steps: Step[], what: Pick<Step, 'test' | 'holds'>): Step {
  if (steps.length >= MOST_STEPS)
    throw new PatternError(0, 'the pattern repeats too much: it would take more than 500 steps');
  const step: Step = { ...what, next: steps.length + 1, other: -1 };
  steps.push(step);
  return step;
}

/** True for texts in which some way through the steps leads to their end. */
function machine(steps: readonly Step[]): (text: string) => boolean {
  const end = steps.length;
  /** By step: the character before which it was last reached. */
  const reached = new Float64Array(end).fill(-1);
  return (text) => {
    reached.fill(-1);
    let now: Step[] = [];
    /** All that is reached from a step without taking a character; true when that is the end. */
    const follow = (from: number, at: number, before: string | undefined, after: string | undefined): boolean => {
      for (let n = from; n !== end;) {
        if (reached[n] === at) return false;
        reached[n] = at;
        const step = steps[n]!;
        if (step.test !== undefined) {
          now.push(step);
          return false;
        }
        if (step.holds?.(before, after) === false) return false;
        if (step.other !== -1 && follow(step.other, at, before, after)) return true;
        n = step.next;
      }
      return true;
    };
    let before: string | undefined;
    for (let at = 0; ;) {
      const code = text.codePointAt(at);
      const point = code === undefined ? undefined : String.fromCodePoint(code);
      if (follow(0, at, before, point)) return true;
      if (point === undefined) return false;
      const here = now;
      now = [];
      const next = at + point.length;
      const nextCode = text.codePointAt(next);
      const after = nextCode === undefined ? undefined : String.fromCodePoint(nextCode);
      for (const step of here) if (step.test!(point) && follow(step.next, next, point, after)) return true;
      before = point;
      at = next;
    }
  };
}
