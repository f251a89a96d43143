import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { overlay } from '../../src/cli/overlay.ts';
import { privacyRules } from '../../src/cli/privacy.ts';
import { UsageError } from '../../src/errors.ts';
import { Hash } from '../../src/privacy/hash.ts';
import { Privacy } from '../../src/privacy/index.ts';
import { PRIVACY_DEFAULTS, type PrivacyOptions } from '../../src/privacy/rules.ts';

/** What the options say, as `steptap run` reads them. */
function rules(flags: Parameters<typeof overlay>[1], environment: Record<string, string>): PrivacyOptions {
  return privacyRules(overlay({}, flags).privacy!, environment);
}

const SECRET = 'canary-71f3-canary';
const directory = mkdtempSync(join(tmpdir(), 'steptap-secret-'));
afterAll(() => rmSync(directory, { recursive: true }));

function file(content: string): string {
  const path = join(directory, 'key');
  writeFileSync(path, content);
  return path;
}

const hashed = (environment: Record<string, string>): string =>
  new Privacy(rules({ hash: 'user, uid' }, environment)).hash('ada');

describe('The options about personal data', () => {
  test('say what they say, and by default only that inputs of tasks are redacted', () => {
    expect(rules({}, { STEPTAP_HASH_KEY: 'short' })).toEqual(PRIVACY_DEFAULTS);
    const flags = { params: 'all', attributes: 'a, b', drop: 'c', mask: 'd,e', hash: 'f', deadLettersKeepRaw: true };
    expect(rules(flags, { STEPTAP_HASH_KEY: SECRET })).toEqual({
      params: 'all',
      attributes: ['a', 'b'],
      drop: ['c'],
      mask: ['d', 'e'],
      hash: ['f'],
      hash_key: Buffer.from(SECRET),
      keep_raw: true,
    });
    expect(rules({ attributes: 'none' }, {}).attributes).toEqual([]);
  });
});

describe('The secret of --hash', () => {
  test('is the same from the environment and from a file, whatever blanks end it', () => {
    const one = hashed({ STEPTAP_HASH_KEY: SECRET });
    expect(hashed({ STEPTAP_HASH_KEY: `${SECRET}\n` })).toBe(one);
    expect(hashed({ STEPTAP_HASH_KEY_FILE: file(`${SECRET} \r\n\n`) })).toBe(one);
    expect(hashed({ STEPTAP_HASH_KEY: '', STEPTAP_HASH_KEY_FILE: file(SECRET) })).toBe(one);
    expect(hashed({ STEPTAP_HASH_KEY: ` ${SECRET}` })).not.toBe(one);
  });

  const ADVICE =
    'set STEPTAP_HASH_KEY to a secret of at least 16 bytes, or STEPTAP_HASH_KEY_FILE to a file that holds it (openssl rand -hex 32 makes one)';
  const key = join(directory, 'key');
  const missing = join(directory, 'nope');

  test.each([
    ['is missing', {}, `--hash needs a secret: ${ADVICE}`],
    ['is empty', { STEPTAP_HASH_KEY: '' }, `--hash needs a secret: ${ADVICE}`],
    [
      'is short',
      { STEPTAP_HASH_KEY: 'canary-71f3 \n    ' },
      `STEPTAP_HASH_KEY: too short a secret for --hash: ${ADVICE}`,
    ],
    [
      'is short in its file',
      { STEPTAP_HASH_KEY_FILE: key },
      `STEPTAP_HASH_KEY_FILE ${key}: too short a secret for --hash: ${ADVICE}`,
    ],
    [
      'is in no file',
      { STEPTAP_HASH_KEY_FILE: missing },
      `STEPTAP_HASH_KEY_FILE ${missing}: cannot be read (ENOENT); name a file that holds the secret of --hash`,
    ],
    [
      'is in a directory',
      { STEPTAP_HASH_KEY_FILE: directory },
      `STEPTAP_HASH_KEY_FILE ${directory}: cannot be read (EISDIR); name a file that holds the secret of --hash`,
    ],
    [
      'is there twice',
      { STEPTAP_HASH_KEY: SECRET, STEPTAP_HASH_KEY_FILE: key },
      'STEPTAP_HASH_KEY and STEPTAP_HASH_KEY_FILE are both set: unset one of them',
    ],
  ])('when it %s is refused without a word of it', (_, environment, message) => {
    file('canary-71f3\n');
    let refusal: unknown;
    try {
      hashed(environment);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(UsageError);
    expect((refusal as Error).message).toBe(message);
    expect(inspect(refusal, { depth: 9, showHidden: true })).not.toContain('71f3');
  });

  test('does not show where what hashes with it is printed', () => {
    const privacy = new Privacy({ ...PRIVACY_DEFAULTS, hash: ['user'], hash_key: SECRET });
    for (const made of [new Hash(SECRET), privacy]) {
      expect(inspect(made, { depth: 9, showHidden: true }) + JSON.stringify(made)).not.toContain('71f3');
    }
  });
});
