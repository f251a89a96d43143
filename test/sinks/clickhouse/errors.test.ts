import { ClickHouseError } from '@clickhouse/client';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { classify, refusalOf } from '../../../src/sinks/clickhouse/errors.ts';
import { SinkError } from '../../../src/sinks/sink.ts';

const WHERE = 'http://ch:8123';

function answer(code: number, text: string, name = 'SOME_NAME'): SinkError {
  const body = `Code: ${code}. DB::Exception: ${text}. (${name}) (version 26.7.2.1 (official build))\n`;
  const error = refusalOf({ status: 500, headers: {}, text: body }, WHERE, true);
  if (error === undefined) throw new Error('no error');
  return error;
}

describe('what a code of ClickHouse means', () => {
  test.each([
    3, 159, 160, 202, 203, 209, 210, 225, 236, 241, 242, 243, 252, 254, 285, 286, 289, 319, 341, 373, 394, 425, 439,
    473, 677, 700, 745, 999,
  ])('%i passes: the part is sent again', (code) => expect(answer(code, 'x').failure).toBe('retry'));
  test.each([16, 60, 81, 115, 164, 192, 193, 194, 201, 452, 497, 516])(
    '%i waits for an operator, and nothing is in doubt',
    (code) => {
      expect(answer(code, 'x')).toMatchObject({ failure: 'hold', in_doubt: false });
    },
  );
  test.each([6, 25, 26, 27, 32, 33, 38, 41, 53, 69, 70, 72, 117, 130, 131, 349, 691])(
    '%i is a row: the part is split',
    (code) => {
      expect(answer(code, 'x')).toMatchObject({ failure: 'split', in_doubt: false });
    },
  );

  test('a code that nobody knows holds', () => {
    expect(answer(65_000, 'x')).toMatchObject({ failure: 'hold', in_doubt: true, code: '65000' });
  });

  test('too many partitions for one insert will never pass, unlike too many parts', () => {
    expect(answer(252, 'Too many partitions for single INSERT block (more than 100)').failure).toBe('hold');
    expect(answer(252, 'Too many parts (300)').failure).toBe('retry');
  });

  test('any error while pushing to a view holds: the rows may be stored', () => {
    for (const code of [27, 41, 241, 395]) {
      expect(answer(code, 'x: while pushing to view d.mv (0c1a4a0e-0000-4000-8000-000000000000)')).toMatchObject({
        failure: 'hold',
        in_doubt: true,
      });
    }
  });

  test('a row that says so itself is still split', () => {
    const said = "Cannot parse input: expected '{' before: ': while pushing to view d.mv. (X_Y_Z)': (at row 1)";
    expect(answer(27, said).failure).toBe('split');
    expect(answer(27, `before: 'Code: 60. DB::Exception: no. (UNKNOWN_TABLE)'`).code).toBe('27');
  });
});

describe('what is told', () => {
  test('the code, its name, the column and the row, and what to do', () => {
    const text =
      "Cannot parse 'secret (at row 9)': (while reading the value of key attempt): (at row 56)\n: While executing X";
    expect(answer(27, text, 'CANNOT_PARSE_INPUT_ASSERTION_FAILED').message).toBe(
      'ClickHouse at http://ch:8123: 27 (CANNOT_PARSE_INPUT_ASSERTION_FAILED), column attempt, row 56: a row does not fit its table',
    );
  });

  test('a column that is not ours is not named', () => {
    expect(answer(27, '(while reading the value of key secret): (at row 1)').message).not.toContain('secret');
  });

  test("the client's reading of the name, which a row can choose, is not repeated", () => {
    const text = "Code: 27. DB::Exception: before: '(SECRETNAME)': (at row 2)\n: While executing X. (CANNOT_PARSE)";
    const thrown = new ClickHouseError({ code: '27', type: 'SECRETNAME', message: "before: '" });
    thrown.cause = new Error(text);
    expect(classify(thrown, WHERE)).toMatchObject({
      failure: 'split',
      message: 'ClickHouse at http://ch:8123: 27 (CANNOT_PARSE), row 2: a row does not fit its table',
    });
  });
});

describe('what the client and Node throw', () => {
  const coded = (code: string): Error => Object.assign(new Error(`secret ${code}`), { code });
  test.each([
    ['ECONNREFUSED', 'retry', false],
    ['ENOTFOUND', 'retry', false],
    ['EAI_AGAIN', 'retry', false],
    ['ECONNRESET', 'retry', true],
    ['EPIPE', 'retry', true],
    ['ETIMEDOUT', 'retry', true],
    ['ERR_STREAM_PREMATURE_CLOSE', 'retry', true],
    ['CERT_HAS_EXPIRED', 'hold', false],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'hold', false],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'hold', false],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'hold', false],
    ['HPE_INVALID_CONSTANT', 'hold', true],
  ])('%s: %s, in doubt %s', (code, failure, in_doubt) => {
    const error = classify(coded(code), WHERE);
    expect(error).toMatchObject({ failure, in_doubt, code });
    expect(error.message).not.toContain('secret');
  });

  test('anything at all becomes a SinkError that repeats nothing of it', () => {
    const message = fc.string().map((text) => `secret ${text}`);
    const thrown = fc.oneof(
      fc.anything(),
      message.map((text) => new Error(text)),
      message.map((text) => new TypeError(text)),
      fc
        .record({ message, code: fc.anything() })
        .map(({ message, code }) => Object.assign(new Error(message), { code })),
    );
    fc.assert(
      fc.property(thrown, (value) => {
        const error = classify(value, WHERE);
        expect(error).toBeInstanceOf(SinkError);
        expect(error.message).not.toContain('secret');
      }),
    );
  });

  test('any answer but an empty 200 is a failure of an INSERT', () => {
    const status = fc.oneof(fc.constant(200), fc.integer({ min: 100, max: 599 }));
    fc.assert(
      fc.property(status, fc.string(), (status, text) => {
        const good = refusalOf({ status, headers: {}, text }, WHERE, true) === undefined;
        expect(good).toBe(status >= 200 && status < 300 && text.trim() === '');
      }),
    );
  });
});
