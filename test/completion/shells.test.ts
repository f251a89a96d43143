import { execFileSync, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Terminal } from '../support/terminal.ts';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const SHELLS = { bash: 'bash --norc --noprofile -i', zsh: 'zsh -f -i', fish: 'fish --no-config -i' };

let home = '';
const terminals: Terminal[] = [];

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'steptap-completion-'));
  await mkdir(join(home, 'work', 'pod-data'), { recursive: true });
  await writeFile(join(home, 'work', 'pod.log'), '');
});

afterEach(async () => {
  for (const terminal of terminals.splice(0)) await terminal.close();
});

afterAll(() => rm(home, { recursive: true, force: true }));

/** What the shell makes of the line when Tab is pressed: all that is on the screen behind it. */
async function tab(shell: keyof typeof SHELLS, line: string, looks: RegExp): Promise<string> {
  const script = join(home, `script.${shell}`);
  await writeFile(script, execFileSync(process.execPath, [MAIN, 'completion', shell]));
  const terminal = new Terminal(`exec ${SHELLS[shell]}`, {
    columns: 100,
    rows: 50,
    cwd: join(home, 'work'),
    env: { HOME: home, PS1: '$ ', INPUTRC: '/dev/null' },
  });
  terminals.push(terminal);
  // The screen has the word in one piece only when the shell has done it.
  terminal.type(`source ${script} && echo LOAD''ED\n`);
  await terminal.says(/^LOADED/);
  const tabs = shell === 'bash' ? '\t\t' : '\t';
  terminal.type(`steptap ${line}${tabs}`);
  const from = (lines: readonly string[]): string =>
    lines.slice(lines.findLastIndex((each) => each.startsWith('LOADED')) + 1).join('\n');
  return from(await terminal.until((lines) => looks.test(from(lines))));
}

for (const shell of ['bash', 'zsh', 'fish'] as const) {
  const there = spawnSync(shell, ['--version']).status === 0;

  test.runIf(process.env['CI'] === 'true')(`${shell} is there`, () => expect(there).toBe(true));

  describe.skipIf(!there)(`${shell}${there ? '' : ' (not installed)'}`, () => {
    test('an option of the default command is completed without naming it', async () => {
      expect(await tab(shell, '--cl', /--clickhouse /)).toContain('steptap --clickhouse');
    });

    test('a command is completed', async () => {
      expect(await tab(shell, 'q', /steptap query/)).not.toContain('steptap q\n');
    });

    test('the values of an option are offered, and no others', async () => {
      const shown = await tab(shell, 'run --sync ', /^(?=[^]*always)(?=[^]*group)(?=[^]*never)/);
      expect(shown).not.toMatch(/--clickhouse|auto|pod/);
      expect(await tab(shell, 'run --sync=al', /--sync=always/)).toContain('steptap run --sync=always');
    });

    test('commands under a command are offered, with their own options', async () => {
      const shown = await tab(shell, 'spool ', /export/);
      for (const command of ['ls', 'verify', 'cat', 'export']) expect(shown).toContain(command);
      expect(await tab(shell, 'spool export --tab', /--table /)).toContain('steptap spool export --table');
      expect(await tab(shell, 'completion f', /fish/)).toContain('steptap completion fish');
    });

    test('files and directories are offered where an option takes them', async () => {
      expect(await tab(shell, '--input pod.', /pod\.log/)).toContain('steptap --input pod.log');
      // There is a file that begins so too.
      expect(await tab(shell, 'audit --state pod', /pod-data/)).toContain('steptap audit --state pod-data/');
    });
  });
}
