import { expect } from 'vitest';
import { PRIVACY_DEFAULTS, type PrivacyOptions } from '../../src/privacy/rules.ts';
import { decode, type How, type Outcome } from '../support/decode.ts';

/** Never to be seen in any row. In two words, so that half of it shows too. */
export const SECRET = 'canary-71f3';
export const SECRETS = `${SECRET} second-71f3`;

export const HASH_KEY = 'test: 32 bytes or more, in a file';

/** Rules beside the defaults. */
export function rules(some: Partial<PrivacyOptions>): { privacy: PrivacyOptions } {
  return { privacy: { ...PRIVACY_DEFAULTS, hash_key: HASH_KEY, ...some } };
}

/** Every byte of the rows, with what is base64 in them read. */
export function all({ rows }: Outcome): string {
  return rows
    .map(({ text, fields }) => {
      const base64 = fields['raw_base64'];
      return typeof base64 === 'string' ? text + Buffer.from(base64, 'base64').toString('latin1') : text;
    })
    .join('\n');
}

/** What the input became, when nothing of the secret is left, on either path. */
export function hidden(input: string | Buffer, how: How): Outcome {
  for (const fast of [true, false]) expect(all(decode(input, { ...how, fast }))).not.toContain('71f3');
  const outcome = decode(input, how);
  expect(outcome.rows.length).toBeGreaterThan(0);
  return outcome;
}

/** Control: it is there when there is no rule. */
export function shown(input: string | Buffer): void {
  expect(all(decode(input, rules({ params: 'all' })))).toContain('71f3');
}

/** Inputs of a task as flytekit writes them. */
export const params = (values: Record<string, unknown>): string => JSON.stringify(JSON.stringify(values));
