import { readdirSync, readlinkSync } from 'node:fs';

/** Node closes these in every program that it starts; those above reach it. */
const LAST = 16;

/**
 * Descriptors that whoever started this process meant for the command (make's jobserver, `flock 9`, a socket of systemd): those that are open and are not Node's
 * own, which are event queues and pipes with both ends here. To be called before anything else is opened.
 */
export function inherited(): ReadonlySet<number> {
  const links = new Map<number, string>();
  try {
    for (const name of readdirSync('/proc/self/fd')) {
      try {
        links.set(Number(name), readlinkSync(`/proc/self/fd/${name}`));
      } catch {
        // That by which the directory was read.
      }
    }
  } catch {
    // No /proc: the command gets the three that it always has.
  }
  const all = [...links.values()];
  const own = (link: string): boolean =>
    link.startsWith('anon_inode:') ||
    link === '/dev/null' ||
    (link.startsWith('pipe:') && all.filter((each) => each === link).length > 1);
  return new Set([...links].filter(([fd, link]) => fd > 2 && fd <= LAST && !own(link)).map(([fd]) => fd));
}
