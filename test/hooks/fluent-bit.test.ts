import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';

const folder = fileURLToPath(new URL('../../fluent-bit/', import.meta.url));
const textOf = (name: string): string => readFileSync(`${folder}${name}`, 'utf8');

/** `SERVICE`, `INPUT`, ... with the keys in lower case, as Fluent Bit compares them. */
type Sections = { readonly section: string; readonly keys: Readonly<Record<string, string>> }[];

const switched = (value: string): string => ({ true: 'on', false: 'off' })[value.toLowerCase()] ?? value.toLowerCase();

/** The classic form: sections in brackets, keys and values divided by blanks, comments on lines of their own. */
function classic(text: string): Sections {
  const sections: { section: string; keys: Record<string, string> }[] = [];
  for (const line of text.split('\n')) {
    if (line.trim() === '' || /^\s*#/.test(line)) continue;
    const [, section] = /^\[([A-Z_]+)\]$/.exec(line) ?? [];
    if (section !== undefined) {
      sections.push({ section, keys: {} });
      continue;
    }
    const [, key, value] = /^ {4}(\S+) +(\S.*)$/.exec(line) ?? [];
    if (key === undefined) throw new Error(`neither a section nor a key: ${line}`);
    sections.at(-1)!.keys[key.toLowerCase()] = switched(value!);
  }
  return sections;
}

/** The YAML form (https://docs.fluentbit.io/manual/administration/configuring-fluent-bit/yaml). */
function yaml(text: string): Sections {
  const said = parse(text) as {
    service: Record<string, unknown>;
    pipeline: Record<'inputs' | 'filters' | 'outputs', Record<string, unknown>[]>;
  };
  const keysOf = (keys: Record<string, unknown>): Record<string, string> =>
    Object.fromEntries(Object.entries(keys).map(([key, value]) => [key.toLowerCase(), switched(String(value))]));
  const { inputs, filters, outputs } = said.pipeline;
  return [
    { section: 'SERVICE', keys: keysOf(said.service) },
    ...inputs.map((keys) => ({ section: 'INPUT', keys: keysOf(keys) })),
    ...filters.map((keys) => ({ section: 'FILTER', keys: keysOf(keys) })),
    ...outputs.map((keys) => ({ section: 'OUTPUT', keys: keysOf(keys) })),
  ];
}

/** What Fluent Bit 5.1 knows; a key that it does not know stops it. From its manual, by section and plugin; every plugin knows the last ones. */
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  service: ['flush', 'grace', 'storage.path', 'storage.sync', 'storage.checksum', 'storage.max_chunks_up'],
  tail: ['path', 'exclude_path', 'multiline.parser', 'read_from_head', 'db', 'db.sync', 'rotate_wait', 'storage.type'],
  kubernetes: ['merge_log', 'keep_log', 'labels', 'annotations', 'k8s-logging.exclude'],
  http: [
    'host',
    'port',
    'uri',
    'format',
    'json_date_key',
    'json_date_format',
    'header_tag',
    'compress',
    'http.response_timeout',
    'retry_limit',
  ],
  forward: ['host', 'port', 'require_ack_response', 'compress', 'retry_limit'],
  stdout: ['format', 'json_date_key', 'json_date_format'],
  file: ['path', 'file', 'format'],
};
const OF_ALL = ['name', 'tag', 'match'];

const files = readdirSync(folder);
const agents = files.filter((name) => name.endsWith('.yaml'));

describe.each(agents)('%s', (name) => {
  test('has no key that its plugin does not know', () => {
    for (const { section, keys } of yaml(textOf(name))) {
      const plugin = section === 'SERVICE' ? 'service' : keys['name']!;
      expect(Object.keys(keys).filter((key) => !OF_ALL.includes(key) && !KNOWN[plugin]!.includes(key))).toEqual([]);
    }
  });

  test('reads no line of steptap itself, nor of the agent', () => {
    const [, tail] = yaml(textOf(name));
    expect(tail!.keys['exclude_path']).toMatch(/fluent-bit-\*\.log,.*\/steptap-\*\.log/);
  });
});

test.each(['http', 'forward'])('%s.conf and %s.yaml say the same', (name) => {
  expect(classic(textOf(`${name}.conf`))).toEqual(yaml(textOf(`${name}.yaml`)));
});

test.each(['http', 'forward'])('%s keeps chunks on disk, and tries for ever', (name) => {
  const sections = yaml(textOf(`${name}.yaml`));
  const [input, output] = [sections.find(({ section }) => section === 'INPUT')!, sections.at(-1)!];
  expect([input.keys['storage.type'], output.keys['retry_limit']]).toEqual(['filesystem', 'no_limits']);
});

test.each(files)('%s begins with what it guarantees', (name) => {
  const comment = textOf(name)
    .split('\n')
    .findIndex((line) => !line.startsWith('#'));
  expect(textOf(name).split('\n').slice(0, comment).join('\n')).toMatch(
    /^# .*\n(.*\n)?#\n# Guarantees: (exactly once|at least once|best effort)/,
  );
});
