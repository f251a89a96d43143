import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { loadPipeline } from '../../src/config/load.ts';
import { optionSchemas } from '../../src/config/option-tables.ts';
import { marked, withTables } from './tables.ts';

const readme = readFileSync('README.md', 'utf8');

const directory = mkdtempSync(join(tmpdir(), 'steptap-readme-'));
writeFileSync(join(directory, 'steptap-hash-key'), '0123456789abcdef\n');
afterAll(() => rmSync(directory, { recursive: true }));

/** The pipeline as a user would load it; secrets are in files of the test. */
function load(yaml: string): unknown {
  const file = join(directory, 'pipeline.yaml');
  writeFileSync(file, yaml.replaceAll('/run/secrets', directory));
  return loadPipeline([file], {}).config;
}

test('the option tables are what the schemas say', () => {
  expect(withTables(readme), 'README.md is stale; npx tsx test/readme/tables.ts renews it').toBe(readme);
});

test('every component and section has its table', () => {
  expect(marked(readme).sort()).toEqual([...optionSchemas().keys()].sort());
});

const BLOCKS = [...readme.matchAll(/^```yaml\n([^]*?)^```$/gm)].map(([, yaml]) => yaml!);

test('there is YAML in the README', () => {
  expect(BLOCKS).not.toEqual([]);
});

test.each(BLOCKS)('what the README shows can be loaded:\n%s', (yaml) => {
  expect(load(yaml)).not.toEqual({});
});

const REQUIRED: Readonly<Record<string, unknown>> = {
  path: 'a.log',
  directory: 'out',
  address: 'aggregator:24224',
  urls: ['http://server:1'],
  match: { event: 'x' },
  type: 'int',
};

/** Every example and default in the tables, as the pipeline in which it stands. */
const EXAMPLES = [...optionSchemas()].flatMap(([where, { properties, required = [] }]) =>
  Object.entries(properties as Readonly<Record<string, { examples?: unknown[]; default?: unknown }>>).flatMap(
    ([name, option]) => {
      const values = [...(option.examples ?? []), ...('default' in option ? [option.default] : [])];
      const needed = Object.fromEntries(required.map((each) => [each, REQUIRED[each]]));
      return values.map((value) => standing(placeOf(where), { ...needed, [name]: value }));
    },
  ),
);

function placeOf(where: string): string[] {
  const names = where.startsWith('event_types') ? ['my.Event', 'x'] : ['clickhouse'];
  return where.split('.').map((part) => (part === '*' ? names.shift()! : part));
}

function standing(path: readonly string[], options: object): string {
  return stringify(path.reduceRight<object>((within, name) => ({ [name]: within }), options));
}

test.each(EXAMPLES)('an example or default of an option can be written down:\n%s', (yaml) => {
  expect(load(yaml)).not.toEqual({});
});
