import { spawnSync, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';

const FORWARDED: readonly NodeJS.Signals[] = [
  'SIGTERM',
  'SIGINT',
  'SIGHUP',
  'SIGQUIT',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGWINCH',
  'SIGCONT',
  'SIGURG',
  'SIGIO',
  'SIGPWR',
  'SIGVTALRM',
];

/** Passes on what this process is sent. What is typed at a terminal reaches the command by itself, since it is in the same group. */
export function forwardSignals(to: ChildProcess): void {
  for (const signal of FORWARDED) {
    process.on(signal, () => {
      if ((signal === 'SIGINT' || signal === 'SIGQUIT') && inForeground()) return;
      to.kill(signal);
    });
  }
}

/** Whoever sends one when the command has ended does not want to wait any longer. */
export function leaveOnSignal(leave: () => void): void {
  for (const signal of FORWARDED.slice(0, 4)) process.on(signal, leave);
}

/** True when a terminal's keys go to this process group. */
function inForeground(): boolean {
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8');
    // Behind the name, which may contain anything: state, parent, group, session, terminal, and the group in the terminal's foreground.
    const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return group === foreground;
  } catch {
    return false;
  }
}

/** How a command has ended. */
export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Ends this process in the same way. */
export function endAs({ code, signal }: Outcome): void {
  if (signal === null) process.exit(code ?? 1);
  const status = 128 + constants.signals[signal];
  // The first process of a container is not ended by its own signals.
  if (process.pid === 1) process.exit(status);
  if (signal !== 'SIGKILL') {
    // Back to what the system does: Node ignores some, and has handlers of its own for others.
    process.on(signal, () => {});
    process.removeAllListeners(signal);
    // The core that counts is the command's.
    spawnSync('prlimit', ['--pid', `${process.pid}`, '--core=0'], { stdio: 'ignore' });
  }
  process.kill(process.pid, signal);
  setTimeout(() => process.exit(status), 1_000);
}
