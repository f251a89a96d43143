import { appendFileSync, closeSync, openSync, readFileSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Copy } from '../../src/exec/copy.ts';
import { copied, type Tape } from '../../src/exec/tape.ts';

let directory = '';
let tape: Tape;
let to = -1;
const path = (name: string): string => join(directory, name);
const out = (): string => readFileSync(path('out'), 'utf8');
/** Copies what is there, and looks once more. */
const look = async (copy: Copy): Promise<void> => copy.run(AbortSignal.abort());

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'steptap-copy-'));
  writeFileSync(path('tape'), 'words\n');
  tape = { fd: openSync(path('tape'), 'r'), marks: openSync(path('marks'), 'w+') };
  to = openSync(path('out'), 'a');
});

afterEach(async () => {
  for (const fd of [tape.fd, tape.marks, to]) closeSync(fd);
  await rm(directory, { recursive: true, force: true });
});

test('another process goes on where the first one was', async () => {
  await look(new Copy(tape, to));
  expect(copied(tape)).toBe(6);
  appendFileSync(path('tape'), 'more\n');
  await look(new Copy(tape, to));
  expect(out()).toBe('words\nmore\n');
});

test('a tape that was truncated is copied from its start, though it is as long as before', async () => {
  const copy = new Copy(tape, to);
  await look(copy);
  truncateSync(path('tape'));
  appendFileSync(path('tape'), 'a\n');
  await look(copy);
  await look(copy);
  writeFileSync(path('tape'), 'b\n');
  await look(copy);
  expect(out()).toBe('words\na\nb\n');
});

test('a tape that is being written, with a new time and the old length, is not copied twice', async () => {
  const copy = new Copy(tape, to);
  await look(copy);
  utimesSync(path('tape'), 1, 1);
  await look(copy);
  utimesSync(path('tape'), 2, 2);
  await look(copy);
  appendFileSync(path('tape'), 'more\n');
  await look(copy);
  expect(out()).toBe('words\nmore\n');
});

test('what cannot be written is passed over', async () => {
  const full = openSync('/dev/full', 'w');
  try {
    await look(new Copy(tape, full));
  } finally {
    closeSync(full);
  }
  appendFileSync(path('tape'), 'more\n');
  await look(new Copy(tape, to));
  expect(out()).toBe('more\n');
});
