import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/**
 * True while some process has the file behind the descriptor open for writing: the command itself, or a daemon that it has left behind. As far as /proc shows this
 * user; without it, false.
 */
export function written(fd: number): boolean {
  const name = linkOf(`/proc/self/fd/${fd}`);
  if (name === undefined) return false;
  for (const pid of list('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    for (const each of list(`/proc/${pid}/fd`)) {
      if (linkOf(`/proc/${pid}/fd/${each}`) === name && writes(`/proc/${pid}/fdinfo/${each}`)) return true;
    }
  }
  return false;
}

/** The last two bits of the flags: 0 is for reading only. */
function writes(info: string): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(info, 'utf8'))?.[1] ?? '0';
    return (Number.parseInt(flags, 8) & 3) !== 0;
  } catch {
    return false;
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    // Another user's, or gone by now.
    return [];
  }
}
