import { FIELDS, type Field, type SearchType } from '../fields.ts';

/** Where a text is expected: `absent`, or a regular expression between slashes. */
export const INSTEAD = '^(absent|/.*/i?)$';

const text = { type: 'string' } as const;
const number = { type: ['number', 'string'], pattern: INSTEAD, examples: [1.5, 'absent'] } as const;
const truth = { type: ['boolean', 'string'], pattern: INSTEAD, examples: [true, 'absent'] } as const;
/** Values of `attributes` and `labels` are always text. */
const mapping = {
  type: ['object', 'string'],
  pattern: INSTEAD,
  examples: [{ epoch: '1' }, 'absent'],
  additionalProperties: text,
} as const;
const params = { ...mapping, additionalProperties: { type: ['string', 'number', 'boolean'] } } as const;

const KINDS: Readonly<Record<SearchType, object>> = {
  date_nanos: text,
  keyword: text,
  text,
  double: number,
  integer: number,
  long: number,
  boolean: truth,
  object: mapping,
  phases: { ...mapping, additionalProperties: number },
  stored: text,
};

const MATCH = 'A text between slashes is a regular expression, and `absent` says that it must not be there.';

function expected(field: Field): [string, object] {
  const kind = field.name === 'params' ? params : KINDS[field.search];
  return [field.name, { ...kind, description: field.meaning }];
}

const event = {
  type: 'object',
  description: `An event that must come. Only the fields that are named are compared. ${MATCH}`,
  additionalProperties: false,
  minProperties: 1,
  properties: {
    ...Object.fromEntries(FIELDS.map(expected)),
    columns: {
      type: 'object',
      description: 'Columns of event types that the pipeline declares.',
      additionalProperties: { type: ['string', 'number', 'boolean'] },
      examples: [{ loss: 0.41 }],
    },
  },
} as const;

const rejection = {
  type: 'object',
  description: `A line that must be rejected, as its dead letter says it. Only what is named is compared. ${MATCH}`,
  additionalProperties: false,
  minProperties: 1,
  properties: {
    ts: { ...text, description: 'when it was rejected: `now` of the test' },
    reason: { ...text, description: 'why: `schema`, `json_syntax`, `line_too_long`' },
    detail: { ...text, description: 'for a person: what is wrong with it, without its values' },
    dialect: { ...text, description: 'whose way of writing it was meant to be' },
    source: { ...text, description: 'name of the source' },
    offset: { ...number, description: 'of its first byte in the input' },
    lines: { ...number, description: 'physical lines that it is' },
    namespace: { ...text, description: 'Kubernetes namespace' },
    pod: { ...text, description: 'Kubernetes pod' },
    container: { ...text, description: 'container in the pod' },
    stream: { ...text, description: '`stdout` or `stderr`, where the transport says it' },
    cut: { ...truth, description: 'true when `raw` is only the beginning' },
    raw: { ...text, description: 'the line itself, under the rules for personal data' },
    raw_base64: { ...text, description: 'the same, where it is no UTF-8' },
  },
} as const;

const variables = (description: string) =>
  ({
    type: 'object',
    description,
    additionalProperties: text,
    examples: [{ CLICKHOUSE_URL: 'http://ch:8123' }],
  }) as const;

const one = {
  type: 'object',
  description: 'One test: lines that go in, and what must come out.',
  additionalProperties: false,
  required: ['name', 'input'],
  properties: {
    name: { type: 'string', description: 'A sentence that says what is so.', minLength: 1 },
    source: { type: 'string', description: 'Name of the source.', default: 'stdin', minLength: 1 },
    now: {
      type: 'string',
      description: 'The clock, for lines without a time; it stands still.',
      default: '2026-01-01T00:00:00Z',
      pattern: '^\\d{4}-\\d\\d-\\d\\d[Tt ]\\d\\d:\\d\\d:\\d\\d',
      examples: ['2026-02-19T10:30:44Z'],
    },
    env: variables('The environment of the pipeline in this test, beside that of the file.'),
    input: {
      type: ['string', 'array', 'object'],
      description: 'What is read: a text, a list of lines, or a file, whose path begins at this one.',
      minLength: 1,
      items: text,
      minItems: 1,
      additionalProperties: false,
      required: ['file'],
      properties: { file: { type: 'string', description: 'Path of the file.', minLength: 1 } },
      examples: ['a text', ['a line'], { file: 'flytekit.sample.log' }],
    },
    events: {
      type: 'array',
      description: 'The events, in the order of their lines; no others.',
      items: event,
      default: [],
    },
    rejections: {
      type: 'array',
      description: 'The rejected lines, in order; no others.',
      items: rejection,
      default: [],
    },
    more: {
      type: 'boolean',
      description: 'True: other events and rejections may come between those that are named.',
      default: false,
    },
  },
} as const;

/** A file of tests. */
export const testFileOptions = {
  type: 'object',
  description: 'Tests of a pipeline, for `steptap test`.',
  additionalProperties: false,
  required: ['tests'],
  properties: {
    pipeline: {
      type: ['string', 'array'],
      description:
        'The pipeline; of a list of files a later one adds to those before it. Paths begin at this file. Default: the file beside it without `.test`.',
      minLength: 1,
      items: { type: 'string', minLength: 1 },
      minItems: 1,
      examples: ['flytekit.yaml'],
    },
    env: variables(
      'The environment of the pipeline in every test: it sees nothing else, so that it is the same everywhere. STEPTAP_HASH_KEY has a value that is no secret.',
    ),
    tests: { type: 'array', description: 'The tests.', items: one, minItems: 1 },
  },
} as const;

/** What a field is expected to be. */
export type Expected = string | number | boolean | { readonly [name: string]: Expected };
export type ExpectedRow = Readonly<Record<string, Expected>>;

/** A test as it is written. */
export interface WrittenTest {
  readonly name: string;
  readonly source?: string;
  readonly now?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input: string | readonly string[] | { readonly file: string };
  readonly events?: readonly ExpectedRow[];
  readonly rejections?: readonly ExpectedRow[];
  readonly more?: boolean;
}

export interface WrittenTests {
  readonly pipeline?: string | readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly tests: readonly WrittenTest[];
}
