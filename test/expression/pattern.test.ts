import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compilePattern, PatternError } from '../../src/expression/pattern.ts';

const atom = fc.constantFrom(
  'a',
  'b',
  '.',
  '[ab]',
  '[^a]',
  String.raw`\d`,
  String.raw`\w`,
  String.raw`\n`,
  'é',
  '😀',
  '\\.',
);
const place = fc.constantFrom('^', '$', String.raw`\b`, String.raw`\B`);
const times = fc.constantFrom('', '', '*', '+', '?', '*?', '{2}', '{1,3}', '{0,}', '{0}');
const { pattern } = fc.letrec<{ pattern: string }>((tie) => ({
  pattern: fc.oneof(
    { depthSize: 'small' },
    fc.tuple(atom, times).map((parts) => parts.join('')),
    place,
    fc.array(tie('pattern'), { maxLength: 4 }).map((parts) => parts.join('')),
    fc.tuple(tie('pattern'), tie('pattern'), times).map(([one, other, often]) => `(${one}|${other})${often}`),
    fc.tuple(tie('pattern'), times).map(([one, often]) => `(?:${one})${often}`),
  ),
}));
/** Short: JavaScript takes for ever with some of the patterns. */
const text = fc
  .array(fc.constantFrom('a', 'b', 'ab', '1', ' ', '.', '\n', 'é', '😀', '_'), { maxLength: 8 })
  .map((parts) => parts.join(''));

/** What it gives, or what it throws. */
function attempt(source: string): ReturnType<typeof compilePattern> | Error {
  try {
    return compilePattern(source);
  } catch (error) {
    return error as Error;
  }
}

test('a pattern means what JavaScript means by it', () => {
  const means = fc.property(pattern, text, fc.boolean(), (source, subject, fold) => {
    // V8 also looks between the two halves of a character, where the standard does not.
    fc.pre(!(source.includes(String.raw`\B`) && subject.includes('😀')));
    const fits = attempt(fold ? `(?i)${source}` : source);
    if (fits instanceof Error) return /more than 500 steps|20 groups|longer than/.test(fits.message);
    return fits(subject) === new RegExp(source, fold ? 'iu' : 'u').test(subject);
  });
  expect(fc.check(means, { numRuns: 2_000 }).counterexample).toBeNull();
});

test('what JavaScript does not read is not read here, and nothing throws anything else', () => {
  const piece = fc.constantFrom(
    'a',
    '(',
    ')',
    '[',
    ']',
    '{',
    '}',
    '*',
    '+',
    '?',
    '|',
    '\\',
    '^',
    '$',
    '1',
    ',',
    '\\p{L}',
    '(?:',
    '-',
  );
  const reads = fc.property(
    fc.array(piece).map((pieces) => pieces.join('')),
    (source) => {
      const fits = attempt(source);
      if (fits instanceof Error) return fits instanceof PatternError;
      return new RegExp(source, 'u') instanceof RegExp;
    },
  );
  expect(fc.check(reads, { numRuns: 2_000 }).counterexample).toBeNull();
});

test.each(['(a+)+$', '(a|a)*$', '(a*)*(a*)*(a*)*b$', 'a*a*a*a*a*a*b', '(.*)(.*)(.*)(.*)[^a]$', '(()*)*b'])(
  'a hostile line does not hold %s',
  (source) => {
    const fits = compilePattern(source);
    const begun = process.cpuUsage();
    expect(fits(`${'a'.repeat(16_000)}!b`)).toBe(new RegExp(source, 'u').test('aaaaaaaa!b'));
    const { user } = process.cpuUsage(begun);
    expect(user).toBeLessThan(5e6);
  },
);

test('a group that repeats nothing for ever is nothing', () => {
  expect(compilePattern(`${'('.repeat(15)}${'){999}'.repeat(15)}`)('x')).toBe(true);
});
