import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile, readdir, truncate, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { HTTP_FAULTS } from '../support/faulty-server.ts';
import { prometheusUnavailable } from '../support/prometheus-server.ts';
import type { Ended } from '../support/run-cli.ts';
import { Home, line, lines } from './parts.ts';

const home = new Home();
const NONE = ['--metrics', 'none'];
const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

const steptap = (...args: string[]): Promise<Ended> => home.start(args, { input: '' }).ended;
const broken = line('bad').replace('"wall_time_s": 1.5', '"wall_time_s": "long"');

/** The objects that were printed, one a line. */
function objects({ stdout }: Pick<Ended, 'stdout'>): Record<string, unknown>[] {
  return stdout
    .split('\n')
    .filter((each) => each !== '')
    .map((each) => JSON.parse(each) as Record<string, unknown>);
}

function fits({ stdout }: Pick<Ended, 'stdout'>): void {
  expect(stdout.split('\n').filter(({ length }) => length > 80)).toEqual([]);
}

/** Runs into a store twice, with two dead letters; gives the options of the run. */
async function ran(): Promise<string[]> {
  const { server, backend } = await home.clickhouse();
  backend.poison = 'poison';
  const args = ['--clickhouse', server.url, ...NONE];
  for (const input of [`${lines(30)}${line('poison')}${broken}words\n`, lines(5, 'more')])
    expect((await home.start(args, { input }).ended).code).toBe(0);
  return args;
}

test('spool ls tells the segments, the sinks and the sources, also while a run goes on', async () => {
  const args = await ran();
  const running = home.start(args);
  await running.said(/^clickhouse is ready/);
  const listed = await steptap('spool', 'ls');
  expect([listed.code, listed.stderr]).toEqual([0, '']);
  fits(listed);
  // The last two segments are always kept, and what was before them is settled.
  expect(listed.stdout).toMatch(
    /^segment +state +bytes +records +days +steps.*\n(?:0{11}1.seg +closed .*\n)?0{11}2.seg +closed/,
  );
  expect(listed.stdout).toMatch(/\n0{11}3.seg +open /);
  expect(listed.stdout).toMatch(/\nsink +settled +waiting +in bytes +stored +dead letters\n/);
  expect(listed.stdout).toMatch(/\nclickhouse +\d+ +0 +0 +36 +1\n/);
  expect(listed.stdout).toMatch(/\n *offset +source\n *\d+ +stdin\n$/);
  const all = objects(await steptap('spool', 'ls', '--json'));
  expect(all.filter(({ segment }) => segment).at(-1)).toMatchObject({ segment: { kind: 'segment', sealed: false } });
  expect(all.find(({ sink }) => (sink as { sink?: string } | undefined)?.sink === 'clickhouse')).toMatchObject({
    sink: { records_waiting: 0, bytes_waiting: 0, stored: 36, dead_lettered: 1, lost: 0, dropped: 0 },
  });
  expect(all.find(({ source }) => source === 'stdin')).toMatchObject({ position: {} });
  running.end();
  expect((await running.ended).code).toBe(0);
});

test('spool ls tells what waits for a sink that is down', async () => {
  const { server } = await home.clickhouse();
  server.fault = HTTP_FAULTS.status({ status: 503 });
  const running = home.start(['--clickhouse', server.url, ...NONE]);
  await running.write(lines(50));
  await running.said(/^clickhouse is tried again/);
  const listed = await steptap('spool', 'ls');
  fits(listed);
  expect(listed.stdout).toMatch(/\nclickhouse +0 +[1-9]\d* +[1-9]\d* +1\.\.\d+ +0\n/);
});

