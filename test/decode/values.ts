import fc from 'fast-check';

/*
 * Values of a step's line: most of them as a producer writes them, some nearly.
 */

const two = (n: number): string => String(n).padStart(2, '0');

const clock = fc
  .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }), fc.integer({ min: 0, max: 60 }), fc.nat(999))
  .map(([hour, minute, second, ms]) => `${two(hour)}:${two(minute)}:${two(second)},${String(ms).padStart(3, '0')}`);
const date = fc
  .tuple(
    fc.oneof({ weight: 8, arbitrary: fc.constant(2026) }, fc.constantFrom(1800, 1969, 1970, 2024, 2261, 2262, 9999)),
    fc.integer({ min: 0, max: 13 }),
    fc.integer({ min: 0, max: 32 }),
  )
  .map(([year, month, day]) => `${year}-${two(month)}-${two(day)}`);

/** `2026-02-19 10:30:44,189`: most of them that one, so that the runtime's time beside it can be of the same minute. */
export const asctime = fc.oneof(
  { weight: 6, arbitrary: fc.constant('2026-02-19 10:30:44,189') },
  {
    weight: 2,
    arbitrary: fc.constantFrom('2026-03-29 02:30:00,000', '2026-10-25 02:59:59,999', '2024-02-29 23:59:59,999'),
  },
  { weight: 3, arbitrary: fc.tuple(date, clock).map(([day, time]) => `${day} ${time}`) },
  fc.constantFrom(
    '2026-02-19T10:30:44,189',
    '2026-02-19 10:30:44.189',
    '2026-02-19 10:30:44,18',
    '2026-02-19 10:30:44,189Z',
    '',
  ),
);

const text = fc.oneof(
  { weight: 5, arbitrary: fc.string({ maxLength: 30 }) },
  fc.string({ unit: 'binary', maxLength: 10 }),
  fc.constantFrom('\ud800', '\udfff\ud800', '"', '\\', '\u0000', '\u2028', '\u007f', 'é'),
);

/** JSON strings as Python writes them (ASCII), as JavaScript does (UTF-8), or with an escape too many. */
export const quoted = fc.oneof(
  { weight: 4, arbitrary: text.map((each) => JSON.stringify(each)) },
  text.map((each) =>
    JSON.stringify(each).replace(/[\u007f-\uffff]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`),
  ),
  text.map((each) => JSON.stringify(each).replace(/[ae/]/g, (one) => `\\u00${one.charCodeAt(0).toString(16)}`)),
);

export const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .constantFrom(
        'pre_execute',
        'Execute user level code',
        'AsyncTranslate literal to python value',
        'Download data to local from s3://m/metadata/propeller/ml-production-a7hzqtz5cm6k2dnm7k2w/n0/data/inputs.pb',
        'Upload data to s3://raw/oz/a7hzqtz5cm6k2dnm7k2w-n0-3/x.parquet',
        'Upload data to ',
        'batch 12 of 345',
        'read https://example.org/a?token=x now',
        '6f1d0e2a-0000-4000-8000-123456789abc',
      )
      .map((name) => JSON.stringify(name)),
  },
  { weight: 2, arbitrary: quoted },
  fc.constantFrom('""', 'null', '5'),
);

const digits = (min: number, max: number): fc.Arbitrary<string> =>
  fc.array(fc.nat(9), { minLength: min, maxLength: max }).map((each) => each.join(''));

export const number = fc.oneof(
  { weight: 3, arbitrary: fc.double({ min: 0, max: 1e6, noNaN: true }).map((each) => each.toFixed(6)) },
  { weight: 2, arbitrary: fc.tuple(digits(1, 12), digits(1, 12)).map(([whole, rest]) => `${whole}.${rest}`) },
  {
    weight: 2,
    arbitrary: fc.tuple(digits(1, 3), digits(1, 12), fc.nat(30)).map(([a, b, e]) => `${a}.${b}e-${two(e)}`),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom('5e-06', '1e-05', '1.9e-05', '0.0', '0', '1.5', '28.447119', '1e-09', '1e-10'),
  },
  fc.constantFrom('999999999999999', '9999999999999999', '12345678901234567890', '0.1234567890123456', '1E-05', '1e+2'),
  fc.constantFrom(
    '-1.5',
    '-0.0',
    '1e400',
    '1e308',
    '1.',
    '.5',
    '01.5',
    'NaN',
    'Infinity',
    'null',
    '"1.2"',
    'true',
    '1e22',
  ),
);

export const simple = fc.oneof(
  number,
  quoted,
  fc.constantFrom('true', 'false', 'null', '{}', '[1, 2]', '{"a": {"b": NaN}}'),
);
export const name = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom('"rows"', '"auc"', '"token"', '"Password"', '"1"', '"0"', '"a.b"', '"ts_original"'),
  },
  { weight: 2, arbitrary: quoted },
  fc.constantFrom(
    '"step"',
    '"status"',
    '"event"',
    '"project"',
    '"timestamp"',
    '"error_type"',
    '"params"',
    '"wall_time_s"',
  ),
  fc.constantFrom(
    '"time"',
    '"stream"',
    '"date"',
    '"log"',
    '"_p"',
    '"logtag"',
    '"kubernetes"',
    '"taskName"',
    '"__proto__"',
  ),
);

const params = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ epochs: '3', lr: '0.01', ds: '"s3://x"', token: '"t"' }) },
  { weight: 2, arbitrary: fc.dictionary(fc.constantFrom('epochs', 'a', 'b c', '1', '__proto__'), text) },
  fc.dictionary(
    fc.constantFrom('epochs', 'a'),
    fc.jsonValue().map((value) => JSON.stringify(value)),
  ),
);
export const written = fc.oneof(
  { weight: 4, arbitrary: params.map((each) => JSON.stringify(JSON.stringify(each))) },
  params.map((each) => JSON.stringify(each)),
  simple,
);
