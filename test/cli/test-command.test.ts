import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { report } from '../../src/cli/test-report.ts';
import type { Outcome } from '../../src/pipeline-tests/run.ts';
import { runCli, type Ended } from '../support/run-cli.ts';
import { Home } from './parts.ts';
import { FAIL, FAILED, LOGS, PASS } from './test-command-samples.ts';

const home = new Home();

/** `steptap test` among these files; what it took is taken out. */
async function run(files: Readonly<Record<string, string>>, args: readonly string[] = []): Promise<Ended> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(home.path, name)), { recursive: true });
    await writeFile(join(home.path, name), text);
  }
  const ended = await runCli(['test', ...args], { cwd: home.path });
  return { ...ended, stdout: ended.stdout.replaceAll(/ +\d+ ms/g, ' N ms').replaceAll(/"ms":[\d.]+/g, '"ms":0') };
}

test('tests beside a pipeline pass, a line each, and nothing is left behind', async () => {
  const { code, stdout, stderr } = await run({ 'pipelines/a.yaml': LOGS, 'pipelines/a.test.yaml': PASS });
  expect(stdout).toBe(`pipelines/a.test.yaml
  ok    a step is a step N ms
  ok    the clock stands where it is put N ms
  ok    a line that cannot be read is told, masked N ms
  ok    others may come between N ms
  ok    events are in the order of their lines, whatever table they go to N ms
  ok    nothing comes out of nothing N ms

6 passed, N ms
`);
  expect([code, stderr]).toEqual([0, '']);
  expect(await readdir(home.path)).toEqual(['pipelines']);
});

test('tests that fail say which event, which fields, and all that came instead', async () => {
  const { code, stdout, stderr } = await run({ 'a.yaml': LOGS, 'a.test.yaml': FAIL });
  expect(stdout).toBe(FAILED);
  expect([code, stderr]).toEqual([1, '']);
});

test('--json says the same, numbers as they were written', async () => {
  const tests = `tests:
  - name: tiny
    input: '{"event": "flytekit_step", "step": "fit", "wall_time_s": 5e-06, "process_time_s": 1.0, "status": "success"}'
    events: [{ wall_time_s: 1, attempt: absent }]
  - name: none
    input: "\\n"
    events: [{ kind: log }]
`;
  const { code, stdout } = await run({ 'a.yaml': '', 'a.test.yaml': tests }, ['--json', 'a.yaml']);
  expect(stdout).toBe(
    `{"file":"a.test.yaml","line":2,"column":5,"name":"tiny","pipeline":["a.yaml"],"ok":false,"ms":0,"failures":[\
{"what":"event","number":1,"of":1,"problem":"differs","expected":{"file":"a.test.yaml","line":4,"column":14,"row":{"wall_time_s":1,"attempt":"absent"}},\
"differences":[{"field":"wall_time_s","expected":1,"got":5e-06}],\
"got":{"ts":"2026-01-01T00:00:00.000000Z","ts_start":"2025-12-31T23:59:59.999995Z","dialect":"flytekit","event":"flytekit_step","kind":"step",\
"step":"fit","step_raw":"fit","status":"success","wall_time_s":5e-06,"process_time_s":1.0,"app":"flytekit","component":"task","provenance":"ts:arrival"}}]}
{"file":"a.test.yaml","line":5,"column":5,"name":"none","pipeline":["a.yaml"],"ok":false,"ms":0,"failures":[\
{"what":"event","number":1,"of":1,"problem":"missing","expected":{"file":"a.test.yaml","line":7,"column":14,"row":{"kind":"log"}},"differences":[],"got":null}]}
{"passed":0,"failed":2,"ms":0}
`,
  );
  expect(code).toBe(1);
});

