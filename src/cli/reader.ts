/*
 * Whoever reads standard output may leave: `| head`.
 */

const end = (): void => process.exit(0);

/** That is no error: the process ends. */
export function endWithReader(): void {
  process.stdout.on('error', end);
}

/** The sink that writes there knows what to do. */
export function outliveReader(): void {
  process.stdout.off('error', end);
}

/** The end of a run. Bytes that its reader has not taken when the grace period is over would keep the process for as long as he likes. */
export function leave(code: number): void {
  process.exitCode = code;
  if (process.stdout.writableLength > 0) process.exit();
}
