import { appendFileSync, closeSync, openSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { growingFile, type GrowingFile } from '../../src/sources/exec/index.ts';
import type { Opened } from '../../src/sources/source.ts';
import { FakeClock } from '../support/fake-clock.ts';

let directory = '';
let path = '';
let fd = -1;
const clock = new FakeClock();

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'steptap-growing-'));
  path = join(directory, 'stderr');
  writeFileSync(path, '');
  fd = openSync(path, 'r');
});

afterEach(async () => {
  closeSync(fd);
  await rm(directory, { recursive: true, force: true });
});

const source = (): GrowingFile => growingFile('stderr', fd, clock);

async function rest({ bytes }: Opened): Promise<string> {
  let text = '';
  for await (const piece of bytes) text += String(piece);
  return text;
}

/** The next bytes, however many looks it takes. */
async function next({ bytes }: Opened): Promise<string> {
  for (;;) {
    const piece = bytes.read() as Buffer | null;
    if (piece !== null) return piece.toString('utf8');
    await clock.advance(100);
    await new Promise(setImmediate);
  }
}

test('a file without a name is read as it grows, and to its end when nothing more is written', async () => {
  appendFileSync(path, 'one\n');
  const growing = source();
  const opened = growing.open(undefined);
  expect(opened).toMatchObject({ offset: 0, carried: 'end' });
  expect(await next(opened)).toBe('one\n');
  appendFileSync(path, 'two\n');
  unlinkSync(path);
  expect(await next(opened)).toBe('two\n');
  growing.end();
  expect(await rest(opened)).toBe('');
});

test('it goes on at its position, and not at that of another file under the same name', async () => {
  appendFileSync(path, 'one\ntwo\n');
  const first = source();
  const opened = first.open(undefined);
  expect(await next(opened)).toBe('one\ntwo\n');
  const position = first.position(4);
  const again = source();
  again.end();
  const resumed = again.open(position);
  expect(resumed).toMatchObject({ offset: 4 });
  expect(resumed.carried).toBeUndefined();
  expect(await rest(resumed)).toBe('two\n');
  const other = source();
  other.end();
  const anew = other.open({ ...position, ino: '1' });
  expect(anew).toMatchObject({ offset: 0, carried: 'end' });
  expect(await rest(anew)).toBe('one\ntwo\n');
  first.end();
  await rest(opened);
});

test('when it is truncated it is read from its start, and its position is in what it is now', async () => {
  appendFileSync(path, 'first words\n');
  const growing = source();
  const opened = growing.open(undefined);
  expect(await next(opened)).toBe('first words\n');
  truncateSync(path);
  appendFileSync(path, 'other\n');
  expect(await next(opened)).toBe('other\n');
  expect(growing.position(18)).toMatchObject({ offset: 6 });
  growing.end();
  await rest(opened);
});
