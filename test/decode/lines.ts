import fc from 'fast-check';
import { asctime, name, number, quoted, simple, step, written } from './values.ts';

/*
 * Lines of flytekit's telemetry as text, in all the ways in which they may come: most of them right, some of them nearly.
 */

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
