import { expect, test } from 'vitest';
import type * as Custom from '../../../src/dialects/custom/index.ts';

/** What is built, which is not always what was written: TypeScript 7.0.2 makes `new require(x).Ajv()` of `new (require(x) as T).Ajv()`. */
const BUILT = '../../../dist/dialects/custom/index.js';

test.each([undefined, 'http://json-schema.org/draft-07/schema#'])(
  'The built code takes a schema of draft %s',
  async ($schema) => {
    const { compileEvents, EventError } = (await import(BUILT)) as typeof Custom;
    const schema = { ...($schema === undefined ? {} : { $schema }), required: ['a'] };
    expect(compileEvents({ e: { match: { a: 1 }, schema } }).events).toHaveLength(1);
    expect(() => compileEvents({ e: { match: { a: 1 }, schema: { ...schema, requird: [] } } })).toThrow(EventError);
  },
);
