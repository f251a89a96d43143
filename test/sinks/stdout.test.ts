import { expect, test } from 'vitest';
import { createStdoutSink } from '../../src/sinks/stdout/index.ts';
import { shown, type Output } from '../../src/sinks/stdout/output.ts';
import { never } from '../contract/sink-contract.ts';
import { partOf, stepRow } from '../support/rows.ts';

/** Takes so many bytes a write, and then, as long as `full` says so, none. */
class Disk implements Output {
  readonly name = 'a small disk';
  text = '';
  room = Number.POSITIVE_INFINITY;
  most = Number.POSITIVE_INFINITY;
  code = 'ENOSPC';

  async write(bytes: Buffer): Promise<number> {
    if (this.room === 0) throw Object.assign(new Error('no room'), { code: this.code });
    const taken = Math.min(bytes.length, this.room, this.most);
    this.text += bytes.toString('latin1', 0, taken);
    this.room -= taken;
    return taken;
  }

  get steps(): unknown[] {
    return this.text
      .split('\n')
      .slice(0, -1)
      .map((row) => (JSON.parse(row) as { step: string }).step);
  }
}

const rows = (count: number, name = 'row'): ReturnType<typeof stepRow>[] =>
  Array.from({ length: count }, (_, n) => stepRow({ step: `${name} ${n}`, step_raw: 'x'.repeat(2_000) }));
const named = (count: number, name = 'row'): string[] => Array.from({ length: count }, (_, n) => `${name} ${n}`);

test('what the lines say is written: tasks are derived, and come when they are named', () => {
  expect([...createStdoutSink(new Disk()).tables]).toEqual(['steps', 'logs', 'events', 'resources']);
  expect([...createStdoutSink(new Disk(), { tables: ['tasks', 'steps'] }).tables]).toEqual(['tasks', 'steps']);
});

test('a write that takes a few bytes is gone on with', async () => {
  const disk = new Disk();
  disk.most = 700;
  await createStdoutSink(disk).send(partOf(rows(5)), never);
  expect(disk.steps).toEqual(named(5));
});

test('a part of more than one piece that a full disk cut short is gone on with where it was cut', async () => {
  const disk = new Disk();
  const sink = createStdoutSink(disk);
  disk.room = 500_000;
  const part = partOf(rows(400));
  await expect(sink.send(part, never)).rejects.toMatchObject({ failure: 'retry', code: 'ENOSPC' });
  await expect(sink.send(part, never)).rejects.toMatchObject({ failure: 'retry', code: 'ENOSPC' });
  expect(disk.text).toHaveLength(500_000);
  disk.room = Number.POSITIVE_INFINITY;
  await sink.send(part, never);
  await sink.send(partOf(rows(2, 'next'), { seq: 2 }), never);
  expect(disk.steps).toEqual([...named(400), ...named(2, 'next')]);
  expect(sink.gone.aborted).toBe(false);
});

test('a part that is given up in the middle of a row leaves that row, whole', async () => {
  const disk = new Disk();
  const sink = createStdoutSink(disk);
  disk.room = 5_000;
  await expect(sink.send(partOf(rows(10)), never)).rejects.toMatchObject({ code: 'ENOSPC' });
  disk.room = Number.POSITIVE_INFINITY;
  await sink.send(partOf(rows(2, 'next'), { seq: 2 }), never);
  expect(disk.steps).toEqual([...named(3), ...named(2, 'next')]);
});

test.each(['EPIPE', 'ECONNRESET'])('a reader that is gone is told by %s, and nothing else is', async (code) => {
  const disk = new Disk();
  const sink = createStdoutSink(disk);
  disk.room = 0;
  disk.code = 'EIO';
  await expect(sink.send(partOf(rows(1)), never)).rejects.toMatchObject({ failure: 'hold', code: 'EIO' });
  expect(sink.gone.aborted).toBe(false);
  disk.code = code;
  await expect(sink.send(partOf(rows(1)), never)).rejects.toMatchObject({ code });
  expect(sink.gone.aborted).toBe(true);
});

test('no row does anything to a terminal, and its JSON stays what it says', () => {
  const message = '\u001b[2J\u009b2J\u007f\u0085é';
  const row = JSON.stringify({ message });
  const text = shown(Buffer.from(row));
  // As a row is written, two of them would get through.
  expect(row).toMatch(/[\x7f-\x9f]/);
  expect(text).not.toMatch(/[\x00-\x1f\x7f-\x9f]/);
  expect(JSON.parse(text)).toEqual({ message });
});
