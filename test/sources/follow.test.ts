import { appendFile, copyFile, mkdir, rename, rm, rmdir, truncate, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { Place, real } from './parts.ts';

const place = new Place();
const FOLLOW = { follow: true };

/** The writer renames its file, and goes on in a new one. */
async function rotate(to: string, content?: string): Promise<void> {
  await rename(place.at('a.log'), place.at(to));
  // Two files that are born in one tick of the kernel's clock are of the same age.
  await real(12);
  if (content !== undefined) await writeFile(place.at('a.log'), content);
}

test('A file that is followed goes on with what is written later, in whatever pieces', async () => {
  await writeFile(place.at('a.log'), 'one\n');
  const reading = place.read('a.log', undefined, FOLLOW);
  expect(reading.source.follows).toBe(true);
  await reading.says('one\n');
  await appendFile(place.at('a.log'), 'tw');
  await reading.says('one\ntw');
  await appendFile(place.at('a.log'), 'o\n');
  await reading.says('one\ntwo\n');
  await reading.pass(2_000);
  expect(reading.ended).toBe(false);
  expect(reading.position()).toMatchObject({ offset: 8 });
  await reading.stop();
  await appendFile(place.at('a.log'), 'three\n');
  await place.read('a.log', reading.position(), FOLLOW).says('three\n');
});

test('A file that is not there yet is waited for, and that is said once', async () => {
  const reading = place.read('a.log', undefined, FOLLOW);
  await reading.pass(1_000);
  expect(place.said).toEqual(['waiting for a.log: there is no such file yet']);
  const before = reading.position();
  await writeFile(place.at('a.log'), 'one\n');
  await reading.says('one\n');
  expect(reading.position()).toMatchObject({ offset: 4, fingerprint: { length: 4 } });
  await reading.stop();
  await place.read('a.log', before, FOLLOW).says('one\n');
  expect(place.said).toHaveLength(1);
});

test('After a rotation the old file is read to its end, with what was still written to it, and then the new one', async () => {
  await writeFile(place.at('a.log'), 'one\n');
  const reading = place.read('a.log', undefined, FOLLOW);
  await reading.says('one\n');
  await rotate('a.log.1', 'new\n');
  await reading.pass(400);
  // The writer has the old file open still.
  await appendFile(place.at('a.log.1'), 'late\n');
  await reading.says('one\nlate\n');
  await reading.pass(400);
  expect(reading.text).toBe('one\nlate\n');
  await appendFile(place.at('a.log.1'), 'later\n');
  await reading.says('one\nlate\nlater\nnew\n');
  await appendFile(place.at('a.log'), 'newer\n');
  await reading.says('one\nlate\nlater\nnew\nnewer\n');
  expect(reading.position(9)).toMatchObject({ offset: 9 });
  expect(reading.position(15)).toMatchObject({ offset: 0 });
  await reading.stop();
  expect(place.said).toEqual([]);
});

test('Reading that stops in the middle of a rotation goes on where it was, in the file where it was', async () => {
  await writeFile(place.at('a.log'), 'one\ntwo\n');
  const reading = place.read('a.log', undefined, FOLLOW);
  await reading.says('one\ntwo\n');
  await rotate('a.log.1', 'new\n');
  await reading.pass(100);
  await reading.stop();
  await rotate('a.log.2', 'newer\n');
  const next = place.read('a.log', reading.position(4), FOLLOW);
  await next.says('two\nnew\nnewer\n');
  await next.stop();
  // The end of one is the beginning of the next.
  expect(next.position(3)).toMatchObject({ offset: 7 });
  expect(next.position(4)).toMatchObject({ offset: 0 });
  await place.read('a.log', next.position(4), FOLLOW).says('new\nnewer\n');
});

test('A rotated file that does not end in a newline does not merge with the next', async () => {
  await writeFile(place.at('a.log'), 'one\nha');
  const reading = place.read('a.log', undefined, FOLLOW);
  await reading.says('one\nha');
  await rotate('a.log.1', 'new\n');
  await reading.says('one\nha\nnew\n');
  expect(reading.position(4)).toMatchObject({ offset: 4 });
  const old = reading.position(6);
  expect(old).toMatchObject({ offset: 6 });
  // Behind the newline that is in no file begins the new one.
  expect(reading.position(7)).toMatchObject({ offset: 0, fingerprint: { length: 4 } });
  expect(reading.position(7)['ino']).not.toBe(old['ino']);
  expect(reading.position()).toMatchObject({ offset: 4 });
});

test('Several rotations at once lose no file', async () => {
  await writeFile(place.at('a.log'), '1\n');
  const reading = place.read('a.log', undefined, FOLLOW);
  await reading.says('1\n');
  await rotate('a.log.1', '2\n');
  await rotate('a.log.2', '3\n');
  await rotate('a.log.3', '4\n');
  await reading.says('1\n2\n3\n4\n');
  await appendFile(place.at('a.log'), '5\n');
  await reading.says('1\n2\n3\n4\n5\n');
  expect(reading.position()).toMatchObject({ offset: 4 });
});

test('A file that is truncated while it is followed is read from its beginning, and that is said', async () => {
  await writeFile(place.at('a.log'), 'one\ntwo and a half');
  const reading = place.read('a.log', undefined, FOLLOW);
  await reading.says('one\ntwo and a half');
  const before = reading.position(4);
  // As logrotate's copytruncate does.
  await copyFile(place.at('a.log'), place.at('a.log.1'));
  await truncate(place.at('a.log'), 0);
  await reading.until(() => place.said.length > 0);
  expect(place.said).toEqual(['a.log was truncated; it is read from its beginning']);
  await appendFile(place.at('a.log'), 'new\n');
  await reading.says('one\ntwo and a half\nnew\n');
  expect(reading.position()).toMatchObject({ offset: 4, fingerprint: { length: 4 }, ino: before['ino'] });
  await reading.stop();
  await appendFile(place.at('a.log'), 'newer\n');
  await place.read('a.log', reading.position(), FOLLOW).says('newer\n');
});

test('A file that another one is moved over is read to its end, and then the other', async () => {
  await writeFile(place.at('a.log'), 'one\n');
  const reading = place.read('a.log', undefined, FOLLOW);
  await reading.says('one\n');
  await appendFile(place.at('a.log'), 'two\n');
  await writeFile(place.at('other'), 'new\n');
  await rename(place.at('other'), place.at('a.log'));
  await reading.says('one\ntwo\nnew\n');
  await reading.stop();
  expect(place.said).toEqual([]);
  await appendFile(place.at('a.log'), 'newer\n');
  await place.read('a.log', reading.position(), FOLLOW).says('newer\n');
});

test('One that is older than the file it replaces is read all the same', async () => {
  await writeFile(place.at('older'), 'older\n');
  await real(12);
  await writeFile(place.at('a.log'), 'one\n');
  const reading = place.read('a.log', undefined, FOLLOW);
  await reading.says('one\n');
  await rename(place.at('older'), place.at('a.log'));
  await reading.says('one\nolder\n');
  expect(reading.position()).toMatchObject({ offset: 6 });
});

test('A file that is deleted is read to its end, and the next of its name from the beginning', async () => {
  await writeFile(place.at('a.log'), 'one\n');
  const reading = place.read('a.log', undefined, FOLLOW);
  await reading.says('one\n');
  await appendFile(place.at('a.log'), 'two\n');
  await rm(place.at('a.log'));
  await reading.says('one\ntwo\n');
  await reading.pass(2_000);
  expect(reading.ended).toBe(false);
  await writeFile(place.at('a.log'), 'new\n');
  await reading.says('one\ntwo\nnew\n');
  await reading.stop();
  await rm(place.at('a.log'));
  await writeFile(place.at('a.log'), 'another\n');
  await place.read('a.log', reading.position(), FOLLOW).says('another\n');
  expect(place.said).toHaveLength(1);
});

test('A directory in its place is no file: it goes on waiting', async () => {
  await writeFile(place.at('a.log'), 'one\n');
  const reading = place.read('a.log', undefined, FOLLOW);
  await reading.says('one\n');
  await rotate('a.log.1');
  await mkdir(place.at('a.log'));
  await reading.pass(2_000);
  await rmdir(place.at('a.log'));
  await writeFile(place.at('a.log'), 'new\n');
  await reading.says('one\nnew\n');
  expect(reading.position()).toMatchObject({ offset: 4 });
});

test('A stop is at once, whatever it waits for, and closes the file', async () => {
  await writeFile(place.at('a.log'), 'one\n');
  for (const name of ['a.log', 'b.log']) {
    const reading = place.read(name, undefined, FOLLOW);
    await reading.pass(300);
    // Its look at the file takes the time that a disk takes.
    await reading.until(() => reading.clock.sleeping === 1);
    // No time passes.
    await reading.stop();
    expect(reading.clock.sleeping).toBe(0);
    expect(reading.ended).toBe(false);
  }
});

test('A busy file is not looked at for each line, nor an idle one more often than four times a second', async () => {
  await writeFile(place.at('a.log'), '');
  const reading = place.read('a.log', undefined, FOLLOW);
  await reading.pass(10_000);
  const looks = reading.clock.slept.filter((ms) => ms > 100).length;
  expect(looks).toBeGreaterThanOrEqual(20);
  expect(looks).toBeLessThanOrEqual(41);
  let pieces = 0;
  reading.opened.bytes.on('data', () => (pieces += 1));
  for (let n = 0; n < 200; n++) {
    await appendFile(place.at('a.log'), 'x\n');
    await reading.clock.advance(1);
  }
  await reading.until(() => reading.text.length === 400);
  expect(pieces).toBeLessThan(100);
});
