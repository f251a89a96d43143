/**
 * Something the operator must mend before steptap can run: an option, a file, a permission. The message says what, where and what to do;
 * the process ends with exit code 2.
 */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  /** Files of a pipeline in which something is wrong, or is missing: when one changes it may be right. */
  files: readonly string[] = [];
}

/** The `code` of a system error (`ENOENT`), or undefined. */
export function errorCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}