test('spool cat prints the records, and spool export their rows', async () => {
  await ran();
  const printed = await steptap('spool', 'cat');
  fits(printed);
  expect(printed.stdout).toMatch(/^record +committed +bytes +lines +steps +logs +rejections +source\n +1 +\d\d-\d\d /);
  const records = objects(await steptap('spool', 'cat', '--json'));
  expect(records.map(({ seq }) => seq)).toEqual(records.map((_, n) => n + 1));
  expect(records.reduce((sum, { steps }) => sum + Number(steps), 0)).toBe(36);
  expect(objects(await steptap('spool', 'cat', '--json', '--from', '2', '--to', '2'))).toEqual([records[1]]);
  expect((await steptap('spool', 'cat', '--from', '9999')).stdout).toBe('no records\n');

  const rows = objects(await steptap('spool', 'export', '--table', 'steps'));
  expect(rows).toHaveLength(36);
  expect(new Set(rows.map(({ _src, _seq, _i }) => [_src, _seq, _i].join()))).toHaveProperty('size', 36);
  const letters = objects(await steptap('spool', 'export', '--table', 'rejections'));
  expect(letters.map(({ reason }) => reason)).toEqual(['schema', 'sink']);
  const wrong = await steptap('spool', 'cat', '--from', 'x');
  expect([wrong.code, wrong.stderr]).toEqual([2, 'steptap: --from x: give a whole number, such as 12\n']);
});

test('spool verify finds a sound spool sound, half a record at its end too, and says where a damaged one is damaged', async () => {
  const args = await ran();
  const sound = await steptap('spool', 'verify');
  expect([sound.code, sound.stdout]).toEqual([0, expect.stringMatching(/^\d+ records, all sound\n$/)]);

  // A killed run leaves the beginning of what it wrote.
  const running = home.start(args);
  await running.write(lines(20, 'killed'));
  await running.said(/^clickhouse is ready/);
  running.kill('SIGKILL');
  await running.ended;
  const directory = join(home.path, 'steptap-data', 'spool');
  const segments = (await readdir(directory)).filter((name) => name.endsWith('.seg')).sort();
  const newest = join(directory, segments.at(-1)!);
  const whole = await readFile(newest);
  await writeFile(newest, Buffer.concat([whole, whole.subarray(0, 60)]));
  const cut = await steptap('spool', 'verify');
  expect([cut.code, cut.stdout]).toEqual([
    0,
    expect.stringMatching(/60 bytes are being written, or were .*\n\d+ records, all sound\n$/),
  ]);
  await truncate(newest, whole.length);

  const oldest = join(directory, segments[0]!);
  const bytes = await readFile(oldest);
  // The third run may have removed the segment of the first one before it was killed.
  const text = bytes.includes('row 7') ? 'row 7' : 'more 2';
  const file = await open(oldest, 'r+');
  await file.write(Buffer.from(text.toUpperCase()), 0, text.length, bytes.indexOf(text));
  await file.close();
  const damaged = await steptap('spool', 'verify');
  expect(damaged.code).toBe(1);
  expect(damaged.stdout).toMatch(
    /^steptap-data\/spool\/0{11}[12]\.seg, byte \d+: record \d+ is damaged\n(records? .*\n)?\d+ records are sound, 1 place is damaged\n$/,
  );
  const [, record] = /record (\d+) is damaged/.exec(damaged.stdout)!;
  const rest = objects(await steptap('spool', 'cat', '--json')).map(({ seq }) => seq);
  // All that are behind it; none, if it was the last when the third run was killed.
  expect(rest.filter((seq) => Number(seq) <= Number(record))).toEqual([]);
  expect((await steptap('spool', 'ls')).code).toBe(0);

  await writeFile(join(directory, '000000000000.seg.bad'), 'nothing');
  const aside = await steptap('spool', 'verify');
  expect([aside.code, aside.stdout]).toEqual([
    1,
    expect.stringMatching(/0{12}\.seg\.bad: nothing in it could be read; it was set aside\n.*2 places are damaged\n$/),
  ]);
});

test.each([
  [['spool', 'ls']],
  [['spool', 'verify']],
  [['spool', 'cat']],
  [['spool', 'export']],
  [['audit']],
  [['dead-letters', 'ls']],
  [['dead-letters', 'show']],
  [['dead-letters', 'replay']],
])('%j where no run has been ends with 2 and says what to do, and leaves nothing behind', async (command) => {
  const nowhere = await steptap(...command);
  expect([nowhere.code, nowhere.stdout, nowhere.stderr]).toEqual([
    2,
    '',
    'steptap: --state ./steptap-data: there is no such directory; name that of a run\n',
  ]);
  const none = await steptap(...command, '--state', 'none');
  expect([none.code, none.stderr]).toEqual([
    2,
    'steptap: --state none: nothing is kept there; name the directory of a run\n',
  ]);
  expect(await readdir(home.path)).toEqual([]);
  if (command[0] === 'dead-letters') return;
  await mkdir(join(home.path, 'other'));
  const other = await steptap(...command, '--state', 'other');
  expect([other.code, other.stderr]).toEqual([2, 'steptap: --state other: there is no spool; a run makes one\n']);
});

