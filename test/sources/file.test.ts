import { execFileSync } from 'node:child_process';
import { appendFile, copyFile, mkdir, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { UsageError } from '../../src/errors.ts';
import { fileSource } from '../../src/sources/file/index.ts';
import { Place, real } from './parts.ts';

const place = new Place();

/** Two files that are born in one tick of the kernel's clock are of the same age. */
const TICK_MS = 12;

async function rotated(name: string, to: string, content: string): Promise<void> {
  await rename(place.at(name), place.at(to));
  await real(TICK_MS);
  await writeFile(place.at(name), content);
}

test('A file is read to its end, and its position says which file it was and how far', async () => {
  await writeFile(place.at('a.log'), 'one\ntwo\n');
  const first = await place.read('a.log').end();
  expect(first.text).toBe('one\ntwo\n');
  expect(first.source).toMatchObject({ name: place.at('a.log'), resumes: true, follows: false });
  expect(first.position(4)).toEqual({
    path: place.at('a.log'),
    dev: expect.stringMatching(/^\d+$/) as string,
    ino: expect.stringMatching(/^\d+$/) as string,
    birthtime_ns: expect.stringMatching(/^\d{18,}$/) as string,
    fingerprint: { crc: expect.any(Number) as number, length: 8 },
    offset: 4,
  });
  expect(first.position()).toMatchObject({ offset: 8 });
});

test('It is read once: the next time only what is new', async () => {
  await writeFile(place.at('a.log'), 'one\ntwo\n');
  const first = await place.read('a.log').end();
  const again = await place.read('a.log', first.position()).end();
  expect(again.text).toBe('');
  expect(again.position()).toEqual(first.position());
  await appendFile(place.at('a.log'), 'three\n');
  expect((await place.read('a.log', again.position()).end()).text).toBe('three\n');
  const from = place.read('a.log', first.position(4));
  expect(from.opened).toMatchObject({ offset: 4 });
  expect(from.opened.carried).toBeUndefined();
  expect((await from.end()).text).toBe('two\nthree\n');
  expect(place.said).toEqual([]);
});

test('A large file comes whole, and the position is right wherever one stops', async () => {
  const text = Array.from({ length: 200_000 }, (_, n) => `line ${n}\n`).join('');
  await writeFile(place.at('a.log'), text);
  const whole = await place.read('a.log').end();
  expect(whole.text === text).toBe(true);
  for (const length of [0, 7, 1024, 1_000_000]) {
    const fresh = place.read('a.log');
    await fresh.end();
    expect((await place.read('a.log', fresh.position(length)).end()).text === text.slice(length)).toBe(true);
  }
});

test('--from-start reads it from its beginning, though it was read before', async () => {
  await writeFile(place.at('a.log'), 'one\n');
  const first = await place.read('a.log').end();
  const again = place.read('a.log', first.position(), { from_start: true });
  expect(again.opened).toMatchObject({ offset: 0, carried: 'again' });
  expect((await again.end()).text).toBe('one\n');
});

test('A file that was renamed by rotation is read to its end, and then the new one', async () => {
  await writeFile(place.at('a.log'), 'one\ntwo\n');
  const first = await place.read('a.log').end();
  await appendFile(place.at('a.log'), 'late\n');
  await rotated('a.log', 'a.log.1', 'new\n');
  const next = await place.read('a.log', first.position(4)).end();
  expect(next.text).toBe('two\nlate\nnew\n');
  expect(next.position(4)).toMatchObject({ offset: 8, ino: first.position()['ino'] });
  expect((await place.read('a.log', next.position(4)).end()).text).toBe('late\nnew\n');
  expect((await place.read('a.log', next.position(9)).end()).text).toBe('new\n');
  expect((await place.read('a.log', next.position()).end()).text).toBe('');
  expect(place.said).toEqual([]);
});

test('After several rotations all of them are read in their order, and copies and compressed ones are not', async () => {
  await writeFile(place.at('a.log'), '1\n');
  const first = await place.read('a.log').end();
  await rotated('a.log', 'a.log.20260219-103044', '2\n');
  await copyFile(place.at('a.log'), place.at('a.log.1.gz'));
  await copyFile(place.at('a.log'), place.at('a.log.bak'));
  await copyFile(place.at('a.log'), place.at('b.log.1'));
  await rotated('a.log', 'a.log.20260219-113044', '3\n');
  await rotated('a.log', 'a.log.20260219-123044', '4\n');
  expect((await place.read('a.log', first.position(0)).end()).text).toBe('1\n2\n3\n4\n');
  expect((await place.read('a.log', first.position()).end()).text).toBe('2\n3\n4\n');
});

test('Two files never make one line, though the first does not end in a newline', async () => {
  await writeFile(place.at('a.log'), 'one\nhalf');
  const first = await place.read('a.log').end();
  await rotated('a.log', 'a.log.1', 'new\n');
  const next = await place.read('a.log', first.position(4)).end();
  expect(next.text).toBe('half\nnew\n');
  expect(next.position(0)).toMatchObject({ offset: 4 });
  expect((await place.read('a.log', next.position(5)).end()).text).toBe('new\n');
  // The half line was taken as a whole one, since the input had ended.
  expect((await place.read('a.log', first.position()).end()).text).toBe('new\n');
});

test.each<[string, (path: string) => Promise<void>, string, string]>([
  [
    'truncated',
    async (path) => {
      await truncate(path, 0);
      await appendFile(path, 'x\n');
    },
    'x\n',
    'it was truncated: it is shorter than the 8 bytes that were read',
  ],
  [
    'written anew',
    async (path) => {
      await truncate(path, 0);
      await appendFile(path, 'other words\n');
    },
    'other words\n',
    'it was written anew: it does not begin as it did',
  ],
  [
    'replaced',
    async (path) => {
      await rm(path);
      await writeFile(path, 'one\ntwo\nthree\n');
    },
    'one\ntwo\nthree\n',
    'it is another file than the one of which 8 bytes were read, and that one is gone',
  ],
])('A file that was %s is read from its beginning, and that is said', async (_, change, text, why) => {
  await writeFile(place.at('a.log'), 'one\ntwo\n');
  const first = await place.read('a.log').end();
  await change(place.at('a.log'));
  const next = place.read('a.log', first.position());
  expect(next.opened).toMatchObject({ offset: 0, carried: 'end' });
  expect((await next.end()).text).toBe(text);
  expect(place.said).toEqual([`a.log is read from its beginning: ${why}`]);
});

test('What a file begins with is known as soon as it has it, so that a later rewrite is noticed', async () => {
  await writeFile(place.at('a.log'), '');
  const empty = await place.read('a.log').end();
  expect(empty.position()).toMatchObject({ fingerprint: { length: 0 } });
  await appendFile(place.at('a.log'), 'x'.repeat(1_500));
  const more = await place.read('a.log', empty.position()).end();
  expect(more.position()).toMatchObject({ fingerprint: { length: 1024 }, offset: 1_500 });
  await truncate(place.at('a.log'), 900);
  await appendFile(place.at('a.log'), 'y'.repeat(900));
  expect((await place.read('a.log', more.position()).end()).text).toHaveLength(1_800);
  expect(place.said).toHaveLength(1);
});

test('Behind a link, the older files are looked for where it leads', async () => {
  await mkdir(place.at('pods'));
  await writeFile(place.at('pods/0.log'), '1\n');
  await symlink(place.at('pods/0.log'), place.at('a.log'));
  const first = await place.read('a.log').end();
  await rotated('pods/0.log', 'pods/0.log.20260219-103044', '2\n');
  expect((await place.read('a.log', first.position(0)).end()).text).toBe('1\n2\n');
});

test('A position that says nothing of a file is none', async () => {
  await writeFile(place.at('a.log'), 'one\n');
  expect((await place.read('a.log', { path: 'a.log', offset: 0 }).end()).text).toBe('one\n');
  expect((await place.read('a.log', { offset: '3', dev: null }).end()).text).toBe('one\n');
  expect(place.said).toEqual([]);
});

test('What cannot be read is refused at once', async () => {
  expect(() => fileSource(place.at('a.log'))).toThrow(
    new UsageError(`--input ${place.at('a.log')}: there is no such file`),
  );
  expect(() => fileSource(place.directory)).toThrow(UsageError);
});

test('A named pipe is read to its end, and not again', async () => {
  execFileSync('mkfifo', [place.at('pipe')]);
  const reading = place.read('pipe');
  expect(reading.source.resumes).toBe(false);
  await writeFile(place.at('pipe'), 'one\n');
  expect((await reading.end()).text).toBe('one\n');
  expect(reading.position()).toEqual({ path: place.at('pipe'), offset: 4 });
});

test('Nothing is read that nobody takes', async () => {
  await writeFile(place.at('a.log'), Buffer.alloc(8 << 20, 'x'));
  const { bytes } = fileSource(place.at('a.log')).open(undefined);
  bytes.read(0);
  await real(100);
  expect(bytes.readableLength).toBeLessThanOrEqual(1 << 20);
  bytes.destroy();
});

/** What happens to a file between two readings, each of which ends behind some line. */
const happening = fc.oneof(
  fc.record({ append: fc.array(fc.boolean(), { minLength: 1, maxLength: 4 }) }),
  fc.record({ rotate: fc.constant(true) }),
  fc.record({ read: fc.double({ min: 0, max: 1, noNaN: true }) }),
);

test('Whatever is written and rotated between readings, every line is read once, and no two become one', async () => {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { minLength: 3, maxLength: 14 }), async (happenings) => {
      const name = `run${run++}.log`;
      await writeFile(place.at(name), '');
      let [word, generation] = [0, 0];
      let written = '';
      let read = '';
      let from = (await place.read(name).end()).position();
      for (const each of [...happenings, { read: 1 }]) {
        if ('append' in each) {
          for (const ends of each.append) {
            const text = `${generation}:${word++} ${ends ? '\n' : ''}`;
            await appendFile(place.at(name), text);
            written += text;
          }
        } else if ('rotate' in each) {
          await rotated(name, `${name}.${++generation}`, '');
        } else {
          const reading = await place.read(name, from).end();
          const lines = reading.text.split(/(?<=\n)/);
          const done = lines.slice(0, Math.round(each.read * lines.length)).join('');
          from = reading.position(done.length);
          // What had no newline then was taken for a whole line.
          read += /[^\n]$/.test(done) ? `${done}\n` : done;
        }
      }
      expect(read.replaceAll('\n', '')).toBe(written.replaceAll('\n', ''));
      for (const line of read.split('\n')) {
        expect(new Set(Array.from(line.matchAll(/(\d+):/g), ([, of]) => of)).size).toBeLessThanOrEqual(1);
      }
    }),
    { numRuns: 50 },
  );
  expect(place.said).toEqual([]);
}, 60_000);
