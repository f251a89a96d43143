import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Tuple } from '../../src/batch.ts';
import { Flytekit } from '../../src/dialects/flytekit/index.ts';
import { StepScan } from '../../src/dialects/flytekit/scan.ts';
import { Times } from '../../src/dialects/when.ts';
import type { PrivacyOptions } from '../../src/privacy/rules.ts';
import { zone } from '../../src/zone.ts';
import { decode, stepLine, type How } from '../support/decode.ts';
import { line, prefix } from './lines.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

/** All that a sink or a metric can see of what an input became, a line a row. */
function image(input: string | Buffer, how: How): string {
  const { rows, blank, lines, bytes } = decode(input, how);
  const told = rows.map(({ table, text, tuple, duration }) => `${table} ${text} ${labels(tuple)} ${duration}`);
  return `${told.join('\n')}\n${blank} blank of ${lines}, ${bytes} bytes`;
}

const known = new WeakMap<Tuple, string>();

/** Its number is the one thing of a tuple that nobody sees. */
function labels(tuple: Tuple): string {
  const text = known.get(tuple) ?? JSON.stringify({ ...tuple, id: undefined });
  known.set(tuple, text);
  return text;
}

/** The rows in which the two paths differ: of the fast one and of the reference. */
function differences(input: string | Buffer, how: How): [string | undefined, string | undefined][] {
  const fast = image(input, { ...how, fast: true });
  const reference = image(input, { ...how, fast: false });
  if (fast === reference) return [];
  const [ours, theirs] = [fast.split('\n'), reference.split('\n')];
  const all = Array.from({ length: Math.max(ours.length, theirs.length) }, (_, n) => [ours[n], theirs[n]] as const);
  return all.filter(([one, other]) => one !== other).map(([one, other]) => [one, other]);
}

/** `ts_original` is an attribute that steptap itself adds. */
const privacy: fc.Arbitrary<PrivacyOptions> = fc.record({
  params: fc.constantFrom<'all' | string[]>('all', [], ['epochs', 'a']),
  attributes: fc.constantFrom<'all' | string[]>('all', 'all', 'all', [], ['rows', 'token', 'ts_original']),
  drop: fc.constantFrom<string[]>([], [], ['token', 'a.b', 'ts_original'], ['epochs', 'a', 'rows']),
  mask: fc.constantFrom<string[]>([], ['token', 'password'], ['a']),
  hash: fc.constantFrom<string[]>([], [], ['token', 'rows', 'epochs'], ['a', 'auc', 'PASSWORD']),
  hash_key: fc.constant('a secret of some length'),
  keep_raw: fc.boolean(),
});

const how: fc.Arbitrary<How> = fc.record({
  zone: fc.constantFrom('UTC', 'UTC', '+02:00', 'Europe/Berlin').map((name) => zone(name)!),
  privacy,
  constants: fc.constantFrom({}, { project: 'mine', namespace: 'here' }),
});

const lines = fc.array(
  fc.tuple(prefix, line).map((parts) => parts.join('')),
  { minLength: 1, maxLength: 40 },
);

