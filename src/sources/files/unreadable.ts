import { errorCode } from '../../errors.ts';

const RIGHTS =
  'let its user read it: containerd writes logs for group 0 (run as any user with group 0), cri-o for user 0 alone (run as root, with no capability but DAC_READ_SEARCH)';

/** What is said of a file that cannot be read. */
export function unreadable(path: string, error: Error): string {
  const code = errorCode(error);
  return `${path} cannot be read (${code ?? error.message}): ${todoOf(code)}`;
}

/** What helps. */
export function todoOf(code: string | undefined): string {
  if (code === 'EACCES' || code === 'EPERM') return RIGHTS;
  if (code === 'EMFILE' || code === 'ENFILE')
    return 'raise the limit of open files (LimitNOFILE of systemd, ulimit -n); it is tried again';
  return 'it is tried again';
}
