import { matcher, type Get } from './match.ts';
import { parse } from './parse.ts';
import { fieldsIn, print } from './tree.ts';

export { ExpressionError } from './error.ts';
export type { Get } from './match.ts';

/**
 * A condition on the fields of an event, in the small language of `--filter`:
 *
 *     status = error and wall_time_s > 200ms          comparisons: = == != < <= > >=
 *     message ~ 'Memory(Error|Limit)' or not task      regular expressions; a field alone: it is there
 *     step in ('Download data', 'Upload data')         one of several
 *     attributes.loss < 0.5 && labels.team != data     keys of maps; !, && and || are not, and, or
 *     component:propeller and message:*FAILED*         Kibana's colon
 *
 * Values are bare words, numbers, durations (`200ms`, `1.5s`, `2m`, in seconds) or text in either quotes, in which the quote itself is written twice; odd names of fields
 * stand in backticks. `:` is `=` in which a `*` of a bare word stands for anything. A comparison with a field that is missing is false, and so `!=` is true. Numbers compare as
 * numbers also where an attribute is stored as text, times as times (UTC). A field that holds a list is compared by its elements: one is enough.
 *
 * Neither an expression nor a value can make it slow: both have bounds, and regular expressions take linear time.
 */
export interface Expression {
  /** Never throws. `get` gives the value of a field, as `rowFields` does of a stored row. */
  matches(get: Get): boolean;
  /** The fields it asks for, each once. */
  readonly fields: readonly string[];
  /** The same in its one spelling. */
  toString(): string;
}

/** Throws an ExpressionError, which says the column and what was expected there. */
export function compileExpression(text: string): Expression {
  const tree = parse(text);
  const printed = print(tree);
  return { matches: matcher(tree), fields: fieldsIn(tree), toString: () => printed };
}
