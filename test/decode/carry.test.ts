import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Position } from '../../src/batch.ts';
import { MOST_CARRIED } from '../../src/carry.ts';
import { Decoder } from '../../src/decode.ts';
import { decode, OPTIONS, source, stepLine, StillClock, type How, type Outcome } from '../support/decode.ts';

const samples = readFileSync('test/fixtures/flyte-samples.log', 'latin1').split('\n');
const AT = '2026-02-19T10:30:44.189512345Z';
const TRACE = ['Traceback (most recent call last):', '  File "x.py", line 1, in f', '    g()', 'ValueError: x'];
const FAILED = stepLine({ status: '"error", "error_type": "FlyteUserRuntimeException"', execution_id: '"f1"' });

const say = (message: string, ms = 190): string =>
  JSON.stringify({ asctime: `2026-02-19 10:30:44,${ms}`, name: 'flytekit', levelname: 'ERROR', message });
const cri = (stream: string, tag: string, text: string): string => `${AT} ${stream} ${tag} ${text}`;
const docker = (log: string): string => JSON.stringify({ log, stream: 'stdout', time: AT });
const fluent = (log: string, tag: string): string => {
  const kubernetes = { pod_name: 'a-n0-0', namespace_name: 'ml', labels: { project: 'p', 'node-id': 'n0' } };
  return JSON.stringify({ date: 1771497044.189512, log, _p: tag, kubernetes });
};

/** How the lines of a stream are written, in one piece or two. */
const STREAMS: Readonly<Record<string, (pieces: readonly string[]) => string[]>> = {
  plain: (pieces) => [pieces.join('')],
  stderr: (pieces) => pieces.map((piece, n) => cri('stderr', n < pieces.length - 1 ? 'P' : 'F', piece)),
  stdout: (pieces) => pieces.map((piece, n) => cri('stdout', n < pieces.length - 1 ? 'P' : 'F', piece)),
  pod: (pieces) => [`[pod/a-n0-0/main] ${pieces.join('')}`],
  docker: (pieces) => pieces.map((piece, n) => docker(n < pieces.length - 1 ? piece : `${piece}\n`)),
  fluent: (pieces) => pieces.map((piece, n) => fluent(piece, n < pieces.length - 1 ? 'P' : 'F')),
};

/** Some lines as they follow each other in a log. */
const passage = fc.oneof(
  fc
    .tuple(fc.nat({ max: samples.length }), fc.integer({ min: 1, max: 12 }))
    .map(([at, n]) => samples.slice(at, at + n)),
  fc.constantFrom(
    [...TRACE, '', 'During handling of the above exception, another exception occurred:', '', ...TRACE],
    [FAILED, say('!! Begin User Error Captured by Flyte !!'), say('Trace:\n\n    OSError: b')],
    [FAILED, '[flytekit] Trace:', '', '    Traceback:', '    KeyError: 1', '', 'Message:', '', '    no'],
    ['panic: no', '', 'goroutine 1 [running]:', 'main.main()', '\t/x.go:1 +0x1'],
    ['', '', 'words'],
  ),
);

const stream = fc.record({
  written: fc.constantFrom(...Object.values(STREAMS)),
  lines: fc.array(passage, { minLength: 1, maxLength: 4 }).map((passages) => passages.flat()),
  /** Where the runtime cuts each line; most of them not at all. */
  cuts: fc.array(fc.oneof(fc.constant(0), fc.nat({ max: 300 })), { minLength: 3, maxLength: 9 }),
});

/** Streams of which each has its order, one through the other. */
const log = fc
  .tuple(fc.array(stream, { minLength: 1, maxLength: 4 }), fc.array(fc.nat(), { minLength: 8, maxLength: 40 }))
  .map(([streams, turns]) => {
    const waiting = streams.map(({ written, lines, cuts }) =>
      lines.flatMap((line, n) => {
        const cut = cuts[n % cuts.length]!;
        return written(cut > 0 && cut < line.length ? [line.slice(0, cut), line.slice(cut)] : [line]);
      }),
    );
    const mixed: string[] = [];
    for (let n = 0; waiting.some((lines) => lines.length > 0); n++) {
      const open = waiting.filter((lines) => lines.length > 0);
      mixed.push(open[turns[n % turns.length]! % open.length]!.shift()!);
    }
    return mixed.join('\n');
  });

/** Each table has its order; the number of a tuple is nobody's business. */
function image({ rows, blank, lines, bytes }: Outcome): unknown {
  const tables = ['steps', 'logs', 'events', 'rejections'].map((table) =>
    rows
      .filter((row) => row.table === table)
      .map(({ text, tuple, duration }) => [text, { ...tuple, id: undefined }, duration]),
  );
  return { tables, blank, lines, bytes };
}

