import { errorCode } from '../errors.ts';

/** What the disk itself says of bytes that it cannot give any more. */
const DAMAGE = new Set(['EIO', 'EUCLEAN', 'EBADMSG']);

/**
 * True when what is on the disk is to blame: it will not get better by waiting. Errors without a code are our own, of bytes that make no sense. Others (permissions,
 * open files, memory) say nothing about what is on the disk.
 */
export function isDamage(error: unknown): boolean {
  const code = errorCode(error);
  return code === undefined || DAMAGE.has(code);
}
