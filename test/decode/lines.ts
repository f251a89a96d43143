import fc from 'fast-check';

/*
 * Lines of flytekit's telemetry as text, in all the ways in which they may come: most of them right, some of them nearly.
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
const asctime = fc.oneof(
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
const quoted = fc.oneof(
  { weight: 4, arbitrary: text.map((each) => JSON.stringify(each)) },
  text.map((each) =>
    JSON.stringify(each).replace(/[\u007f-\uffff]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`),
  ),
  text.map((each) => JSON.stringify(each).replace(/[ae/]/g, (one) => `\\u00${one.charCodeAt(0).toString(16)}`)),
);

const step = fc.oneof(
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

const number = fc.oneof(
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

const simple = fc.oneof(number, quoted, fc.constantFrom('true', 'false', 'null', '{}', '[1, 2]', '{"a": {"b": NaN}}'));
const name = fc.oneof(
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
const written = fc.oneof(
  { weight: 4, arbitrary: params.map((each) => JSON.stringify(JSON.stringify(each))) },
  params.map((each) => JSON.stringify(each)),
  simple,
);

type Member = readonly [string, string];

const status = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Member[]>([['"status"', '"success"']]) },
  {
    weight: 3,
    arbitrary: fc.oneof(fc.constant('"FlyteUserRuntimeException"'), quoted).map((type): Member[] => [
      ['"status"', '"error"'],
      ['"error_type"', type],
    ]),
  },
  fc.constantFrom<Member[]>(
    [['"status"', '"error"']],
    [['"status"', '"ok"']],
    [
      ['"status"', '"success"'],
      ['"error_type"', '"E"'],
    ],
  ),
);

const FIT: Member[] = [
  ['"task_name"', '"workflows.train.fit"'],
  ['"project"', '"ml"'],
  ['"domain"', '"production"'],
];
const identity = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .constantFrom('a7hzqtz5cm6k2dnm7k2w', 'f1c0b5a2e93d4c7f8a61', 'local', '', 'my-run')
      .map((id): Member[] => [['"execution_id"', JSON.stringify(id)], ...FIT]),
  },
  fc.constant<Member[]>([]),
  fc.constantFrom<Member[]>(FIT, [['"execution_id"', '"x"']], [['"execution_id"', '5'], ...FIT]),
  fc
    .tuple(quoted, quoted)
    .map(([id, task]): Member[] => [['"execution_id"', id], ['"task_name"', task], ...FIT.slice(1)]),
  fc.constant<Member[]>([
    [
      '"execution_id"',
      String.raw`"Flyte Serialized object (WorkflowExecutionIdentifier):\n  project: ml\n  name: abc"`,
    ],
    ...FIT,
  ]),
);

const extras = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Member[]>([]) },
  { weight: 3, arbitrary: written.map((each): Member[] => [['"params"', each]]) },
  { weight: 3, arbitrary: fc.array(fc.tuple(name, simple), { maxLength: 4 }) },
  {
    weight: 1,
    arbitrary: fc.tuple(written, name, simple).map(([each, key, value]): Member[] => [
      ['"params"', each],
      [key, value],
    ]),
  },
  { weight: 1, arbitrary: fc.constant(Array.from({ length: 40 }, (_, n): Member => [`"k${n}"`, `${n}`])) },
);

const task = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Member[]>([]) },
  fc.constantFrom<Member[]>([['"taskName"', 'null']], [['"taskName"', '"Task-3"']]),
);

interface Parts {
  readonly asctime: string;
  readonly task: Member[];
  readonly step: string;
  readonly wall: string;
  readonly process: string;
  readonly status: Member[];
  readonly identity: Member[];
  readonly extras: Member[];
  /** What stands between two members, and between a name and its value. */
  readonly between: readonly [string, string];
  readonly end: string;
}

