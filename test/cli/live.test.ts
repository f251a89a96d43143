import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { HTTP_FAULTS } from '../support/faulty-server.ts';
import { Terminal, type TerminalOptions } from '../support/terminal.ts';
import { Home, line, lines } from './parts.ts';

const home = new Home();
const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const terminals: Terminal[] = [];

afterEach(async () => {
  for (const terminal of terminals.splice(0)) await terminal.close();
});

/** `steptap` at a terminal, on a file that it follows. */
async function follow(url: string, options: Partial<TerminalOptions> = {}, before = 'exec'): Promise<Terminal> {
  await writeFile(join(home.path, 'pod.log'), lines(20));
  const args = `--input pod.log --follow --grace 1 --metrics none --clickhouse ${url}`;
  const command = `${before} '${process.execPath}' '${MAIN}' ${args}`;
  const terminal = new Terminal(command, { columns: 80, rows: 24, cwd: home.path, ...options });
  terminals.push(terminal);
  return terminal;
}

/** The cursor is below everything else: whatever comes next overwrites nothing. */
const below = ({ cursor }: Terminal): boolean => cursor.column === 0 && cursor.last;

const blocks = (all: readonly string[]): number => all.filter((each) => /^reading +\S/.test(each)).length;

test.each([
  [80, 24],
  [40, 12],
  [160, 50],
])(
  'at %i columns and %i rows a run shows what goes on, and at Ctrl-C its table takes the place of that',
  async (columns, rows) => {
    const { server } = await home.clickhouse();
    const terminal = await follow(server.url, { columns, rows });
    await terminal.says(/^steps +20 success/);
    await appendFile(join(home.path, 'pod.log'), lines(5, 'more') + line('bad').replace('1.5', '"long"'));
    const shown = await terminal.says(/^dead letters +1 schema/);
    expect(blocks(shown)).toBe(1);
    const [first] = shown.filter((each) => each.startsWith('clickhouse'));
    expect(first).toMatch(/^clickhouse +running +\d+ +(-|\d s)( +\d+)?$/);
    await terminal.until(() => below(terminal));
    terminal.type('\x03');
    expect(await terminal.ended).toBe(0);
    const left = terminal.lines.join('\n');
    expect(left).not.toMatch(/^(reading +\d|so far|spool|steps) /m);
    expect(left).toMatch(/\n\nSTEP +COUNT .*ERRORS\n/);
    expect(left).toMatch(/dead\s+letter: schema\nread 26 lines, /);
    expect(left).toMatch(/\n\nSINK +STORED +WAITING\nclickhouse +25 +-\n\n/);
    expect(left).toMatch(/\nsteptap: stopped$/);
    expect(below(terminal)).toBe(true);
    // Nothing of the terminal was changed that would have to be changed back.
    expect(terminal.written).not.toMatch(/\x1b\[\?|\x1b[78c]/);
  },
);

test('a sink that is down says why in the block, and the log of it stands above', async () => {
  const { server } = await home.clickhouse();
  server.fault = HTTP_FAULTS.status({ status: 503 });
  const terminal = await follow(server.url);
  const shown = await terminal.says(/^clickhouse +retrying +20 +\d+ s +0/);
  const at = (what: RegExp): number => shown.findIndex((each) => what.test(each));
  expect(at(/^steptap: clickhouse is tried again/)).toBeGreaterThanOrEqual(0);
  expect(at(/^steptap: clickhouse is tried again/)).toBeLessThan(at(/^reading /));
  expect(shown[at(/^clickhouse +retrying/) + 1]).toMatch(/^ {13}\S.*503/);
  expect(blocks(shown)).toBe(1);
});

// That exactly one block is left is tested with a clock: here one may be on its way while the window changes.
test('a window that is pulled narrow and wide again has a block in it that fits', async () => {
  const { server } = await home.clickhouse();
  server.fault = HTTP_FAULTS.status({ status: 503 });
  const terminal = await follow(server.url);
  await terminal.says(/^clickhouse +retrying +20 +\d+ s +0$/);
  // Where there is room, the rows that are stored stand last.
  const sizes = [
    [46, 30, / \d+ s$/],
    [100, 20, / \d+ s +0$/],
    [40, 30, / \d+ s$/],
  ] as const;
  for (const [columns, rows, end] of sizes) {
    terminal.resize(columns, rows);
    const fits = (lines: readonly string[]): boolean => {
      const block = lines.slice(lines.findLastIndex((each) => each.startsWith('reading ')));
      const sink = block.find((each) => each.startsWith('clickhouse'));
      return sink !== undefined && end.test(sink) && block.every(({ length }) => length < columns);
    };
    await terminal.until((lines) => fits(lines) && below(terminal));
  }
  terminal.type('\x03');
  expect(await terminal.ended).toBe(0);
  expect(terminal.lines.at(-1)).toBe('steptap: stopped');
});

test('a second Ctrl-C leaves nothing of the block, and a kill nothing that has to be mended', async () => {
  const { server } = await home.clickhouse();
  server.fault = HTTP_FAULTS.status({ status: 503 });
  const terminal = await follow(server.url, {}, 'echo $$ > pid; exec');
  await terminal.says(/^clickhouse +retrying/);
  terminal.type('\x03');
  await terminal.says(/^steptap: stopping on SIGINT/);
  terminal.type('\x03');
  expect(await terminal.ended).toBe(1);
  expect(blocks(terminal.lines)).toBe(0);
  expect(terminal.lines.at(-1)).toBe('steptap: the next run with the same --state delivers what waits');
  expect(below(terminal)).toBe(true);

  const killed = await follow(server.url, {}, 'echo $$ > pid; exec');
  await killed.says(/^clickhouse +retrying/);
  process.kill(Number(await readFile(join(home.path, 'pid'), 'utf8')), 'SIGKILL');
  expect(await killed.ended).toBe(137);
  expect(blocks(killed.lines)).toBe(1);
  expect(below(killed)).toBe(true);
});

/** Sequences that move the cursor or erase. */
const MOVES = /\x1b\[\d*[A-KP-T]/;

/** When another one has drawn its block three times, this one would have too. */
async function control(): Promise<void> {
  const { server } = await home.clickhouse();
  const drawn = await follow(`${server.url} --state control`);
  await drawn.until(() => drawn.written.split('so far ').length > 3);
}

test.each([
  ['NO_COLOR', { NO_COLOR: '1' }, '', true],
  ['TERM=dumb', { TERM: 'dumb' }, '', true],
  ['CI', { CI: 'true' }, '', true],
  ['--summary never', {}, '--summary never', false],
  ['standard error in a file', {}, '2> log', false],
])('with %s nothing is drawn', async (_what, env, args, table) => {
  const { server, backend } = await home.clickhouse();
  const quiet = await follow(`${server.url} ${args}`, { env });
  while (backend.rows.length < 20) await systemClock.sleep(5, new AbortController().signal);
  await control();
  quiet.type('\x03');
  expect(await quiet.ended).toBe(0);
  expect(quiet.written).not.toMatch(MOVES);
  expect(quiet.written).not.toContain('so far');
  expect(quiet.lines.some((each) => each.startsWith('STEP'))).toBe(table);
});

test('in the background of a shell nothing is drawn', async () => {
  const { server, backend } = await home.clickhouse();
  const terminal = await follow(`${server.url} & echo $! > pid; wait`, {}, 'set -m;');
  while (backend.rows.length < 20) await systemClock.sleep(5, new AbortController().signal);
  await control();
  process.kill(Number(await readFile(join(home.path, 'pid'), 'utf8')), 'SIGTERM');
  await terminal.ended;
  expect(terminal.written).not.toMatch(MOVES);
  expect(terminal.lines.some((each) => each.startsWith('STEP'))).toBe(true);
});

test('what a step is called does not reach the terminal as it is', async () => {
  const { server } = await home.clickhouse();
  const terminal = await follow(server.url);
  await terminal.says(/^steps +20 success/);
  await appendFile(join(home.path, 'pod.log'), line('\\u001b]0;title\\u0007\\u001b[2J\\u009b31m大型 step', 9));
  await terminal.says(/^steps +21 success/);
  terminal.type('\x03');
  await terminal.ended;
  expect(terminal.lines.find((each) => each.includes('title'))).toMatch(/title.*大型 step +1 /);
  expect(terminal.written).not.toMatch(/\x1b\]|\x1b\[2J|[\x07\x80-\x9f]/);
});
