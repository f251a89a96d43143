import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Decoder } from '../../src/decode.ts';
import { LineCutter } from '../../src/framing/lines.ts';
import { decode, OPTIONS, source, stepLine, StillClock, type Outcome } from '../support/decode.ts';

const samples = readFileSync('test/fixtures/flyte-samples.log', 'latin1').split('\n');
const say = (message: string): string =>
  JSON.stringify({ asctime: '2026-02-19 10:30:44,190', name: 'flytekit', levelname: 'ERROR', message });

/** Rows stand by table in a batch, and more reads make more batches: each table has its order. */
function image({ rows, blank, lines, bytes, offset }: Outcome): unknown {
  const tables = ['steps', 'logs', 'events', 'rejections'].map((table) =>
    rows.filter((row) => row.table === table).map(({ text, tuple, duration }) => [text, tuple, duration]),
  );
  return { tables, blank, lines, bytes, offset };
}

describe('Where a read ends changes nothing', () => {
  const mix = fc.array(fc.constantFrom(...samples), { minLength: 1, maxLength: 60 });
  const cuts = fc.array(fc.nat({ max: 30_000 }), { maxLength: 30 });

  test('Any mix of sample lines gives the same rows in pieces as in one', () => {
    fc.assert(
      fc.property(mix, cuts, fc.constantFrom('\n', '\r\n'), fc.boolean(), (lines, at, newline, ended) => {
        const bytes = Buffer.from(lines.join(newline) + (ended ? newline : ''), 'latin1');
        expect(image(decode(bytes, { cuts: at }))).toEqual(image(decode(bytes)));
      }),
      { numRuns: 250 },
    );
  });

  test('Byte by byte too', () => {
    const bytes = Buffer.from(samples.join('\n'), 'latin1');
    const cuts = Array.from({ length: bytes.length }, (_, n) => n);
    expect(image(decode(bytes, { cuts }))).toEqual(image(decode(bytes)));
  });

  test('A progress bar of megabytes is its last state, however it is read', () => {
    const bar = Array.from({ length: 50_000 }, (_, n) => `\r${n / 500}% |${'#'.repeat(n % 40)}`).join('');
    const text = `${stepLine()}\n${bar}\r   \r\n${stepLine()}\n`;
    for (const size of [1000, 65_536, 100_000]) {
      const cuts = Array.from({ length: 3000 }, (_, n) => (n + 1) * size);
      const { steps, logs } = decode(text, { cuts });
      expect(steps).toHaveLength(2);
      expect(logs).toMatchObject([{ message: `99.998% |${'#'.repeat(39)}` }]);
    }
  });
});

