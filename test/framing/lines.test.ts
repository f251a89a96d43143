import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import split2 from 'split2';
import { describe, expect, test } from 'vitest';
import { LineCutter, wholeLines, type Chunk, type LastLine } from '../../src/framing/lines.ts';
import { pieces } from '../support/decode.ts';

/** Lines as split2 reads them. It decodes UTF-8, so every byte goes in as a character of its own. */
async function reference(reads: readonly Buffer[]): Promise<string[]> {
  const splitter = split2();
  const lines: string[] = [];
  splitter.on('data', (line: string) => lines.push(line));
  for (const read of reads) splitter.write(Buffer.from(read.toString('latin1'), 'utf8'));
  splitter.end();
  await once(splitter, 'end');
  return lines;
}

function cut(reads: readonly Buffer[], max: number): Chunk[] {
  const cutter = new LineCutter(max);
  return [...reads.flatMap((read) => cutter.push(read)), ...cutter.end()];
}

/** The lines in the chunks; of one that was too long, its length. */
function told(chunks: readonly Chunk[]): (string | number)[] {
  return chunks.flatMap((chunk): (string | number)[] => {
    if ('head' in chunk) return [chunk.length];
    const lines = chunk.bytes.toString('latin1').split('\n');
    const last = lines.pop()!;
    const ended = lines.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
    return last === '' ? ended : [...ended, last];
  });
}

/** Bytes with many newlines and returns among them. */
const noise = fc
  .array(fc.oneof({ weight: 3, arbitrary: fc.constantFrom(10, 13, 65) }, fc.integer({ min: 0, max: 255 })), {
    maxLength: 300,
  })
  .map((bytes) => Buffer.from(bytes));
const cuts = fc.array(fc.nat({ max: 300 }), { maxLength: 20 });

describe('Lines are cut as split2 cuts them', () => {
  test('Any bytes, read in any pieces', async () => {
    await fc.assert(
      fc.asyncProperty(noise, cuts, async (bytes, at) => {
        const reads = pieces(bytes, at);
        expect(told(cut(reads, 1000))).toEqual(await reference(reads));
      }),
      { numRuns: 2000 },
    );
  });

  test('Control: a cutter that forgets what two reads share would be found out', async () => {
    const reads = pieces(Buffer.from('one\ntwo\n'), [6]);
    expect(told(reads.flatMap((read) => cut([read], 1000)))).not.toEqual(await reference(reads));
  });

  test('Through the stream it is the same, and every chunk knows where it stands', async () => {
    await fc.assert(
      fc.asyncProperty(noise, cuts, async (bytes, at) => {
        const stream = wholeLines(1000);
        const chunks: Chunk[] = [];
        stream.on('data', (chunk: Chunk) => chunks.push(chunk));
        for (const read of pieces(bytes, at)) if (read.length > 0) stream.write(read);
        stream.end();
        await once(stream, 'end');
        expect(told(chunks)).toEqual(await reference([bytes]));
        let offset = 0;
        for (const chunk of chunks) {
          expect(chunk.offset).toBe(offset);
          if ('head' in chunk) throw new Error('no line is too long');
          offset += chunk.bytes.length;
        }
        expect(offset).toBe(bytes.length);
      }),
      { numRuns: 300 },
    );
  });

  test('The last line needs no newline', () => {
    expect(told(cut([Buffer.from('one\r\ntwo')], 100))).toEqual(['one', 'two']);
  });

  test('Empty lines are lines, and an empty input has none', () => {
    expect(told(cut([Buffer.from('\n\r\n\na\n')], 100))).toEqual(['', '', '', 'a']);
    expect(told(cut([], 100))).toEqual([]);
  });
});