test.each([[['audit']], [['dead-letters', 'replay']]])(
  '%j without the stores of the run asks for them',
  async (command) => {
    await ran();
    const { code, stderr } = await steptap(...command);
    expect([code, stderr]).toEqual([
      2,
      'steptap: --state ./steptap-data: there is no embedded store in it; name the stores of the run, with --clickhouse or --elasticsearch\n',
    ]);
    expect((await readdir(join(home.path, 'steptap-data'))).sort()).toEqual(['dead-letters', 'spool']);
  },
);

test('dead-letters ls counts what could not be stored, and show prints it', async () => {
  await ran();
  const listed = await steptap('dead-letters', 'ls');
  fits({ stdout: listed.stdout.split('\n\n')[0]! });
  expect(listed.stdout).toMatch(
    /^reason +sink +letters +last\nschema +1 +\d\d-\d\d \d\d:\d\d\n27 +clickhouse +1 +\d\d-/,
  );
  expect(listed.stdout).toContain('\nschema: wall_time_s must be number\n  steptap dead-letters show ');
  const groups = objects(await steptap('dead-letters', 'ls', '--json'));
  expect(groups).toMatchObject([
    { reason: 'schema', sink: '', letters: 1, rows: 1, replayed: 0 },
    { reason: 'sink', sink: 'clickhouse', code: '27', letters: 1, rows: 1, replayed: 0 },
  ]);
  const id = String(groups[0]!['example']);
  const shown = await steptap('dead-letters', 'show', id);
  expect(shown.stdout).toContain(`${id}: schema: wall_time_s must be number\n`);
  expect(shown.stdout).toContain(`\n${broken}`);
  expect(objects(await steptap('dead-letters', 'show', '--json'))).toHaveLength(2);
  expect(objects(await steptap('dead-letters', 'show', '--json', '--reason', '27'))).toMatchObject([{ code: '27' }]);
  expect(objects(await steptap('dead-letters', 'ls', '--json', '--sink', 'clickhouse'))).toHaveLength(1);
  const few = await steptap('dead-letters', 'show', '--limit', '1');
  expect(few.stdout).toMatch(/\nthere are more; --limit shows them\n$/);
  const wrong = await steptap('dead-letters', 'show', 'x-1-1');
  expect([wrong.code, wrong.stderr]).toEqual([
    2,
    'steptap: x-1-1: there is no such dead letter in steptap-data/dead-letters\n',
  ]);
});

