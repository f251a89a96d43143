import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadPipeline } from '../../src/config/load.ts';
import { suggest } from '../../src/config/suggest.ts';

const directory = mkdtempSync(join(tmpdir(), 'steptap-config-'));
afterAll(() => rmSync(directory, { recursive: true }));

function file(name: string, yaml: string): string {
  const path = join(directory, name);
  writeFileSync(path, yaml);
  return path;
}

test('a later file adds to those before it, and wins: mappings are merged, lists are replaced', () => {
  const base = file('base', 'privacy: { mask: [a, b], drop: [c] }\nsinks: { clickhouse: { urls: [http://a] } }');
  const site = file('site', 'privacy: { mask: [d] }\nsinks: { clickhouse: { user: me }, files: { directory: x } }');
  expect(loadPipeline([base, site], {}).config).toEqual({
    privacy: { mask: ['d'], drop: ['c'] },
    sinks: {
      clickhouse: { type: 'clickhouse', urls: ['http://a'], user: 'me' },
      files: { type: 'files', directory: 'x' },
    },
  });
});

test('what is wrong is said with the file that it stands in', () => {
  const base = file('base', 'limits: { grace_s: soon }');
  const site = file('site', '\nstate: { sync: nver }');
  expect(() => loadPipeline([base, site], {})).toThrow(
    `${base}:1:20: limits.grace_s: must be a number, and is text\n${site}:2:16: state.sync: "nver" is no choice; did you mean never?`,
  );
});

test('variables, defaults and files stand for what they say, also where a number is wanted, and twice two dollars for one', () => {
  file('key', 'sixteen bytes and more\n');
  const path = file(
    'p',
    `privacy: { hash: [user], hash_key: "\${file:key}" }
enrichment: { constants: { pod: "\${env:POD}-\${env:N:-0}", node: "$\${env:POD}" } }
sinks: { clickhouse: { urls: ["\${env:URL:-http://a:8123}"], timeout_ms: "\${env:T:-5000}" } }
dialects: { log: { store: "\${env:LOGS:-false}" } }`,
  );
  const { config, files } = loadPipeline([path], { POD: 'p-1' });
  expect(config).toEqual({
    privacy: { hash: ['user'], hash_key: 'sixteen bytes and more' },
    enrichment: { constants: { pod: 'p-1-0', node: '${env:POD}' } },
    sinks: { clickhouse: { type: 'clickhouse', urls: ['http://a:8123'], timeout_ms: 5000 } },
    dialects: { log: { store: false } },
  });
  expect(files).toEqual([path, join(directory, 'key')]);
});

test('anchors and merge keys are read, and a wrong value behind an alias has a place', () => {
  const path = file(
    'p',
    'sinks:\n  a: &a { type: clickhouse, urls: [http://a], create: no }\n  b: { <<: *a, type: clickhouse }',
  );
  expect(() => loadPipeline([path], {})).toThrow(/^.*p:2:55: sinks\.a\.create: "no" is no choice/m);
});

test('an empty file is a pipeline that says nothing', () => {
  expect(loadPipeline([file('p', '# nothing\n')], {}).config).toEqual({});
});

test('the option that was meant is found for slips of the pen, and none for something else', () => {
  const known = ['urls', 'user', 'password', 'timeout_ms', 'max_line_bytes', 'database'];
  expect(
    ['url', 'usr', 'pasword', 'timeout-ms', 'timeoutMs', 'line_bytes', 'databsae'].map((name) => suggest(name, known)),
  ).toEqual(['urls', 'user', 'password', 'timeout_ms', 'timeout_ms', 'max_line_bytes', 'database']);
  expect(['colour', 'x', 'certificate'].map((name) => suggest(name, known))).toEqual([undefined, undefined, undefined]);
});