/** Parts of lines as they are meant. */
const usual: fc.Arbitrary<Parts> = fc.record({
  asctime: fc.constantFrom('2026-02-19 10:30:44,189', '2026-02-19 10:30:44,190', '2026-02-28 23:59:59,999'),
  task: fc.constantFrom<Member[]>([], [['"taskName"', 'null']]),
  step: fc
    .constantFrom('pre_execute', 'Execute user level code', 'Upload data to s3://x', 'batch 7')
    .map((name) => `"${name}"`),
  wall: fc.constantFrom('5e-06', '0.0', '1.5', '28.447119', '123456.123456'),
  process: fc.constantFrom('4e-06', '0', '1.4'),
  status: fc.constantFrom<Member[]>(
    [['"status"', '"success"']],
    [
      ['"status"', '"error"'],
      ['"error_type"', '"E"'],
    ],
  ),
  identity: fc.constantFrom<Member[]>(
    [],
    [['"execution_id"', '"local"'], ...FIT],
    [['"execution_id"', '"my-run"'], ...FIT],
  ),
  extras: fc.constantFrom<Member[]>(
    [],
    [
      ['"rows"', '1024'],
      ['"ok"', 'true'],
    ],
    [['"params"', '"{\\"epochs\\": \\"3\\"}"']],
  ),
  between: fc.constant<[string, string]>([', ', ': ']),
  end: fc.constant('}'),
});

/** The same in all the ways that there are. */
const unusual: fc.Arbitrary<Parts> = fc.record({
  asctime,
  task,
  step,
  wall: number,
  process: number,
  status,
  identity,
  extras,
  between: fc.constantFrom<[string, string]>([',', ':'], [' , ', ' :  '], [', ', ': ']),
  end: fc.constantFrom('} ', '}\r', ' }', '}'),
});

const PARTS = ['asctime', 'task', 'step', 'wall', 'process', 'status', 'identity', 'extras', 'between', 'end'] as const;

/** One line, as its producer or something like it would write it: some of its parts are unusual. */
export const line: fc.Arbitrary<string> = fc
  .tuple(
    usual,
    unusual,
    fc.oneof({ weight: 4, arbitrary: fc.subarray([...PARTS], { maxLength: 2 }) }, fc.subarray([...PARTS])),
  )
  .map(([most, some, which]) => {
    const made: Parts = { ...most, ...Object.fromEntries(which.map((part) => [part, some[part]])) };
    const members: Member[] = [
      ['"asctime"', JSON.stringify(made.asctime)],
      ['"name"', '"flytekit.telemetry"'],
      ['"levelname"', '"INFO"'],
      ['"message"', '"flytekit_step"'],
      ...made.task,
      ['"event"', '"flytekit_step"'],
      ['"step"', made.step],
      ['"wall_time_s"', made.wall],
      ['"process_time_s"', made.process],
      ...made.status,
      ...made.identity,
      ...made.extras,
    ];
    const [comma, colon] = made.between;
    return `{${members.map((member) => member.join(colon)).join(comma)}${made.end}`;
  });

/** What stands before it. */
export const prefix = fc.oneof(
  { weight: 4, arbitrary: fc.constant('') },
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      '2026-02-19T10:30:44.189512345Z stderr F ',
      '2026-02-19T10:30:44.189512345Z ',
      '[pod/a7hzqtz5cm6k2dnm7k2w-n0-2/main] ',
      '[pod/a7hzqtz5cm6k2dnm7k2w-n0-2/main] 2026-02-19T10:30:59.9Z ',
    ),
  },
  fc.constantFrom(
    '2026-02-19T10:31:01.000000001Z stderr F ',
    '2026-02-19T08:30:44.189512345Z stderr F ',
    '2026-02-19T12:30:44.189512345+02:00 stderr F ',
    '2026-02-19T10:30:44.189512345+00:00 stdout F ',
    '2026-02-19T10:30:99.189512345Z stderr F ',
    '2026-02-19T10:30:60.000000000Z stderr F ',
    '2026-02-19T10:30:99Z ',
    '2031-02-19T10:30:44.189512345Z stderr F ',
  ),
);