const how: fc.Arbitrary<How> = fc.record({
  fast: fc.boolean(),
  constants: fc.constantFrom({}, { namespace: 'here', pod: 'mine', project: 'ours' }),
});

const stopped = fc.tuple(
  log,
  fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 3 }),
  fc.array(fc.nat({ max: 20_000 }), { maxLength: 5 }),
  how,
);

/** That reading which ended anywhere and went on makes the same rows as reading at once. */
function proves(runs: number, keep?: (position: Position) => Position): void {
  fc.assert(
    fc.property(stopped, ([text, parts, cuts, options]) => {
      const bytes = Buffer.from(text, 'latin1');
      const stops = parts.map((part) => Math.floor(part * bytes.length)).sort((a, b) => a - b);
      const both = decode(bytes, { ...options, stops, cuts, ...(keep === undefined ? {} : { keep }) });
      expect(image(both)).toEqual(image(decode(bytes, options)));
    }),
    { numRuns: runs, endOnFailure: true },
  );
}

describe('Reading that stops anywhere and goes on makes the rows of reading at once', () => {
  test('in any mixture of lines, stacks, errors and cut lines of several streams', () => {
    expect(() => proves(600)).not.toThrow();
  });

  test('at every byte of the sample lines', () => {
    const bytes = Buffer.from(samples.slice(29, 90).join('\n'), 'latin1');
    const whole = image(decode(bytes));
    for (let stop = 0; stop <= bytes.length; stop += 7) expect(image(decode(bytes, { stops: [stop] }))).toEqual(whole);
  });

  test('Control: when what is open is forgotten, that is found out', () => {
    expect(() => proves(400, ({ offset }) => ({ offset }))).toThrow('Property failed');
  });

  test.each([
    ['cut', [cri('stderr', 'P', 'one '), cri('stderr', 'F', 'line')]],
    ['recorded', [docker('one '), docker('line\n')]],
    ['open', TRACE],
    ['failed', [FAILED, say('!! Begin User Error Captured by Flyte !!')]],
  ])('Control: each part of what is open is needed: %s', (part, lines) => {
    const bytes = Buffer.from(`${lines.join('\n')}\n`);
    const whole = image(decode(bytes));
    const stops = [lines[0]!.length + 1];
    const keep = (position: Position): Position => {
      return { ...position, carry: { ...(position['carry'] as object), [part]: [] } };
    };
    expect(image(decode(bytes, { stops }))).toEqual(whole);
    let without: unknown;
    try {
      without = image(decode(bytes, { stops, keep }));
    } catch {
      without = 'lines are not counted';
    }
    expect(without).not.toEqual(whole);
  });
});

/** The last position after these lines. */
function positionAfter(text: string, decoder = new Decoder(source, OPTIONS, new StillClock())): Position {
  return decoder.feed({ bytes: Buffer.from(text), offset: decoder.offset }).batch.position;
}

describe('A position', () => {
  test('has no carry while nothing is open', () => {
    expect(positionAfter(`${stepLine()}\nhello\n\n`)).toEqual({ offset: stepLine().length + 8 });
    const open = positionAfter(`${TRACE[0]}\n`);
    expect(open).toHaveProperty('carry');
    const decoder = new Decoder(source, OPTIONS, new StillClock(), undefined, { offset: 35, from: open });
    expect(decoder.open).toBe(true);
    expect(JSON.stringify(decoder.flush('nothing').batch.position)).toBe(JSON.stringify(open));
    expect(decoder.flush('all').batch.position).toEqual({ offset: 35 });
  });

  test('forgets a failed step when no error can be its own any more', () => {
    const clock = new StillClock();
    const decoder = new Decoder(source, OPTIONS, clock);
    expect(positionAfter(`${FAILED}\n`, decoder)).toHaveProperty('carry');
    for (let n = 0; n < 300; n++) {
      clock.pass(500);
      decoder.flush('quiet');
    }
    expect(positionAfter('hello\n', decoder)).not.toHaveProperty('carry');
  });

  test.each([
    ['another version', (carry: object) => ({ ...carry, v: 2 })],
    ['a field of another type', (carry: object) => ({ ...carry, open: [{ origin: {}, offset: '0' }] })],
    ['no list', (carry: object) => ({ ...carry, cut: null })],
    ['a word', () => 'carry'],
    ['null', () => null],
  ])('that cannot be read is counted, and reading begins without what was open: %s', (_, spoil) => {
    const { carry, offset } = positionAfter(`${TRACE[0]}\n`);
    const from = { offset, carry: spoil(carry as object) };
    const decoder = new Decoder(source, OPTIONS, new StillClock(), undefined, { offset: Number(offset), from });
    expect(decoder.open).toBe(false);
    const { batch, counts } = decoder.feed({ bytes: Buffer.from('hello\n'), offset: Number(offset) });
    expect(counts.unread_carries).toBe(1);
    expect(batch.rows).toHaveLength(1);
    expect(batch.position).toEqual({ offset: Number(offset) + 6 });
    expect(decoder.flush('all').counts.unread_carries).toBe(0);
  });
});

