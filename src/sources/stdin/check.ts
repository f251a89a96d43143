import { fstatSync } from 'node:fs';
import { isatty } from 'node:tty';
import type { CheckItem } from '../../check/item.ts';
import { bytesText } from '../../check/words.ts';

/** What standard input is for this process; nothing is read from it. `named`: the pipeline names it, so that a run would read from a terminal too. */
export function checkStdin(named: boolean): CheckItem {
  const item = { what: 'stdin', where: '' };
  if (isatty(0)) {
    if (named) return { ...item, state: 'ok', found: 'a terminal' };
    const todo = 'pipe logs into the run (kubectl logs -f POD | steptap) or name files with --input or in `sources`';
    return { ...item, state: 'warning', found: 'is a terminal here: a run would refuse it', todo };
  }
  try {
    const stats = fstatSync(0);
    if (stats.isFile()) return { ...item, state: 'ok', found: `a file of ${bytesText(stats.size)}` };
    if (stats.isFIFO() || stats.isSocket()) return { ...item, state: 'ok', found: 'a pipe' };
    return { ...item, state: 'ok', found: 'a device, such as /dev/null' };
  } catch {
    return { ...item, state: 'warning', found: 'is closed here' };
  }
}
