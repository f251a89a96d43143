import { once } from 'node:events';
import { Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import fc from 'fast-check';
import split2 from 'split2';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { stepEvents, stepEventsOfLines, type Event } from '../../src/index.ts';
import { eventStream } from '../../src/transform/stream.ts';
import { pieces, stepLine, type Fields } from '../support/decode.ts';
import { FakeClock, settled } from '../support/fake-clock.ts';
import { byTable, inOrder, joined, LINES, readAll, reference, SAMPLES, TRACEBACK } from './parts.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

const still = (lines = false): ReturnType<typeof stepEvents> =>
  eventStream({ max_line_bytes: 4096 }, lines, new FakeClock('2026-02-19T12:00:00Z'));

/** A dead letter as a rejection: `raw` is bytes, and the one source has no name. */
function asRejection({ source: _source, raw, raw_base64, ...rest }: Fields): Fields {
  return { ...rest, raw: raw === undefined ? Buffer.from(String(raw_base64), 'base64') : Buffer.from(raw as string) };
}

const some = fc.array(fc.constantFrom(...LINES), { minLength: 1, maxLength: 60 });

describe('The stream gives what the decoder makes', () => {
  test('of bytes, wherever they are cut', async () => {
    let cuts = 0;
    await fc.assert(
      fc.asyncProperty(some, fc.array(fc.nat(999), { maxLength: 12 }), fc.boolean(), async (lines, at, ended) => {
        const whole = joined(lines);
        const input = ended ? whole : whole.subarray(0, -1);
        const parts = pieces(input, [...new Set(at.map((part) => Math.floor((part * input.length) / 1_000)))]);
        cuts += parts.length - 1;
        const { events, rejections } = await readAll(Readable.from(parts).pipe(still()));
        const expected = reference(input, { max_line_bytes: 4096 });
        expect(byTable(events)).toEqual({ steps: expected.steps, logs: expected.logs, events: expected.events });
        expect(rejections).toEqual(expected.rejections.map(asRejection));
      }),
      { numRuns: 150 },
    );
    expect(cuts).toBeGreaterThan(300);
  });

  test('of the samples byte by byte, and of lines one a write, as a string and as a Buffer', async () => {
    const expected = await readAll(Readable.from([SAMPLES]).pipe(still()));
    expect(expected.events.length).toBeGreaterThan(60);
    expect(expected.rejections).toHaveLength(2);
    const bytes = Array.from(SAMPLES, (byte) => Buffer.of(byte));
    expect(await readAll(Readable.from(bytes).pipe(still()))).toEqual(expected);
    expect(await readAll(Readable.from([SAMPLES]).pipe(split2()).pipe(still(true)))).toEqual(expected);
    const lines = SAMPLES.toString('latin1').trimEnd().split('\n');
    const buffers = lines.map((line, n) => Buffer.from(n % 2 === 0 ? line : `${line}\n`, 'latin1'));
    expect(await readAll(Readable.from(buffers).pipe(still(true)))).toEqual(expected);
  });

  test('in the order of the lines, though a batch lies by table', async () => {
    const lines = SAMPLES.toString('latin1')
      .trimEnd()
      .split('\n')
      .map((line) => Buffer.from(line, 'latin1'));
    const seen: unknown[] = [];
    const stream = still();
    stream.on('rejection', ({ offset }) => seen.push(offset));
    stream.on('data', (event) => seen.push({ ...event }));
    Readable.from([joined(lines)]).pipe(stream);
    await finished(stream);
    expect(seen).toEqual(inOrder(lines).map((row) => ('reason' in row ? row['offset'] : row)));
    // It is no proof when the batch has them in that order anyway.
    const kinds = seen.map((each) => (each as Partial<Event>).kind ?? 'rejection').join(' ');
    expect(kinds).toMatch(/step log(?: log)* step/);
    expect(kinds).toMatch(/log rejection/);
    expect(kinds).toMatch(/rejection (?:step|log)/);
  });
});

describe('A slow reader', () => {
  const many = Buffer.from(`${stepLine()}\n{"event": "flytekit_step", "step": "x"}\n`.repeat(20_000));

  test('holds back the rest of a write: it stays bytes', async () => {
    const stream = stepEvents();
    let rejections = 0;
    stream.on('rejection', () => rejections++);
    let written = false;
    stream.write(many, () => (written = true));
    await settled();
    expect(rejections).toBeLessThanOrEqual(stream.readableHighWaterMark);
    let events = 0;
    stream.on('readable', () => {
      while (events < 1_000 && stream.read() !== null) events += 1;
    });
    await vi.waitUntil(() => events === 1_000);
    await settled();
    expect(rejections).toBeLessThanOrEqual(1_000 + 2 * stream.readableHighWaterMark);
    expect(stream.readableLength).toBeLessThanOrEqual(stream.readableHighWaterMark);
    expect(written).toBe(false);
    stream.removeAllListeners('readable');
    stream.on('data', () => events++);
    stream.end();
    await finished(stream);
    expect([events, rejections, written]).toEqual([20_000, 20_000, true]);
  });

  test('gets everything, at every pace', async () => {
    const stream = Readable.from(pieces(many.subarray(0, 1 << 20), [5_000, 5_001, 700_000])).pipe(stepEvents());
    stream.on('rejection', () => undefined);
    let events = 0;
    for await (const _event of stream) if (events++ % 64 === 0) await settled();
    expect(events).toBe((await readAll(Readable.from([many.subarray(0, 1 << 20)]).pipe(stepEvents()))).events.length);
    expect(events).toBeGreaterThan(2_000);
  });

  test('does not make the input look quiet: a traceback that it holds in the middle stays one', async () => {
    const clock = new FakeClock();
    const stream = eventStream({}, false, clock);
    const before = `${stepLine()}\n`.repeat(40);
    // Another stream in between, so that what is open is looked at without being continued.
    stream.write(`[pod/a/c] ${TRACEBACK.trimEnd().replace('\n', '\n[pod/a/c] ')}\n${before}`);
    stream.write(`[pod/b/c] hello\n`);
    stream.end(`[pod/a/c] ValueError: x\n`);
    await clock.advance(60_000);
    const { events } = await readAll(stream);
    expect(events.filter(({ kind }) => kind === 'log')).toMatchObject([
      { message: 'hello' },
      { error_type: 'ValueError', lines: 3 },
    ]);
  });
});

describe('A traceback that nothing ends', () => {
  test('comes when its stream has said nothing for a second', async () => {
    const clock = new FakeClock();
    const stream = eventStream({}, false, clock);
    const events: Event[] = [];
    stream.on('data', (event) => events.push(event));
    stream.write(TRACEBACK);
    await clock.advance(900);
    stream.write('ValueError: x\n');
    await clock.advance(900);
    expect(events).toEqual([]);
    await clock.advance(700);
    expect(events).toMatchObject([{ kind: 'log', error_type: 'ValueError', lines: 3 }]);
    expect(clock.sleeping).toBe(0);
    stream.end();
    await finished(stream);
    expect(events).toHaveLength(1);
  });

  test('comes at the end', async () => {
    const { events } = await readAll(Readable.from([Buffer.from(TRACEBACK)]).pipe(stepEvents()));
    expect(events).toMatchObject([{ kind: 'log', lines: 2 }]);
  });

  test('leaves no timer behind when the stream is destroyed', async () => {
    const clock = new FakeClock();
    const stream = eventStream({}, false, clock);
    stream.resume();
    stream.write(TRACEBACK);
    await settled();
    expect(clock.sleeping).toBe(1);
    stream.destroy();
    await once(stream, 'close');
    expect(clock.sleeping).toBe(0);
  });
});

describe('In a pipeline', () => {
  test('an error upstream ends it, and downstream', async () => {
    const source = new Readable({ read() {} });
    source.push(`${stepLine()}\n`);
    const stream = stepEvents();
    const over = pipeline(source, stream, async (events) => {
      for await (const _event of events) source.destroy(new Error('the pod is gone'));
    });
    await expect(over).rejects.toThrow('the pod is gone');
    expect(stream.destroyed).toBe(true);
  });

  test('a reader that has enough ends it, in the middle of a write too', async () => {
    let source: Readable | undefined;
    let events = 0;
    source = Readable.from([Buffer.from(`${stepLine()}\n`.repeat(5_000))]);
    const stream = stepEvents();
    await pipeline(source, stream, async (given) => {
      for await (const _event of given) if (++events === 3) break;
    }).catch(() => undefined);
    expect(events).toBe(3);
    expect([stream.destroyed, source.destroyed]).toEqual([true, true]);
  });

  test('a signal ends it while the reader holds it', async () => {
    const stop = new AbortController();
    const stream = stepEvents();
    const over = pipeline(Readable.from([Buffer.from(`${stepLine()}\n`.repeat(5_000))]), stream, {
      signal: stop.signal,
    });
    await settled();
    stop.abort();
    await expect(over).rejects.toMatchObject({ name: 'AbortError' });
    expect(stream.destroyed).toBe(true);
  });

  test('a listener that destroys it gets nothing more', async () => {
    const stream = stepEvents();
    let events = 0;
    stream.on('data', () => {
      events += 1;
      stream.destroy();
    });
    stream.write(`${stepLine()}\n`.repeat(100));
    await once(stream, 'close');
    expect(events).toBe(1);
  });

  test('a stream that is destroyed before it has said anything says nothing', async () => {
    const stream = stepEvents();
    stream.on('rejection', () => expect.unreachable());
    stream.write('{"event": "flytekit_step", "step": "x"}\n');
    stream.destroy();
    await once(stream, 'close');
    await settled();
    expect(stream.readableLength).toBe(0);
  });

  test('a line that is no string and no Buffer is an error, and says which', async () => {
    const stream = stepEventsOfLines();
    stream.write(5);
    await expect(finished(stream)).rejects.toThrow('a line is a string or a Buffer, and not number');
  });
});

describe('A line that cannot be an event', () => {
  const bad = '{"event": "flytekit_step", "step": "x"}\n';

  test('is a rejection with its reason, its place and its bytes', async () => {
    const raw = Buffer.concat([
      Buffer.from('{"asctime": "2026", "event": "flytekit_step", "step": "'),
      Buffer.of(0xff),
    ]);
    const { rejections } = await readAll(Readable.from([Buffer.from(bad), raw]).pipe(stepEvents()));
    expect(rejections).toMatchObject([
      { reason: 'schema', offset: 0, lines: 1, raw: Buffer.from(bad.trimEnd()) },
      { reason: 'json_syntax', offset: bad.length, raw },
    ]);
  });

  test('is a warning of Node when nobody listens: one for the first, one for all', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const stream = Readable.from([Buffer.from(bad.repeat(5))]).pipe(stepEvents());
    for await (const _event of stream) expect.unreachable();
    const how = { type: 'SteptapWarning', code: 'STEPTAP_REJECTION' };
    expect(warned.mock.calls).toEqual([
      [expect.stringMatching(/^the line at offset 0 could not be an event \(schema: .*\); listen to 'rejection'/), how],
      ["5 lines could not be events, and nobody listened to 'rejection'", how],
    ]);
  });

  test('is no warning for who listens', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    expect((await readAll(Readable.from([Buffer.from(bad)]).pipe(stepEvents()))).rejections).toHaveLength(1);
    expect(warned).not.toHaveBeenCalled();
  });
});
