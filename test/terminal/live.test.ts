import { WriteStream } from 'node:tty';
import headless from '@xterm/headless';
import { expect, test } from 'vitest';
import type { Log } from '../../src/log.ts';
import { Live, watched } from '../../src/terminal/live.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { TROUBLE, view } from './views.ts';

/** A terminal as a stream of node's. */
class Screen {
  readonly terminal = new headless.Terminal({ cols: 80, rows: 24, allowProposedApi: true, convertEol: true });
  writes = 0;
  readonly stream: WriteStream;

  constructor() {
    const write = (text: string): boolean => {
      this.writes += 1;
      this.terminal.write(text);
      return true;
    };
    this.stream = Object.assign(Object.create(WriteStream.prototype) as WriteStream, {
      isTTY: true,
      columns: 80,
      rows: 24,
      write,
    });
  }

  async lines(): Promise<string[]> {
    await new Promise<void>((resolve) => {
      this.terminal.write('', resolve);
    });
    const { active } = this.terminal.buffer;
    const lines = Array.from({ length: active.length }, (_, n) => active.getLine(n)!.translateToString(true));
    return lines.filter((line) => line !== '');
  }
}

function started(foreground = (): boolean => true): { screen: Screen; clock: FakeClock; live: Live; log: Log } {
  const screen = new Screen();
  const clock = new FakeClock();
  const live = new Live(screen.stream, clock, foreground);
  const log = live.above((_severity, message) => void screen.stream.write(`${message}\n`));
  return { screen, clock, live, log };
}

test('the block is drawn four times a second, in place, and is gone at the end', async () => {
  const { screen, clock, live } = started();
  live.start(() => TROUBLE);
  await clock.advance(200);
  expect(screen.writes).toBe(0);
  await clock.advance(2_800);
  expect(screen.writes).toBe(12);
  const lines = await screen.lines();
  expect(lines.filter((line) => line.startsWith('reading'))).toHaveLength(1);
  expect(lines.at(-1)).toBe('dead letters  12 refused by clickhouse   9 schema');
  live.end();
  live.end();
  expect(await screen.lines()).toEqual([]);
  await clock.advance(1_000);
  expect(screen.writes).toBe(13);
});

test('what is logged meanwhile stands above the block, and before and after it where it would have been', async () => {
  const { screen, clock, live, log } = started();
  log('info', 'one');
  live.start(() => view());
  await clock.advance(500);
  log('warning', 'two\nof two lines');
  log('warning', 'three');
  expect(await screen.lines()).toEqual(['one', 'two', 'of two lines', 'three']);
  await clock.advance(250);
  const [block] = [(await screen.lines()).slice(4)];
  expect((await screen.lines()).slice(0, 4)).toEqual(['one', 'two', 'of two lines', 'three']);
  expect(block.map((line) => line.split(' ')[0])).toEqual([
    'reading',
    'so',
    '',
    'clickhouse',
    'prometheus',
    'spool',
    'steps',
  ]);
  live.end();
  log('info', 'four');
  expect(await screen.lines()).toEqual(['one', 'two', 'of two lines', 'three', 'four']);
});

test('a window that becomes narrower, wider, lower or higher has one block in it, and the log as it was', async () => {
  const { screen, clock, live, log } = started();
  log('info', 'kept');
  live.start(() => TROUBLE);
  const sizes = [
    [60, 40],
    [45, 40],
    [100, 30],
    [41, 40],
    [80, 20],
    [80, 12],
  ] as const;
  for (const [columns, rows] of sizes) {
    await clock.advance(250);
    // What was written before the change is on the screen by then.
    await screen.lines();
    screen.terminal.resize(columns, rows);
    Object.assign(screen.stream, { columns, rows });
    await clock.advance(250);
    const lines = await screen.lines();
    expect(lines[0]).toBe('kept');
    expect(lines.filter((line) => line.startsWith('reading'))).toHaveLength(1);
  }
});

test('a process that was stopped by Ctrl-Z and goes on draws below what the shell has said', async () => {
  const { screen, clock, live } = started();
  live.start(() => view());
  await clock.advance(250);
  screen.terminal.write('[1]+  Stopped\n$ fg\n');
  process.emit('SIGCONT', 'SIGCONT');
  await clock.advance(500);
  const lines = await screen.lines();
  const [, , , , , , , stopped, fg, reading] = lines;
  expect([stopped, fg, reading?.split(' ')[0]]).toEqual(['[1]+  Stopped', '$ fg', 'reading']);
  expect(lines.filter((line) => line.startsWith('reading'))).toHaveLength(2);
  live.end();
  expect((await screen.lines()).at(-1)).toBe('$ fg');
});

test('in the background of a shell nothing is drawn, and what was drawn stays where it is', async () => {
  let front = true;
  const { screen, clock, live } = started(() => front);
  live.start(() => view());
  await clock.advance(250);
  front = false;
  const before = screen.writes;
  await clock.advance(1_000);
  screen.terminal.write('$ vi\n');
  live.end();
  expect(screen.writes).toBe(before);
  expect((await screen.lines()).at(-1)).toBe('$ vi');
});

test('nothing is drawn where nobody looks, or where somebody has asked for peace', () => {
  const { stream } = new Screen();
  const terminal = { TERM: 'xterm' };
  expect(watched(stream, terminal)).toBe(true);
  expect(watched(stream, { ...terminal, NO_COLOR: '', CI: '' })).toBe(true);
  for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }, { CI: 'true' }])
    expect(watched(stream, { ...terminal, ...env })).toBe(false);
  expect(watched(Object.assign(stream, { isTTY: false }), terminal)).toBe(false);
});