describe('The fast path says what the reference decoder says', () => {
  test('of lines as they are written, in every variation', () => {
    const fast = vi.spyOn(Flytekit.prototype, 'fast');
    fc.assert(
      fc.property(lines, how, (written, options) => {
        expect(differences(written.join('\n'), options)).toEqual([]);
      }),
      { numRuns: 400 },
    );
    // It is no proof when nothing goes that way.
    const taken = fast.mock.results.filter(({ value }) => value === true).length;
    expect(taken).toBeGreaterThan(1000);
    expect(fast.mock.results.length - taken).toBeGreaterThan(300);
  });

  const mutation = fc.record({
    at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    kind: fc.constantFrom('flip', 'set', 'insert', 'delete', 'twice', 'cut'),
    byte: fc.oneof(fc.constantFrom(...Buffer.from('"\\{}[],: 0159eE+-.\r\nNPF\t')), fc.integer({ min: 0, max: 255 })),
    length: fc.integer({ min: 1, max: 12 }),
  });

  function mutate(
    bytes: Buffer,
    { at, kind, byte, length }: { at: number; kind: string; byte: number; length: number },
  ): Buffer {
    const place = Math.floor(at * bytes.length);
    const [before, rest] = [bytes.subarray(0, place), bytes.subarray(place)];
    switch (kind) {
      case 'flip':
        return Buffer.concat([before, Buffer.from([(rest[0] ?? 0) ^ (1 << (byte & 7))]), rest.subarray(1)]);
      case 'set':
        return Buffer.concat([before, Buffer.from([byte]), rest.subarray(1)]);
      case 'insert':
        return Buffer.concat([before, Buffer.from([byte]), rest]);
      case 'delete':
        return Buffer.concat([before, rest.subarray(length)]);
      case 'twice':
        return Buffer.concat([before, rest.subarray(0, length), rest]);
      default:
        return before;
    }
  }

  /** Lines that the fast path takes as they are: what is wrong with them is the mutation. */
  const valid = [
    stepLine(),
    stepLine({
      taskName: 'null',
      step: '"Execute user level code"',
      params: JSON.stringify('{"epochs": "3", "lr": "0.01"}'),
    }),
    stepLine({ step: '"Upload data to s3://raw/oz/a7hzqtz5cm6k2dnm7k2w-n0-3/x.parquet"', wall_time_s: '0.561002' }),
    stepLine({ status: '"error", "error_type": "FlyteUserRuntimeException"', wall_time_s: '1.9e-05' }),
    stepLine({ rows: '1024', auc: '-0.5', ok: 'true', user: '"me"' }),
    stepLine({ execution_id: '', task_name: '', project: '', domain: '' }),
  ];
  const start = fc.constantFrom(
    '',
    '',
    '2026-02-19T10:30:44.189512345Z stderr F ',
    '2026-02-19T10:30:44.189512345Z ',
    '[pod/a/b] ',
  );
  const mutated = fc
    .tuple(start, fc.constantFrom(...valid), fc.array(mutation, { minLength: 1, maxLength: 3 }))
    .map(([before, text, mutations]) => mutations.reduce(mutate, Buffer.from(before + text)));

  test('of 21,000 lines with bytes flipped, inserted, deleted, doubled or cut off', () => {
    let count = 0;
    fc.assert(
      fc.property(fc.array(mutated, { minLength: 100, maxLength: 100 }), how, (each, options) => {
        count += each.length;
        expect(differences(Buffer.concat(each.flatMap((bytes) => [bytes, Buffer.from('\n')])), options)).toEqual([]);
      }),
      { numRuns: 210, endOnFailure: true },
    );
    expect(count).toBeGreaterThanOrEqual(21_000);
  }, 120_000);

  test('of more names of steps than are remembered', () => {
    const word = (n: number): string =>
      n.toString(26).replace(/[0-9a-p]/g, (one) => String.fromCharCode(97 + Number.parseInt(one, 26)));
    const many = Array.from({ length: 9000 }, (_, n) => stepLine({ step: JSON.stringify(`step ${word(n)}`) }));
    expect(differences([...many, ...many.slice(0, 200), ...many.slice(-200)].join('\n'), {})).toEqual([]);
  });

  test('of more executions than are remembered, on more pods', () => {
    const many = Array.from(
      { length: 10_000 },
      (_, n) => `[pod/p${n % 1500}/c] ${stepLine({ execution_id: `"run-${n}"` })}`,
    );
    expect(differences([...many, ...many.slice(0, 200)].join('\n'), {})).toEqual([]);
  });

  test('of failed steps: the error that is printed next is theirs', () => {
    const error =
      '{"asctime": "2026-02-19 10:30:44,190", "name": "flytekit", "levelname": "ERROR", "message": "!! Begin User Error Captured by Flyte !!"}';
    const failed = stepLine({ status: '"error", "error_type": "FlyteUserRuntimeException"' });
    expect(differences(`${failed}\n${stepLine()}\n${error}\n${failed}\n`, {})).toEqual([]);
    expect(decode(`${failed}\n${error}\n`).events).toMatchObject([{ execution_id: 'a7hzqtz5cm6k2dnm7k2w' }]);
  });
});

/** As it is, whatever a test puts in its place. */
const scan: (this: StepScan, ...args: Parameters<StepScan['scan']>) => boolean = Reflect.get(
  StepScan.prototype,
  'scan',
);

describe('Control: the same property finds a fast path that is wrong', () => {
  const breaks = (): void =>
    fc.assert(
      fc.property(lines, how, (written, options) => {
        expect(differences(written.join('\n'), options)).toEqual([]);
      }),
      { numRuns: 300, endOnFailure: true },
    );

  test('about zones', () => {
    vi.spyOn(Times.prototype, 'sameMinute').mockReturnValue(true);
    expect(breaks).toThrow('Property failed');
  });

  test('about numbers', () => {
    vi.spyOn(StepScan.prototype, 'scan').mockImplementation(function (this: StepScan, ...args) {
      const taken = scan.apply(this, args);
      this.wall_time_s *= 1 + Number.EPSILON;
      return taken;
    });
    expect(breaks).toThrow('Property failed');
  });

  test('about what is behind the fixed fields', () => {
    vi.spyOn(StepScan.prototype, 'scan').mockImplementation(function (this: StepScan, bytes, start, end) {
      const taken = scan.call(this, bytes, start, end);
      this.tail = end - 1;
      return taken;
    });
    expect(breaks).toThrow('Property failed');
  });
});