test('what a hostile line has in it does not reach a terminal as it is, only a file', async () => {
  const { server } = await home.clickhouse();
  const bytes = Buffer.concat([
    Buffer.from('{"event": "flytekit_step", "step": "\u001b]0;title\u0007\u001b[2J\u009b31m\r'),
    Buffer.from([0x00, 0xff, 0x1b, 0x5b, 0x41]),
    Buffer.from('\n'),
  ]);
  expect((await home.start(['--clickhouse', server.url, ...NONE], { input: bytes }).ended).code).toBe(0);
  // A pseudo terminal, as a person has one.
  const { PATH = '', HOME = '' } = process.env;
  const program = spawn('script', ['-qec', `'${process.execPath}' '${MAIN}' dead-letters show`, '/dev/null'], {
    cwd: home.path,
    env: { PATH, HOME, TERM: 'xterm' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said] = await Promise.all([text(program.stdout), once(program, 'close')]);
  expect(said).toContain('json_syntax');
  expect(said).toContain(']0;title');
  expect(said.replaceAll('\r\n', '\n')).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/);
  // Piped, they are what they were.
  const { stdout } = await steptap('dead-letters', 'show');
  expect(stdout).toContain('\u001b]0;title\u0007');
});

const unavailable = await prometheusUnavailable();

test.runIf(process.env['CI'] === 'true')('promtool is there', () => expect(unavailable).toBeUndefined());

test('every metric is in the README, and what the README names there is', async () => {
  const { server } = await home.clickhouse();
  // Every source, and an API that nobody answers at: its metrics are there all the same.
  const config = { contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }], 'current-context': 'c' };
  const cluster = { clusters: [{ name: 'c', cluster: { server: server.url } }], users: [{ name: 'u', user: {} }] };
  await writeFile(join(home.path, 'kubeconfig'), JSON.stringify({ ...config, ...cluster }));
  const sources = `pods: { type: files, paths: ['${home.path}/pods/*.log'] }, http: { listen: '127.0.0.1:0' }, forward: { listen: '127.0.0.1:0' }`;
  const enrichment = `{ kubernetes: { kubeconfig: '${home.path}/kubeconfig' } }`;
  await writeFile(join(home.path, 'p.yaml'), `sources: { ${sources}, stdin: {} }\nenrichment: ${enrichment}\n`);
  const cli = home.start(['-c', 'p.yaml', '--clickhouse', server.url, '--metrics', '127.0.0.1:0']);
  const { metrics } = await cli.said(/^reading /);
  await cli.said(/^clickhouse is ready/);
  const url = String((await cli.said(/^http:http: listening/))['url']);
  // Labels of theirs are known with the first of each.
  await fetch(url, { method: 'POST', body: 'text' });
  const { message } = await cli.said(/^forward:forward: listening/);
  const stranger = connect(Number(/:(\d+)$/.exec(message)![1]), '127.0.0.1').resume();
  stranger.write('no msgpack');
  await once(stranger, 'close');
  const shown = await (await fetch(String(metrics))).text();
  const there = shown.split('\n').flatMap((each) => /^# TYPE (\S+)/.exec(each)?.[1] ?? []);
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  const section = /\n## Metrics\n([\s\S]*?)\n## /.exec(readme)![1]!;
  const rows = section.split('\n').filter((each) => each.startsWith('| `'));
  const named = rows.flatMap((row) => row.split('|')[1]!.match(/steptap_\w+/g) ?? []);
  // Of event types there is what a pipeline declares.
  const own = named.filter((name) => !name.startsWith('steptap_event_'));
  expect(own.sort()).toEqual([...there].sort());
});

test.skipIf(unavailable !== undefined)(
  'promtool finds nothing to complain about in the metrics of a run with trouble',
  async () => {
    const { server, backend } = await home.clickhouse();
    const gone = await home.clickhouse();
    await gone.server.leave();
    backend.poison = 'poison';
    const stores = ['--clickhouse', server.url, '--elasticsearch', gone.server.url];
    const cli = home.start([...stores, '--metrics', '127.0.0.1:0']);
    const { metrics } = await cli.said(/^reading stdin/);
    await cli.write(lines(20) + line('poison') + broken);
    let shown = '';
    while (!shown.includes('steptap_sink_dead_letter_rows_total{sink="clickhouse",code="27"} 1'))
      shown = await (await fetch(String(metrics))).text();
    expect(shown).toContain('steptap_rejections_total{reason="schema"} 1');
    expect(shown).toMatch(/steptap_sink_retries_total\{sink="elasticsearch",code="ECONNREFUSED"\} \d/);
    expect(shown).toContain('steptap_sink_pending_rows{sink="elasticsearch"} 21');
    expect(shown).toMatch(/steptap_sink_pending_bytes\{sink="elasticsearch"\} [1-9]\d{3}/);
    expect(shown).toMatch(/steptap_sink_oldest_pending_seconds\{sink="elasticsearch"\} (?!0\n)/);
    expect(shown).toContain('steptap_sink_state{sink="elasticsearch",state="retrying"} 1');
    expect(shown).toMatch(/steptap_spool_bytes [1-9]/);
    expect(shown).toContain('steptap_spool_full 0');
    const promtool = spawn('promtool', ['check', 'metrics'], { stdio: ['pipe', 'pipe', 'pipe'] });
    const said = Promise.all([text(promtool.stdout), text(promtool.stderr)]);
    promtool.stdin.end(shown);
    const [code] = (await once(promtool, 'exit')) as [unknown];
    expect([code, await said]).toEqual([0, ['', '']]);
  },
);