describe('Events of several lines', () => {
  const trace = 'Traceback (most recent call last):\n  File "x.py", line 1, in f\n';

  /** Feeds text, and gives the rows that were let go. */
  function fed(decoder: Decoder, text: string): string[] {
    const { batch } = decoder.feed({ bytes: Buffer.from(text), offset: 0 });
    return batch.rows.map(({ bytes }) => bytes.toString());
  }

  test('A stack waits for more of it, and is let go when its stream says nothing for a second', () => {
    const clock = new StillClock();
    const decoder = new Decoder(source, OPTIONS, clock);
    expect(fed(decoder, trace)).toEqual([]);
    expect(decoder.open).toBe(true);
    for (const more of ['  File "x.py", line 2, in g\n', '    pass\n']) {
      // Looked at every half second, as it is while nothing comes.
      for (const pause of [500, 400]) {
        clock.pass(pause);
        expect(decoder.flush('quiet').batch.rows).toEqual([]);
      }
      expect(fed(decoder, more)).toEqual([]);
    }
    for (let n = 0; n < 2; n++) {
      clock.pass(500);
      expect(decoder.flush('quiet').batch.rows).toEqual([]);
    }
    clock.pass(100);
    const [rows] = decoder.flush('quiet').batch.rows;
    expect(rows?.bytes.toString()).toContain('"lines":4');
    expect(decoder.open).toBe(false);
  });

  test('A line of another kind ends a stack, and stands behind it', () => {
    const { rows } = decode(`${trace}ValueError: x\nhello\n${stepLine()}\n`);
    expect(rows.map(({ fields }) => fields['message'] ?? fields['step'])).toEqual(
      expect.arrayContaining([`${trace}ValueError: x`, 'hello', 'pre_execute']),
    );
  });

  test('An error of which only one line came, behind a step on its line, is an event all the same', () => {
    const { events } = decode(`${stepLine()}${say('Exception when executing task a.b, reason x=1')}\n`);
    expect(events).toMatchObject([{ kind: 'error', attributes: { reason: 'x=1' }, lines: 0 }]);
  });

  test('Two errors one after the other are two events', () => {
    const one = [
      '!! Begin User Error Captured by Flyte !!',
      'Trace:\n\n    ValueError: a',
      '!! End Error Captured by Flyte !!',
    ];
    const two = ['!! Begin Unknown System Error Captured by Flyte !!', 'Trace:\n\n    OSError: b'];
    const { events } = decode([...one, ...two].map(say).join('\n'));
    expect(events).toMatchObject([
      { root_error_type: 'ValueError', error_kind: 'user', lines: 3 },
      { root_error_type: 'OSError', error_kind: 'system', lines: 2 },
    ]);
  });

  test('Lines of other loggers between those of an error stay logs', () => {
    const other = JSON.stringify({ name: 'user_space', levelname: 'INFO', message: 'cleaning up' });
    const text = [
      say('!! Begin User Error Captured by Flyte !!'),
      other,
      say('Trace:\n\n    ValueError: a'),
      stepLine(),
    ];
    const { events, logs, steps } = decode([...text, say('!! End Error Captured by Flyte !!')].join('\n'));
    expect(events).toMatchObject([{ root_error_type: 'ValueError', lines: 3 }]);
    expect(logs).toMatchObject([{ message: 'cleaning up' }]);
    expect(steps).toHaveLength(1);
  });
});

describe('Counting', () => {
  test('Without logs they are counted, and not stored; steps and rejections are', () => {
    const decoder = new Decoder(source, { ...OPTIONS, logs: false }, new StillClock());
    const bytes = Buffer.from(samples.join('\n'), 'latin1');
    const [chunk] = new LineCutter(1 << 20).push(Buffer.concat([bytes, Buffer.from('\n')]));
    const { batch, counts } = decoder.feed(chunk!);
    const rest = decoder.flush('all');
    expect(batch.rows.map(({ table }) => table)).toEqual(['steps', 'events', 'rejections']);
    expect(batch.lines + rest.batch.lines).toBe(samples.length);
    const whole = decode(bytes);
    expect(counts.filtered.get('log')).toBe(whole.logs.length);
    // A timing waits for its step, up to the end.
    const told = [counts, rest.counts].flatMap(({ events }) =>
      ['flytekit', 'flyte2'].map((name) => events.get(`${name}\nstep`) ?? 0),
    );
    expect(told).toEqual([whole.steps.length - 3, 2, 1, 0]);
    expect(Object.fromEntries(counts.rejections)).toEqual({ schema: 1, json_syntax: 1 });
  });

  test('Labels with newlines in them are not taken for others', () => {
    const one = stepLine({ project: String.raw`"a\nb"`, domain: '"c"', task_name: '"d"' });
    const two = stepLine({ project: '"a"', domain: '"b"', task_name: String.raw`"c\nd"` });
    for (const { tuple, fields } of decode(`${one}\n${two}\n`).rows) {
      expect(tuple).toMatchObject({ project: fields['project'], domain: fields['domain'], task: fields['task'] });
    }
  });

  test('An extra of the user named timestamp is kept beside the time of the line', () => {
    expect(decode(stepLine({ timestamp: '"then"' })).steps).toMatchObject([
      { ts: '2026-02-19T10:30:44.189000Z', attributes: { timestamp: 'then' } },
    ]);
  });
});
