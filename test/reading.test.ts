import { PassThrough } from 'node:stream';
import { Registry } from 'prom-client';
import { afterEach, describe, expect, test } from 'vitest';
import type { Position } from '../src/batch.ts';
import { Counters } from '../src/counters.ts';
import type { Lane } from '../src/delivery/lane.ts';
import { Lanes } from '../src/delivery/lanes.ts';
import { runPipeline, type PipelineResult } from '../src/pipeline.ts';
import { Slabs } from '../src/slabs.ts';
import type { Opened, ByteSource } from '../src/sources/source.ts';
import { OPTIONS, stepLine } from './support/decode.ts';
import { FakeClock, settled } from './support/fake-clock.ts';
import { KeptSpool } from './support/kept-spool.ts';

const AT = '2026-02-19T10:30:44.189512345Z';
const TRACE = 'Traceback (most recent call last):\n  File "x.py", line 1, in f\n    g()\nValueError: x\n';
const GOOD: PipelineResult = { undelivered: new Map(), unaccepted: 0, undecoded: 0, failure: undefined };
const GRACE_MS = 5_000;

/** Bytes that can be read again, or not; what was opened can be written on. */
class Given implements ByteSource {
  readonly name: string;
  readonly resumes: boolean;
  readonly follows: boolean;
  readonly opened: (Position | undefined)[] = [];
  readonly #open: (from: Position | undefined) => Partial<Opened>;
  bytes = new PassThrough();

  constructor(
    name: string,
    { resumes = false, follows = false }: { resumes?: boolean; follows?: boolean } = {},
    open: (from: Position | undefined) => Partial<Opened> = () => ({}),
  ) {
    this.name = name;
    this.resumes = resumes;
    this.follows = follows;
    this.#open = open;
  }

  open(from: Position | undefined): Opened {
    this.opened.push(from);
    this.bytes = new PassThrough();
    const offset = this.resumes ? Number(from?.['offset'] ?? 0) : 0;
    return { bytes: this.bytes, offset, ...this.#open(from) };
  }

  position(offset: number): Position {
    return { offset };
  }
}

const stops: AbortController[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop.abort();
});

function run(sources: readonly ByteSource[], spool: KeptSpool, clock = new FakeClock(), logs = true) {
  const stop = new AbortController();
  stops.push(stop);
  const none = { run: async () => {}, pending: () => 0, sink: { name: 'none' } } as unknown as Lane;
  const result = runPipeline(
    {
      sources,
      decode: { ...OPTIONS, logs },
      spool,
      lanes: new Lanes(),
      deadLetters: none,
      counters: new Counters(new Registry(), () => spool.usage()),
      clock,
      grace_ms: GRACE_MS,
      slabs: new Slabs(),
    },
    stop.signal,
  );
  return { result, stop, clock };
}

