import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { EventOptions } from '../../../src/dialects/custom/index.ts';
import { epoch, EPOCH, read } from './events.ts';

/** A name or a value that an event may mean something by, or that JavaScript does. */
const word = fc.oneof(
  fc.constantFrom('event', 'epoch_done', 'v', 'name', 'took_ms', 'at', 'ok', 'model', 'meta', 'dataset', 'email', 'x'),
  fc.constantFrom('__proto__', 'constructor', 'toString', '', '\ud800', '"', '\\', '\0', '{', 'user.name'),
  fc.string({ unit: 'binary', maxLength: 8 }),
);
const scalar = fc.oneof(
  word.map((each) => JSON.stringify(each)),
  fc.constantFrom(
    '1',
    '2',
    '-0',
    '1e400',
    '-1e-400',
    'NaN',
    '-Infinity',
    'null',
    'true',
    'false',
    '1771502399250',
    '9'.repeat(400),
  ),
  fc.double().map(String),
);
const { json } = fc.letrec<{ json: string }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    { weight: 3, arbitrary: scalar },
    { weight: 1, arbitrary: fc.array(tie('json'), { maxLength: 3 }).map((each) => `[${each.join(',')}]`) },
    { weight: 1, arbitrary: fc.array(fc.tuple(word, tie('json')), { maxLength: 4 }).map(object) },
  ),
}));

function object(members: readonly (readonly [string, string])[]): string {
  return `{${members.map(([name, value]) => `${JSON.stringify(name)}: ${value}`).join(', ')}}`;
}

/** An event that is whole, or with members that follow or replace, cut or with bytes in it. */
const line = fc
  .record({
    members: fc.array(fc.tuple(word, json), { maxLength: 6 }),
    own: fc.boolean(),
    cut: fc.option(fc.nat(200)),
    more: fc.oneof(fc.constant(''), word, fc.constant(epoch())),
  })
  .map(({ members, own, cut, more }) => {
    const head = own
      ? ([
          ['event', '"epoch_done"'],
          ['v', '1'],
          ['name', '"n"'],
          ['took_ms', '5'],
        ] as const)
      : [];
    const whole = object([...head, ...members]);
    return (cut === null ? whole : whole.slice(0, cut)) + more;
  });

const open: EventOptions = {
  match: { v: [1, 2, null, true, 'x'] },
  kind: 'error',
  fields: {
    event: 'event',
    step: 'name',
    task: 'x',
    level: 'ok',
    ts: 'at',
    params: 'meta',
    attempt: 'model',
    root_error_type: '',
  },
  privacy: { drop: ['dataset'], hash: ['email'] },
};
const within: EventOptions = {
  match: { 'meta.dataset': ['x', 1], __proto__: 1 },
  kind: 'step',
  fields: { wall_time_s: 'meta.took_ms', task: '__proto__.name', workflow: 'constructor', error_type: 'toString' },
  labels: ['toString', { hasOwnProperty: 'meta.x' }, 'model'],
};

test('Any JSON, whole or broken, is counted once and never stops the reading, and all that is kept is as it was', () => {
  let taken = 0;
  const seen = new Set<string>();
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 12 }), (lines) => {
      const bytes = Buffer.from(lines.join('\n'));
      const privacy = {
        params: [],
        attributes: 'all',
        drop: [],
        mask: [],
        hash: [],
        hash_key: 'k'.repeat(16),
        keep_raw: false,
      } as const;
      // Whatever must hold of rows and counts, `decode` checks.
      const whole = read(bytes, [EPOCH, within, open], { privacy });
      const parts = read(bytes, [EPOCH, within, open], { privacy, cuts: [3, bytes.length >> 1, bytes.length - 2] });
      const texts = ({ rows }: typeof whole): string[] => rows.map(({ table, text }) => `${table} ${text}`).sort();
      expect(texts(parts)).toEqual(texts(whole));
      for (const { fields, tuple, table } of whole.rows) {
        if (fields['dialect'] !== 'custom') continue;
        seen.add(`${table} ${String(fields['event'] ?? fields['reason'])}`);
        taken += 1;
        if (table === 'rejections') continue;
        // What the sinks count by is what the row says.
        for (const name of ['step', 'status', 'project', 'task', 'workflow', 'root_error_type'] as const) {
          expect(tuple[name]).toBe(fields[name] ?? '');
        }
        const attributes = new Map(Object.entries((fields['attributes'] ?? {}) as Record<string, string>));
        for (const [name, value] of tuple.user) expect(attributes.get(name)).toBe(value);
      }
    }),
    { numRuns: 600 },
  );
  expect(taken).toBeGreaterThan(300);
  for (const each of ['steps epoch', 'rejections schema', 'rejections json_syntax']) expect([...seen]).toContain(each);
});

test('Lines that are cut anywhere are never more than one event or rejection each', () => {
  const whole = Buffer.from(epoch({ model: 'm', meta: { dataset: 'd' } }));
  for (let end = 1; end < whole.length; end++) {
    expect(read(whole.subarray(0, end)).rows.length).toBeLessThanOrEqual(1);
  }
});

test.each<[string, (n: number) => string]>([
  ['keys that match', (n) => `{${'"event": "epoch_done", "v": 1, '.repeat(n / 30)}`],
  ['keys that nearly match', (n) => `{${'"event":        "epoch_don", '.repeat(n / 28)}`],
  ['blanks behind a key', (n) => `{"event"${' '.repeat(n)}`],
  ['quotes', (n) => `{"event": "epoch_done", "v": 1, ${'"'.repeat(n)}`],
  ['quotes and blanks', (n) => `x${'" '.repeat(n / 2)}`],
  ['members', (n) => epoch(Object.fromEntries(Array.from({ length: n / 12 }, (_, k) => [`k${k}`, k])))],
  [
    'objects in objects',
    (n) => epoch({ meta: 0 }).replace('"meta":0', `"meta":${'{"dataset":'.repeat(n / 12)}1${'}'.repeat(n / 12)}`),
  ],
  ['a long name', (n) => epoch({ name: '1a '.repeat(n / 3) })],
  ['a long label', (n) => epoch({ model: 'm'.repeat(n) })],
])('Time grows with the line, not with its square: %s', (_, make) => {
  const time = (text: string): number => {
    const took = [1, 2, 3].map(() => {
      const before = process.cpuUsage();
      read(text, EPOCH, { max_line_bytes: 1 << 26 });
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1000;
    });
    return Math.min(...took);
  };
  const small = 100_000;
  expect(time(make(small * 4))).toBeLessThan(time(make(small)) * 8 + 100);
});
