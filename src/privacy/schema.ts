/** `all`, `none`, or a list of names. */
const names = (description: string, fallback: 'all' | 'none') =>
  ({
    type: ['array', 'string'],
    description,
    items: { type: 'string', minLength: 1 },
    pattern: '^(all|none)$',
    default: fallback,
    examples: ['all', 'none', ['epochs', 'lr']],
  }) as const;

const keys = (description: string) =>
  ({ type: 'array', description, items: { type: 'string', minLength: 1 }, default: [] }) as const;

/** The rules for personal data. They are applied before anything is stored. */
export const privacyOptions = {
  type: 'object',
  description:
    'What becomes of personal data, before anything is stored. Of several rules for a key the strictest counts: drop, mask, hash. `user.email` is a rule for every `email`.',
  additionalProperties: false,
  properties: {
    params: names('Task inputs whose values are stored; those of others are `[redacted]`.', 'none'),
    attributes: names('Other keys of a line that are stored.', 'all'),
    drop: keys('Keys that are left out; in text, which cannot lose a key safely, their values become `***`.'),
    mask: keys('Keys whose values become `***`, everywhere.'),
    hash: keys('Keys whose values become an HMAC: the same person is the same again, and cannot be read.'),
    hash_key: {
      type: 'string',
      description: 'Secret of `hash`, at least 16 bytes; else that of STEPTAP_HASH_KEY or STEPTAP_HASH_KEY_FILE.',
      writeOnly: true,
      minLength: 16,
      examples: ['${file:/run/secrets/steptap-hash-key}'],
    },
    dead_letters_keep_raw: {
      type: 'boolean',
      description: 'A line that is rejected keeps its very bytes, whatever the rules say.',
      default: false,
    },
  },
} as const;
