import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadPipeline } from '../../src/config/load.ts';
import { UsageError } from '../../src/errors.ts';

const directory = mkdtempSync(join(tmpdir(), 'steptap-config-'));
afterAll(() => rmSync(directory, { recursive: true }));

const SECRET = 'canary-51cc';
const ENVIRONMENT = { SECRET, TIMEOUT: 'soon', PORT: '12' };

/** What is said of a pipeline; its file is called `p`. */
function wrong(yaml: string): string {
  const path = join(directory, 'p');
  writeFileSync(path, yaml);
  try {
    loadPipeline([path], ENVIRONMENT);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return error.message.replaceAll(directory, '').replaceAll('/p:', 'p:');
  }
  return '';
}

/** What is wrong, and every word that is said of it. */
const WRONG: readonly (readonly [what: string, yaml: string, said: string])[] = [
  ['a section that is none', 'sink: {}', 'p:1:1: sink: there is no such section; did you mean sinks?'],
  [
    'a section like no other',
    'pipelines: {}',
    'p:1:1: pipelines: there is no such section; there are sources, dialects, events, event_types, unknown_events, enrichment, privacy, sinks, state, limits, tasks',
  ],
  [
    'an address where a type stands',
    'sinks: { elasticsearch: { type: "https://u:canary-51cc@h" } }',
    'p:1:33: sinks.elasticsearch.type: "https://***@h" is no type of sink; there are clickhouse, elasticsearch, prometheus, files, forward, stdout',
  ],
  [
    'a file that is handed over once, and followed',
    'sources:\n  a: {type: file, path: x, once: true, follow: true}',
    'p:2:48: sources.a.follow: goes not with once: leave one of them out',
  ],
  [
    'a pipeline that is a list',
    '- sinks',
    'p:1:1: a pipeline is a mapping of sources, dialects, events, event_types, unknown_events, enrichment, privacy, sinks, state, limits, tasks',
  ],
  [
    'a sink that is none',
    'sinks:\n  clickhose: { urls: [http://a] }',
    'p:2:3: sinks.clickhose: there is no such sink; did you mean clickhouse? (another name needs a type)',
  ],
  [
    'a type of sink that is none',
    'sinks:\n  main:\n    type: elastic\n',
    'p:3:11: sinks.main.type: "elastic" is no type of sink; did you mean elasticsearch?',
  ],
  [
    'a type of source that is none',
    'sources: { app: { type: kafka } }',
    'p:1:25: sources.app.type: "kafka" is no type of source; there are clickhouse-http, file, files, forward, http, stdin',
  ],
  [
    'an option that is none',
    'sinks:\n  clickhouse:\n    url: http://a\n',
    'p:3:5: sinks.clickhouse.url: there is no such option; did you mean urls?',
  ],
  [
    'an option in another spelling',
    'limits:\n  max-line-bytes: 1m',
    'p:2:3: limits.max-line-bytes: there is no such option; did you mean max_line_bytes?',
  ],
  [
    'an option like no other',
    'sources: { stdin: { fast: true } }',
    'p:1:21: sources.stdin.fast: there is no such option; there are rows, confirm',
  ],
  ['an option that is missing', 'sources: { file: { follow: true } }', 'p:1:18: sources.file: path is missing'],
  ['a list that is text', 'privacy: { mask: password }', 'p:1:18: privacy.mask: must be a list, and is text'],
  [
    'text that YAML reads as a number',
    'enrichment: { constants: { task_version: 1.10 } }',
    'p:1:42: enrichment.constants.task_version: must be text, and is a number: put it in quotes',
  ],
  [
    'nothing where there should be text',
    'enrichment: { timezone: }',
    'p:1:25: enrichment.timezone: must be text, and is empty',
  ],
  ['an empty text', 'sources: { file: { path: "" } }', 'p:1:26: sources.file.path: is empty'],
  [
    'a choice that is none',
    'state: { sync: allways }',
    'p:1:16: state.sync: "allways" is no choice; did you mean always?',
  ],
  ['a number out of range', 'limits: { grace_s: -1 }', 'p:1:20: limits.grace_s: -1 is out of range: must be >= 0'],
  [
    'a size that is none',
    'limits: { max_line_bytes: lots }',
    'p:1:27: limits.max_line_bytes: "lots" is not of the right form; write for example 1m or 256k',
  ],
  [
    'a table that is none, in a list',
    'sinks: { clickhouse: { urls: [http://a], tables: [steps, log] } }',
    'p:1:58: sinks.clickhouse.tables.1: "log" is no choice; did you mean logs?',
  ],
  [
    'a field that cannot be a constant',
    'enrichment: { constants: { namespce: ml } }',
    'p:1:28: enrichment.constants.namespce: there is no such option; did you mean namespace?',
  ],
  [
    'a dialect that is none',
    'dialects: { flyte: {} }',
    'p:1:13: dialects.flyte: there is no such dialect; did you mean flyte2?',
  ],
  [
    'a name that is none',
    'sinks: { Main Store: { type: clickhouse } }',
    'p:1:10: sinks.Main Store: is no name: write small letters, digits, - and _',
  ],
  [
    'an address that is none, and what is secret in it is not repeated',
    'sinks: { clickhouse: { urls: ["htp://me:hunter2@a"] } }',
    'p:1:31: sinks.clickhouse.urls.0: "htp://***@a" is not of the right form; it must match ^https?://',
  ],
  [
    'a secret in the wrong place, which is not repeated',
    'sinks: { clickhouse: { create: "${env:SECRET}" } }',
    'p:1:32: sinks.clickhouse.create: what it says is no choice; there are auto, never',
  ],
  [
    'a variable that is not set',
    'sinks: { clickhouse: { urls: ["${env:CLICKHOUSE}"] } }',
    'p:1:31: the environment has no CLICKHOUSE; set it, or write ${env:CLICKHOUSE:-default}',
  ],
  [
    'a variable that is no number',
    'sinks: { clickhouse: { timeout_ms: "${env:TIMEOUT}" } }',
    'p:1:36: sinks.clickhouse.timeout_ms: must be a whole number, and is text',
  ],
  [
    'a placeholder without a kind',
    'state: { directory: "${HOME}/x" }',
    'p:1:21: ${HOME}: write ${env:NAME}, ${file:PATH}, or $${HOME} for the text itself',
  ],
  ['a file that is not there', 'privacy: { hash_key: "${file:key}" }', 'p:1:22: ${file:key}: there is no such file'],
  ['the same key twice', 'sinks: {}\nsinks: {}', 'p:2:1: Map keys must be unique'],
  [
    'YAML that ends too soon',
    'sinks: [',
    'p:1:9: Flow sequence in block collection must be sufficiently indented and end with a ]',
  ],
];

for (const [what, yaml, said] of WRONG) {
  test(`${what}: ${said}`, () => {
    expect(wrong(yaml)).toBe(said);
  });
}

test('all that is wrong is said at once, in the order of the file', () => {
  const yaml = 'limits: { grace_s: soon, max_line_bytes: 10 }\nsources: { app: { type: fle } }\nsinkz: {}\n';
  expect(wrong(yaml).split('\n')).toEqual([
    'p:1:20: limits.grace_s: must be a number, and is text',
    'p:1:42: limits.max_line_bytes: 10 is out of range: must be >= 1024',
    'p:2:25: sources.app.type: "fle" is no type of source; did you mean file?',
    'p:3:1: sinkz: there is no such section; did you mean sinks?',
  ]);
});