test('everything that is wrong with the files is said at once, with its place, and nothing is run', async () => {
  const { code, stdout, stderr } = await run({
    'good.yaml': '',
    'good.test.yaml': 'tests: [{ name: fine, input: x, events: [{}] }]\n',
    'syntax.test.yaml': 'tests: [\n',
    'none.test.yaml': 'tests: []\n',
    'keys.test.yaml': `pipeline: good.yaml
test: 1
tests:
  - input: x
    event: [{ kind: log }]
  - name: misspelt
    input: { path: x.log }
    events:
      - { knd: log, wall_time_s: long, step: 1, attributes: { epoch: 1 } }
    rejections: [{ reson: schema }]
`,
    'values.test.yaml': `pipeline: good.yaml
tests:
  - name: values
    now: 2026-02-30T00:00:00Z
    input: { file: no.log }
    events: [{ message: /(/, attributes: { a: '/[/' } }]
`,
    'alone.test.yaml': 'tests: [{ name: alone, input: x }]\n',
    'wrong.yaml': "privacy: { mask: password }\nsinks: { clickhouse: { urls: ['${env:CH}'] } }\n",
    'wrong.test.yaml': 'tests: [{ name: a, input: x }, { name: b, env: { CH: http://c }, input: x }]\n',
  });
  expect(stderr).toBe(String.raw`steptap: alone.test.yaml:1:1: pipeline: alone.yaml: there is no such file
good.test.yaml:1:42: tests.0.events.0: is empty
keys.test.yaml:2:1: test: there is no such option; did you mean tests?
keys.test.yaml:4:5: tests.0: name is missing
keys.test.yaml:5:5: tests.0.event: there is no such option; did you mean events?
keys.test.yaml:7:12: tests.1.input: file is missing
keys.test.yaml:7:14: tests.1.input.path: there is no such option; there is file
keys.test.yaml:9:11: tests.1.events.0.knd: there is no such option; did you mean kind?
keys.test.yaml:9:34: tests.1.events.0.wall_time_s: "long" is not of the right form; write for example 1.5 or absent
keys.test.yaml:9:46: tests.1.events.0.step: must be text, and is a number: put it in quotes
keys.test.yaml:9:70: tests.1.events.0.attributes.epoch: must be text, and is a number: put it in quotes
keys.test.yaml:10:20: tests.1.rejections.0.reson: there is no such option; did you mean reason?
none.test.yaml:1:8: tests: is an empty list
syntax.test.yaml:2:1: Flow sequence in block collection must be sufficiently indented and end with a ]
values.test.yaml:4:10: tests.0.now: "2026-02-30T00:00:00Z" is no time; write 2026-01-01T00:00:00Z
values.test.yaml:5:20: tests.0.input.file: no.log: there is no such file
values.test.yaml:6:25: tests.0.events.0.message: /(/ is no regular expression (Unterminated group); put \ before what is meant as it stands
values.test.yaml:6:47: tests.0.events.0.attributes.a: /[/ is no regular expression (Unterminated character class); put \ before what is meant as it stands
wrong.yaml:2:31: the environment has no CH; set it under env of the tests, or write ${'${env:CH:-default}'}
wrong.yaml:1:18: privacy.mask: must be a list, and is text
`);
  expect([code, stdout]).toEqual([2, '']);
});

const NOT_THERE: readonly [string, readonly string[], string][] = [
  ['a directory without tests', [], '.: there are no *.test.yaml in it; steptap test --help shows what one looks like'],
  ['a pipeline without tests', ['a.yaml'], 'a.yaml: it has no tests; they would be in a.test.yaml'],
  ['a file that is not there', ['b.test.yaml'], 'b.test.yaml: there is no such file'],
  ['a file of another kind', ['a.log'], 'a.log: name a .test.yaml file, a pipeline or a directory'],
];

test.each(NOT_THERE)('%s ends the command with 2', async (_name, args, message) => {
  const { code, stdout, stderr } = await run({ 'a.yaml': '' }, args);
  expect([code, stdout, stderr]).toEqual([2, '', `steptap: ${message}\n`]);
});

test('a pipeline of several files, its environment and its secret are as the tests say, whatever the shell says', async () => {
  const files = {
    'base.yaml':
      'enrichment: { constants: { namespace: "${env:NAMESPACE:-none}", app: base } }\nprivacy: { hash: [user] }\n',
    'more.yaml': 'enrichment: { constants: { app: more } }\n',
    'tests/both.test.yaml': `pipeline: [../base.yaml, ../more.yaml]
env: { NAMESPACE: all }
tests:
  - name: the environment of the file
    input: { file: in.log }
    events: [{ namespace: all, app: more, message: '/user=hmac:[0-9a-f]{32}/' }]
  - name: the environment of the test
    env: { NAMESPACE: one, STEPTAP_HASH_KEY: another key of the tests }
    input: { file: in.log }
    events: [{ namespace: one }]
`,
    'tests/in.log': 'INFO hello user=ada\n',
  };
  const { code, stdout } = await run(files, ['tests']);
  expect(stdout).toContain('2 passed, N ms\n');
  expect(code).toBe(0);
});

test('at a terminal, what is too long goes on below where it began, and a trace is shown line by line', () => {
  const place = { file: 'a.test.yaml', line: 2, column: 5 };
  const message = `first\\n${'word '.repeat(8)}`;
  const outcome: Outcome = {
    test: {
      name: 'a name of so many words that it does not fit',
      place,
      pipeline: [],
      environment: {},
      source: 'stdin',
      now_ms: 0,
      input: Buffer.alloc(0),
      events: [],
      rejections: [],
      more: false,
    },
    failures: [
      { what: 'event', number: 1, of: 1, got: `{"kind":"log","message":"${message}\u001b[2J"}`, differences: [] },
    ],
    ms: 12,
  };
  const text = report([outcome], 12, { colours: true, columns: 50 });
  const plain = text.replaceAll(/\x1b\[\d+m/g, '');
  expect(plain).toBe(`a.test.yaml
  FAIL  a name of so many words that it does not
        fit  12 ms

    a.test.yaml:2:5
    event 1 of 1 that came is not expected:
      kind     "log"
      message  "first\\n
               word word word word word word word
               word  [2J"

0 passed, 1 failed, 12 ms`);
  expect(text.length).toBeGreaterThan(plain.length);
});