describe('What is carried is bounded', () => {
  const piece = 'x'.repeat(100_000);

  test.each<[string, (n: number) => string]>([
    ['cut lines', (n) => `[pod/p${n}/c] ${cri('stdout', 'P', piece)}`],
    ['cut records', (n) => fluent(piece, 'P').replace('a-n0-0', `p${n}`)],
    ['stacks', (n) => `[pod/p${n}/c] ${TRACE[0]}\n[pod/p${n}/c]   ${piece}`],
    ['errors', (n) => `[pod/p${n}/c] ${say(`Exception when executing task t, reason ${piece}`)}`],
  ])('the oldest are let go as events, and the others stay whole: %s', (_, line) => {
    const decoder = new Decoder(source, OPTIONS, new StillClock());
    let let_go = 0;
    for (let n = 0; n < 30; n++) {
      const { batch } = decoder.feed({ bytes: Buffer.from(`${line(n)}\n`), offset: decoder.offset });
      expect(JSON.stringify(batch.position).length).toBeLessThan(MOST_CARRIED + 10_000);
      for (const { ends } of batch.rows) let_go += ends.length;
    }
    expect(let_go).toBe(20);
    const rest = decoder.flush('all').batch;
    expect(rest.rows.reduce((sum, { ends }) => sum + ends.length, 0)).toBe(10);
    expect(rest.position).not.toHaveProperty('carry');
  });

  test('the streams that failed first are forgotten', () => {
    const decoder = new Decoder(source, OPTIONS, new StillClock());
    for (let n = 0; n < 5_000; n++) {
      decoder.feed({ bytes: Buffer.from(`[pod/p${n}/c] ${FAILED}\n`), offset: decoder.offset });
    }
    const { position, carried } = decoder.flush('nothing').batch;
    expect(JSON.stringify(position).length).toBeLessThan(MOST_CARRIED / 2);
    expect(carried).toBeGreaterThan(MOST_CARRIED / 8);
    expect(JSON.stringify(position)).toContain('p4999');
  });
});

test('A carry of a version that knew no timings, and a level of every stack, is gone on with', () => {
  const origin = { pod: 'p', stream: 'stderr' };
  const when = { us: 1_771_497_044_000_000, from: 'runtime' };
  const header = 'Traceback (most recent call last):';
  const state = { at: 'frames', indent: 0, prefix: '', held: 0 };
  const stack = { state, when, level: 'ERROR', text: header, lines: 1, perhaps: [] };
  const identity = { execution_id: 'f1', task: 'w.fit', task_project: 'ml', task_domain: 'dev' };
  const captured = { when, messages: 1, lines: 1, task: 'w.fit', reason: 'no', trace: '', tracing: false, blank: 0 };
  const carry = {
    v: 1,
    cut: [{ origin: { stream: 'stdout' }, text: 'half ', length: 5, lines: 1, offset: 9, time: '' }],
    recorded: [],
    open: [
      { origin: { stream: 'stderr' }, offset: 40, stack },
      { origin, offset: 50, captured },
    ],
    failed: [{ origin, failed: [{ identity, ts_us: when.us }] }],
  };
  const decoder = new Decoder(source, OPTIONS, new StillClock(), undefined, {
    offset: 100,
    from: { offset: 100, carry },
  });
  const at = '2026-02-19T10:30:44.189512345Z';
  const lines = [`${at} stderr F ValueError: no`, `${at} stdout F a line`];
  const fed = decoder.feed({ bytes: Buffer.from(`${lines.join('\n')}\n`), offset: 100 });
  const rows = [...fed.batch.rows, ...decoder.flush('all').batch.rows];
  const told = rows.map(({ bytes }) => bytes.toString('utf8')).join('');
  expect(told).toContain('"error_type":"ValueError"');
  expect(told).toContain('"execution_id":"f1"');
  expect(told).toContain('"message":"half a line"');
});
