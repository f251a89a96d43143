/** Says where in an expression something is wrong, and what was expected there. */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError';
  /** From 1. */
  readonly column: number;

  constructor(column: number, problem: string) {
    super(`column ${column}: ${problem}`);
    this.column = column;
  }
}
