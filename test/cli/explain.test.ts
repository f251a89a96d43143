import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Home, line } from './parts.ts';

const home = new Home();
const NOTHING = { input: '' };

interface Told {
  readonly lines: number[];
  readonly to: string;
  readonly reason?: string;
  readonly fields: readonly { readonly name: string; readonly value: unknown; readonly from: string }[];
}

const read = (stdout: string): Told[] =>
  stdout
    .trimEnd()
    .split('\n')
    .map((each) => JSON.parse(each) as Told);

describe('steptap explain', () => {
  test('explains the line that is its argument', async () => {
    const { code, stdout, stderr } = await home.start(['explain', line('load_task')]).ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('line 1 → steps: load_task, success\n');
    expect(stdout).toMatch(/^ {2}task {12}t\.f +line: task_name$/m);
    expect(stdout).not.toContain('\u001b');
  });

  test('explains standard input to a program, with the options of a run', async () => {
    const input = `${line('load_task')}hello token=secret-71\n`;
    const options = ['--json', '--set', 'pod=p-7', '--mask', 'token'];
    const { code, stdout } = await home.start(['explain', ...options], { input }).ended;
    expect(code).toBe(0);
    expect(stdout).not.toContain('secret-71');
    const [step, log] = read(stdout);
    expect([step?.to, log?.to, log?.lines]).toEqual(['steps', 'logs', [2]]);
    expect(step?.fields).toContainEqual({ name: 'pod', value: 'p-7', from: 'constant (--set)' });
    expect(log?.fields).toContainEqual({ name: 'message', value: 'hello token=***', from: 'line' });
  });

  test('a rejected line is an answer, not a failure', async () => {
    const { code, stdout } = await home.start(['explain', '--json', '{"event": "flytekit_step"}'], NOTHING).ended;
    expect(code).toBe(0);
    expect(read(stdout)).toMatchObject([{ to: 'rejections', reason: 'schema' }]);
  });

  test('reads the first ten lines of a file, and names it as a run does', async () => {
    await writeFile(join(home.path, 'pod.log'), '{"event": "flytekit_step"}\n'.repeat(12));
    const { code, stdout, stderr } = await home.start(['explain', '--input', 'pod.log', '--json'], NOTHING).ended;
    expect(code).toBe(0);
    expect(read(stdout)).toHaveLength(10);
    const source = read(stdout)[0]?.fields.find(({ name }) => name === 'source');
    expect(source?.value).toBe(join(home.path, 'pod.log'));
    expect(stderr).toContain('--lines 100 explains more');
  });

  test('waits for no more lines than it was asked for', async () => {
    const cli = home.start(['explain', '--lines', '2', '--json']);
    await cli.write('one\ntwo\nthr');
    const { code, stdout } = await cli.ended;
    expect(code).toBe(0);
    expect(read(stdout).map(({ lines }) => lines)).toEqual([[1], [2]]);
  });

  test('stores nothing', async () => {
    await home.start(['explain', line('x')], NOTHING).ended;
    await expect(home.rows('steptap-data')).rejects.toThrow('ENOENT');
  });

  test.each([
    [['--input', 'none.log'], 'none.log: there is no such file'],
    [['--input', '.'], 'cannot be read (EISDIR)'],
    [['--lines', '0'], '--lines 0: give a whole number from 1'],
    [['--lines', 'all'], '--lines all: give a whole number'],
    [['a line', '--input', 'x'], '--input x: name a line or a file, not both'],
    [['--timezone', 'Mars'], '--timezone Mars: no such zone'],
    [['one', 'two'], 'too many arguments'],
  ])('%j is refused', async (args, message) => {
    const { code, stdout, stderr } = await home.start(['explain', ...args], NOTHING).ended;
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(message);
  });
});