describe('A source that resumes', () => {
  const cri = (tag: string, text: string): string => `[pod/p/c] ${AT} stderr ${tag} ${text}\n`;
  const text = [
    `${stepLine()}\n`,
    cri('P', 'one '),
    TRACE,
    cri('P', 'long '),
    'hello\n',
    TRACE,
    cri('F', 'line'),
    `${stepLine({ step: '"last"' })}\n`,
  ].join('');

  test('that is stopped anywhere goes on as if it had not been, whatever was unfinished', async () => {
    const whole = new KeptSpool();
    const source = new Given('file', { resumes: true });
    const once = run([source], whole);
    source.bytes.end(text);
    expect(await once.result).toEqual(GOOD);
    expect(whole.rows()).toHaveLength(6);

    for (let cut = 0; cut <= text.length; cut += 13) {
      const spool = new KeptSpool();
      const first = run([source], spool);
      source.bytes.write(text.slice(0, cut));
      await settled();
      first.stop.abort();
      expect(await first.result).toEqual(GOOD);
      const from = Number(spool.positions.get('file')?.['offset'] ?? 0);
      expect(from).toBe(text.lastIndexOf('\n', cut - 1) + 1);
      const second = run([source], spool);
      source.bytes.end(text.slice(from));
      expect(await second.result).toEqual(GOOD);
      for (const table of ['steps', 'logs', 'rejections']) expect(spool.rows(table)).toEqual(whole.rows(table));
      expect(spool.positions.get('file')).toEqual({ offset: text.length });
    }
  });

  test('leaves its unfinished line and its open events at a stop: the last append is the position alone', async () => {
    const spool = new KeptSpool();
    const source = new Given('file', { resumes: true });
    const { result, stop } = run([source], spool);
    source.bytes.write(`${TRACE}half a li`);
    await settled();
    expect(spool.batches).toEqual([]);
    stop.abort();
    expect(await result).toEqual(GOOD);
    expect(spool.batches).toMatchObject([{ rows: [], position: { offset: TRACE.length, carry: { v: 1 } } }]);
  });

  test('of which reading fails in the middle of a line leaves that line too', async () => {
    const spool = new KeptSpool();
    const source = new Given('file', { resumes: true });
    const { result } = run([source], spool);
    source.bytes.write(`${stepLine()}\nhalf a li`);
    await settled();
    source.bytes.destroy(new Error('EIO: i/o error'));
    expect((await result).failure?.message).toBe('file: EIO: i/o error');
    expect(spool.rows()).toHaveLength(1);
    expect(spool.positions.get('file')).toEqual({ offset: stepLine().length + 1 });
  });

  test.each<[Opened['carried'], string[]]>([
    ['end', [TRACE.trimEnd(), 'new']],
    ['again', ['new']],
    [undefined, [`${TRACE}  more`.replace('ValueError: x\n', ''), 'new']],
  ])('says what becomes of the events that were unfinished: %s', async (carried, messages) => {
    const spool = new KeptSpool();
    const before = new Given('file', { resumes: true });
    const first = run([before], spool);
    before.bytes.write(carried === undefined ? TRACE.replace('ValueError: x\n', '') : TRACE);
    await settled();
    first.stop.abort();
    await first.result;
    const source = new Given('file', { resumes: true }, () => (carried === undefined ? {} : { offset: 0, carried }));
    const second = run([source], spool);
    source.bytes.end(carried === undefined ? '  more\nnew\n' : 'new\n');
    expect(await second.result).toEqual(GOOD);
    expect(spool.rows('logs').map(({ message }) => message)).toEqual(messages);
  });
});

describe('A source that cannot be read again', () => {
  test('has what an earlier process left unfinished as events, before anything else', async () => {
    const spool = new KeptSpool();
    const source = new Given('stdin');
    const first = run([source], spool);
    source.bytes.write(`${stepLine()}\n[pod/p/c] ${AT} stderr P half\n${TRACE}`);
    await settled();
    // Killed: what is there is the last record.
    const { position } = spool.batches[0]!;
    expect(position).toHaveProperty('carry');
    const next = new KeptSpool();
    next.positions.set('stdin', JSON.parse(JSON.stringify(position)) as Position);
    const second = run([source], next);
    await settled();
    expect(next.rows('logs').map(({ message }) => message)).toEqual(['half', TRACE.trimEnd()]);
    source.bytes.end(`[pod/p/c] ${AT} stderr F new\n`);
    expect(await second.result).toEqual(GOOD);
    expect(next.rows('logs').map(({ message }) => message)).toEqual(['half', TRACE.trimEnd(), 'new']);
    first.stop.abort();
    await first.result;
  });

  test('of which reading fails in the middle of a line has that line as cut short, not as whole', async () => {
    const spool = new KeptSpool();
    const source = new Given('stdin');
    const { result } = run([source], spool);
    source.bytes.write('hello\nhalf a li');
    await settled();
    source.bytes.destroy(new Error('EIO: i/o error'));
    expect((await result).failure?.message).toBe('stdin: EIO: i/o error');
    expect(spool.rows('logs')).toMatchObject([{ message: 'hello' }]);
    expect(spool.rows('rejections')).toMatchObject([{ reason: 'cut_short', raw: 'half a li' }]);
  });
});