describe('A line over the limit is told of once, with its length and place, and its neighbours stay', () => {
  /** Some lines, of which those over 40 bytes are too long. */
  const mixed = fc.array(fc.integer({ min: 0, max: 90 }), { minLength: 1, maxLength: 12 });

  test('In one read or in many, anywhere', () => {
    fc.assert(
      fc.property(mixed, cuts, fc.boolean(), (lengths, at, ended) => {
        const lines = lengths.map((length, n) => String.fromCharCode(97 + n).repeat(length));
        const text = lines.join('\n') + (ended ? '\n' : '');
        const chunks = cut(pieces(Buffer.from(text), at), 40);
        const expected = lines.map((line) => (line.length > 40 ? line.length : line));
        if (!ended && expected.at(-1) === '') expected.pop();
        expect(told(chunks)).toEqual(expected);
        for (const chunk of chunks) {
          if (!('head' in chunk)) continue;
          expect(chunk.head.toString()).toBe(text.slice(chunk.offset, chunk.offset + 40));
          expect(text[chunk.offset + chunk.length] ?? '\n').toBe('\n');
          expect(text[chunk.offset - 1] ?? '\n').toBe('\n');
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('A line of just the limit is whole, with one byte more it is not', () => {
    for (const at of [[], [50], [99, 100]]) {
      expect(told(cut(pieces(Buffer.from(`${'x'.repeat(100)}\n`), at), 100))).toEqual(['x'.repeat(100)]);
      expect(told(cut(pieces(Buffer.from(`${'x'.repeat(101)}\n`), at), 100))).toEqual([101]);
    }
  });

  test('Only its beginning is kept: 4 KiB', () => {
    const [long] = cut([Buffer.from(`${'x'.repeat(1 << 20)}\n`)], 100_000);
    expect(long).toMatchObject({ offset: 0, length: 1 << 20, head: Buffer.alloc(4096, 'x') });
  });

  test('It is told whether the line had ended, so that positions are exact', () => {
    expect(cut([Buffer.from(`${'x'.repeat(101)}\n`)], 100)[0]).toMatchObject({ ended: true });
    expect(cut([Buffer.alloc(101, 'x'), Buffer.from('\n')], 100)[0]).toMatchObject({ ended: true });
    expect(cut([Buffer.alloc(101, 'x')], 100)[0]).toMatchObject({ ended: false });
  });
});

describe('A line in the middle of which reading was stopped is not taken for a whole one', () => {
  const stopped = (reads: readonly Buffer[], max = 100): Chunk[] => {
    const cutter = new LineCutter(max);
    return [...reads.flatMap((read) => cutter.push(read)), ...cutter.end('cut_short')];
  };

  test('It is told of with its bytes and place, in whatever pieces it came', () => {
    const bytes = Buffer.from('one\ntwo, with more');
    for (const at of [[], [2], [6], [3, 4, 5, 10]]) {
      const last = stopped(pieces(bytes, at)).at(-1);
      const head = Buffer.from('two, with more');
      expect(last).toEqual({ head, offset: 4, length: 14, ended: false, cut_short: true });
    }
    expect(told(stopped([bytes]))).toEqual(['one', 14]);
  });

  test('A line that had ended is whole, one over the limit is too long, and nothing is nothing', () => {
    expect(stopped([Buffer.from('one\n')])).toMatchObject([{ bytes: Buffer.from('one\n'), offset: 0 }]);
    const long = stopped([Buffer.alloc(101, 'x')]);
    expect(long).toEqual([{ head: Buffer.alloc(100, 'x'), offset: 0, length: 101, ended: false }]);
    expect(stopped([])).toEqual([]);
  });

  test('Where it will be read again it does not come out, however long it is', () => {
    for (const bytes of [Buffer.from('one\ntwo'), Buffer.from(`one\n${'x'.repeat(101)}`)]) {
      const cutter = new LineCutter(100);
      expect(told(cutter.push(bytes))).toEqual(['one']);
      expect(cutter.end('left')).toEqual([]);
    }
  });

  test('A source that goes on has its offsets from where it begins', () => {
    const cutter = new LineCutter(100, 4_000);
    expect(cutter.push(Buffer.from('one\ntwo'))).toMatchObject([{ bytes: Buffer.from('one\n'), offset: 4_000 }]);
    expect(cutter.end()).toEqual([{ bytes: Buffer.from('two'), offset: 4_004 }]);
  });

  test.each(['whole', 'cut_short', 'left'] as const)('Through the stream: the last line is %s', async (last) => {
    let is: LastLine = 'whole';
    const stream = wholeLines(100, 0, () => is);
    const chunks: Chunk[] = [];
    stream.on('data', (chunk: Chunk) => chunks.push(chunk));
    stream.write(Buffer.from('one\ntwo'));
    is = last;
    stream.end();
    await once(stream, 'end');
    const short = { head: Buffer.from('two'), offset: 4, length: 3, ended: false, cut_short: true };
    expect(chunks).toMatchObject([
      { bytes: Buffer.from('one\n'), offset: 0 },
      ...(last === 'left' ? [] : [last === 'cut_short' ? short : { bytes: Buffer.from('two'), offset: 4 }]),
    ]);
  });
});

describe('Memory is bounded by the limit', () => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const used = (): number => {
    gc();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };

  test('A line of 256 MiB', () => {
    const cutter = new LineCutter(1 << 20);
    const before = used();
    for (let n = 0; n < 256; n++) cutter.push(Buffer.alloc(1 << 20, 'x'));
    // What was pushed last may not be collected yet.
    expect(used() - before).toBeLessThan(160 << 20);
    expect(told(cutter.push(Buffer.from('\nnext\n')))).toEqual([256 << 20, 'next']);
  });

  test('A line that comes byte by byte costs what it is long', () => {
    const cutter = new LineCutter(1 << 20);
    const before = used();
    for (let n = 0; n < 1 << 19; n++) cutter.push(Buffer.alloc(1, 'x'));
    expect(used() - before).toBeLessThan(8 << 20);
    expect(told(cutter.push(Buffer.from('\n')))).toEqual(['x'.repeat(1 << 19)]);
  });
});

describe('A progress bar that never ends its line', () => {
  const states = Array.from({ length: 20_000 }, (_, n) => `\r${n}/20000 [${'#'.repeat(n % 50)}]`);

  test('Past 64 KiB only what is on the screen is kept, and the line is one', () => {
    for (const size of [1000, 4096, 65_536]) {
      const bytes = Buffer.from(`before\n${states.join('')}\nafter\n`);
      const at = Array.from({ length: Math.floor(bytes.length / size) }, (_, n) => (n + 1) * size);
      const lines = told(cut(pieces(bytes, at), 1 << 18));
      expect(lines).toHaveLength(3);
      expect(lines[0]).toBe('before');
      expect(String(lines[1]).split('\r').at(-1)).toBe(states.at(-1)!.slice(1));
      expect(String(lines[1]).length).toBeLessThan(70_000);
      expect(lines[2]).toBe('after');
    }
  });

  test('It is never too long, however long it draws', () => {
    const cutter = new LineCutter(1 << 17);
    let early = 0;
    for (let n = 0; n < 20; n++) for (const state of states) early += cutter.push(Buffer.from(state)).length;
    expect(early).toBe(0);
    expect(told(cutter.push(Buffer.from('\n')))).toHaveLength(1);
  });

  test('The same when it returns behind each state instead of before it', () => {
    const cutter = new LineCutter(1 << 17);
    for (const state of states) cutter.push(Buffer.from(`${state.slice(1)}\r`));
    const [line] = told(cutter.push(Buffer.from('\n')));
    expect(String(line)).toContain(states.at(-1)!.slice(1));
  });

  test('Where the screen was wiped with blanks, what stood there before is kept', () => {
    const cutter = new LineCutter(1 << 18);
    for (const state of states) cutter.push(Buffer.from(state));
    const wiped = `\rdone\r${' '.repeat(60)}\r`;
    cutter.push(Buffer.from(wiped));
    cutter.push(Buffer.from(`\r${' '.repeat(60)}\r`));
    const [line] = told(cutter.push(Buffer.from('\n')));
    expect(line).toContain('\rdone');
  });

  test('Its place in the source stays known', () => {
    const text = `${states.join('')}\nafter\n`;
    const chunks = cut(pieces(Buffer.from(text), [70_000, 140_000, 200_000]), 1 << 20);
    const last = chunks.at(-1)!;
    if ('head' in last) throw new Error('no line is too long');
    expect(last.offset + last.bytes.length).toBe(text.length);
    expect(last.bytes.toString()).toBe('after\n');
  });
});
