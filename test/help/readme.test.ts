import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from './commands.ts';
import { Place } from './place.ts';

/** The indented blocks of the README in which steptap is called, each as one script. */
const BLOCKS = [...readFileSync('README.md', 'utf8').matchAll(/(?:^ {4}\S.*\n)+/gm)]
  // In a list of commands with what each is for, the rest of the line is that.
  .map(([block]) => block.replaceAll(/^ {4}/gm, '').replaceAll(/^(steptap spool \w+) {3,}.*$/gm, '$1'))
  .filter((block) => /(?:^|\| |; )steptap /m.test(block));

/** What the pipelines read from the environment; and a run whose rows the stores have, for who asks about those. */
const SETTING = 'export CLICKHOUSE_URL=http://clickhouse:8123 METRICS=none';
const EARLIER = 'steptap --input pod.log --metrics none --clickhouse http://clickhouse:8123';

let place: Place;
beforeAll(async () => {
  place = await Place.make();
});
afterAll(() => place.close());

test('the README calls steptap', () => {
  expect(BLOCKS.length).toBeGreaterThanOrEqual(12);
});

test.each(BLOCKS.map((block, n) => [block, n] as const))('%s', { timeout: 120_000 }, async (block, n) => {
  for (const words of await place.calls(block)) await expect(parse(words)).resolves.toBeUndefined();
  const home = await place.home(`readme-${n}`);
  const earlier = /audit|replay/.test(block) ? `${EARLIER}\n` : '';
  const { code, said } = await place.run(`${SETTING}\nset -e\n${earlier}${block}`, home);
  expect(code, said).toBe(0);
});