describe('Positions', () => {
  test('move on once a second while lines make no rows, and at the end', async () => {
    const spool = new KeptSpool();
    const source = new Given('file', { resumes: true });
    const { result, clock } = run([source], spool, new FakeClock(), false);
    for (let n = 0; n < 100; n++) {
      source.bytes.write('hello\n');
      await clock.advance(100);
    }
    expect(spool.batches.length).toBeGreaterThanOrEqual(8);
    expect(spool.batches.length).toBeLessThanOrEqual(10);
    for (const { rows } of spool.batches) expect(rows).toEqual([]);
    source.bytes.end('hello\n');
    await result;
    expect(spool.positions.get('file')).toEqual({ offset: 606 });
    const before = spool.batches.length;
    const again = run([source], spool);
    source.bytes.end();
    await again.result;
    expect(spool.batches).toHaveLength(before);
  });
});

describe('Appends', () => {
  test('of many small batches are under way at once, up to 2 MiB, and in order', async () => {
    const spool = new KeptSpool();
    spool.held = true;
    const source = new Given('stdin');
    const { result } = run([source], spool);
    const names = Array.from({ length: 5_000 }, (_, n) => `n${n}`);
    for (const name of names) {
      source.bytes.write(`${stepLine({ step: `"${name}"` })}\n`);
      await settled();
    }
    source.bytes.end();
    const under_way = spool.waiting.length;
    expect(under_way).toBeGreaterThan(1_000);
    expect(under_way).toBeLessThan(4_900);
    spool.commit();
    expect(await result).toEqual(GOOD);
    expect(spool.rows('steps').map(({ step_raw }) => step_raw)).toEqual(names);
  });

  test('that the spool rejects end the reading, and that is said', async () => {
    const spool = new KeptSpool();
    const [source, other] = [new Given('stdin', { follows: true }), new Given('other')];
    const { result } = run([source, other], spool);
    source.bytes.write('one\n');
    await settled();
    spool.broken = new Error('EIO: the spool cannot be written');
    source.bytes.write('two\n');
    await settled();
    source.bytes.write('three\n');
    const { failure, unaccepted } = await result;
    expect(failure).toBe(spool.broken);
    expect(unaccepted).toBe(1);
    expect(spool.rows('logs')).toHaveLength(1);
  });
});

test('Sources are read one after the other; when one has no end, all at once', async () => {
  for (const follows of [false, true]) {
    const spool = new KeptSpool();
    const sources = [new Given('a', { follows }), new Given('b')];
    const { result, stop } = run(sources, spool);
    await settled();
    expect(sources.map(({ opened }) => opened.length)).toEqual([1, follows ? 1 : 0]);
    sources[0]!.bytes.write('a\n');
    sources[1]!.bytes.write('b\n');
    await settled();
    expect(spool.rows().map(({ message }) => message)).toEqual(follows ? ['a', 'b'] : ['a']);
    stop.abort();
    expect(await result).toEqual(GOOD);
  }
});

test.each([true, false])(
  'Bytes that were read in vain are counted where they are lost: resumes is %j',
  async (resumes) => {
    const spool = new KeptSpool();
    spool.held = true;
    const source = new Given('x', { resumes }, () => ({ offset: 1_000 }));
    const { result, stop, clock } = run([source], spool);
    const long = `${'x'.repeat(900_000)}\n`;
    for (let n = 0; n < 6; n++) {
      source.bytes.write(long);
      await settled();
    }
    stop.abort();
    await clock.advance(GRACE_MS + 1);
    const { unaccepted, undecoded } = await result;
    expect(unaccepted > 1).toBe(!resumes);
    expect(undecoded).toBe(resumes ? 0 : (6 - unaccepted) * long.length);
  },
);
