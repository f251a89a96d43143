import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { Cli } from '../support/run-cli.ts';
import { Home, line, lines, twice } from './parts.ts';

const home = new Home();
const CHANGE = /taken over|refused/;

/** Writes steps to a file, some every few milliseconds, until it is told to end. */
class Writer {
  count = 0;
  #over = false;
  readonly #done: Promise<void>;

  constructor(path: string) {
    this.#done = (async () => {
      while (!this.#over) {
        let text = '';
        for (let n = 0; n < 20; n++) text += line(`row ${this.count++}`);
        await appendFile(path, text);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })();
  }

  async end(): Promise<number> {
    this.#over = true;
    await this.#done;
    return this.count;
  }
}

/** Every counter of /metrics, by its name and labels. */
async function counters(url: string): Promise<Map<string, number>> {
  const text = await (await fetch(url)).text();
  const found = new Map<string, number>();
  for (const [, name, value] of text.matchAll(/^(\w+_(?:total|bucket|count|sum)(?:\{.*\})?) (\S+)$/gm)) {
    found.set(name!, Number(value));
  }
  return found;
}

/** What the pipeline's file says, and whether it may take over. */
type Step = readonly [yaml: string, valid: boolean];

async function change(cli: Cli, path: string, [yaml, valid]: Step, signal: boolean): Promise<string> {
  const before = cli.log.filter(({ message }) => CHANGE.test(message)).length;
  await writeFile(path, yaml);
  if (signal) cli.kill('SIGHUP');
  await cli.saidTimes(CHANGE, before + 1);
  const { message } = cli.log.filter((entry) => CHANGE.test(entry.message))[before]!;
  expect(message).toMatch(valid ? /has taken over/ : /is refused; the old one goes on: /);
  return message;
}

for (const state of ['s', 'none']) {
  test(`ten reloads under load, valid and not, lose and repeat nothing, with --state ${state}`, async () => {
    const [first, second] = [await home.clickhouse(), await home.clickhouse()];
    const path = join(home.path, 'p.yaml');
    const log = join(home.path, 'in.log');
    await writeFile(log, '');
    const sinks = (more = '', url = first.server.url): string =>
      `sources:\n  app: { type: file, path: in.log, follow: true }\nsinks:\n  clickhouse: { urls: ["${url}"] }\n  prometheus: { listen: "127.0.0.1:0" }\n${more}`;
    const steps: Step[] = [
      [sinks('enrichment: { constants: { namespace: ml } }\n'), true],
      [sinks('enrichment: { constants: { namespce: ml } }\n'), false],
      [sinks('  copy: { type: files, directory: copy }\n'), true],
      [sinks('  copy: { type: files, directory: copy, tables: [steps] }\nprivacy: { mask: [token] }\n'), true],
      ['sinks: [', false],
      [sinks('', first.server.url).replace('"] }', '"], timeout_ms: 20000 }'), true],
      [sinks('state: { sync: never }\n'), false],
      [sinks().replace('"127.0.0.1:0"', '"127.0.0.1:0", workflow_label: true'), true],
      [sinks().replace('sinks:', '  more: { type: file, path: more.log, follow: true }\nsinks:'), true],
      [sinks('limits: { max_line_bytes: 64k }\n'), true],
    ];
    await writeFile(path, sinks());
    const cli = home.start(['-c', 'p.yaml', '--state', state]);
    await cli.said(/clickhouse is ready/);
    const url = String(cli.log.find(({ message }) => message.startsWith('reading'))!['metrics']);
    const writer = new Writer(log);
    let before = await counters(url);
    for (const [n, step] of steps.entries()) {
      await change(cli, path, step, n % 2 === 0);
      const now = await counters(url);
      // The histogram under other labels is another one: as after a restart, its series are new.
      const series = [...before].filter(([name]) => !name.startsWith('steptap_step_duration') || n < 7);
      for (const [name, value] of series)
        expect([name, now.get(name)]).toEqual([name, expect.toSatisfy((v) => v >= value)]);
      before = now;
    }
    const count = await writer.end();
    while (first.backend.rows.length < count) await new Promise((resolve) => setTimeout(resolve, 20));
    cli.kill('SIGTERM');
    const ended = await cli.ended;
    expect([ended.code, first.backend.rows.length, twice(first.backend), second.backend.rows.length]).toEqual([
      0,
      count,
      [],
      0,
    ]);
    const { accepted, stored, pending } = (ended.log.at(-1)!['sinks'] as Record<string, Record<string, number>>)[
      'clickhouse'
    ]!;
    expect({ accepted, stored, pending }).toEqual({ accepted: count, stored: count, pending: 0 });
  });
}

const OVER = /taken over|refused/;
/** By SIGHUP: the file itself is looked at, too. */
const ASKED = /^the pipeline was read again.*(?:taken over|refused)/;

/** A run of `p.yaml`, on standard input, which can be told another pipeline. */
async function running(
  yaml: string,
  ...args: string[]
): Promise<{ cli: Cli; becomes: (next: string) => Promise<string> }> {
  const path = join(home.path, 'p.yaml');
  await writeFile(path, yaml);
  const cli = home.start(['-c', 'p.yaml', ...args]);
  await cli.said(/^reading/);
  let times = 0;
  return {
    cli,
    async becomes(next) {
      await writeFile(path, next);
      cli.kill('SIGHUP');
      return (await cli.saidTimes(ASKED, ++times)).message;
    },
  };
}

const NONE = '  prometheus: { listen: none }\n';
const clickhouse = (url: string, more = ''): string => `sinks:\n${NONE}  clickhouse: { urls: ["${url}"]${more} }\n`;
const ended = async (cli: Cli): Promise<Record<string, Record<string, number>>> => {
  cli.end();
  const { log } = await cli.ended;
  return log.at(-1)!['sinks'] as Record<string, Record<string, number>>;
};

describe.each(['s', 'none'])('With --state %s', (state) => {
  test('rows that wait for a sink which never worked are stored when a reload mends it', async () => {
    const { server, backend } = await home.clickhouse();
    const { cli, becomes } = await running(clickhouse('http://127.0.0.1:1'), '--state', state);
    await cli.write(lines(100));
    await cli.said(/clickhouse is tried again/);
    await becomes(clickhouse(server.url));
    // By the signal, or because the file was looked at before it.
    expect(cli.log.map(({ message }) => message).join('\n')).toContain('other than before: sinks.clickhouse');
    await cli.write(lines(5, 'later'));
    const { clickhouse: sink } = await ended(cli);
    expect(sink).toMatchObject({ accepted: 105, stored: 105, lost: 0, dropped: 0, pending: 0 });
    expect([backend.rows.length, twice(backend)]).toEqual([105, []]);
  });

  test('a sink that gets another name begins with what comes from then on, and nothing is stored twice', async () => {
    const [good, other] = [await home.clickhouse(), await home.clickhouse()];
    await other.server.leave();
    const both = (name: string): string =>
      `sinks:\n${NONE}  ${name}: { type: clickhouse, urls: ["${good.server.url}"] }\n  slow: { type: clickhouse, urls: ["${other.server.url}"] }\n`;
    const { cli, becomes } = await running(both('one'), '--state', state, '--grace', '0');
    await cli.write(lines(30));
    while (good.backend.rows.length < 30) await new Promise((resolve) => setTimeout(resolve, 10));
    await becomes(both('two'));
    await cli.write(lines(5, 'later'));
    while (good.backend.rows.length < 35) await new Promise((resolve) => setTimeout(resolve, 10));
    expect([good.backend.rows.length, twice(good.backend)]).toEqual([35, []]);
    await ended(cli);
  });

  test('tables that are taken away and given back while rows wait are counted once', async () => {
    const { server, backend } = await home.clickhouse();
    await server.leave();
    const { cli, becomes } = await running(clickhouse(server.url), '--state', state);
    await cli.write(`${lines(10)}INFO hello\n`);
    await cli.said(/clickhouse is tried again/);
    await becomes(clickhouse(server.url, ', tables: [logs]'));
    await becomes(clickhouse(server.url));
    await server.comeBack();
    await cli.write(lines(5, 'later'));
    const { accepted, stored, dropped, pending } = (await ended(cli))['clickhouse']!;
    expect([accepted! - stored! - dropped!, pending, stored]).toEqual([0, 0, backend.rows.length]);
  });

  test('a source that changes while the spool is full does not hold up the change that helps', async () => {
    const { server, backend } = await home.clickhouse();
    await writeFile(join(home.path, 'in.log'), lines(80_000));
    const yaml = (options: string, more: string): string =>
      `sources: { file: { path: in.log, follow: true${options} } }\nstate: { spool_bytes: 8m, spool_memory: 1m }\n${clickhouse(server.url)}${more}`;
    const dead = '  dead: { type: clickhouse, urls: ["http://127.0.0.1:1"] }\n';
    const { cli, becomes } = await running(yaml('', dead), '--state', state);
    // The healthy sink gets no further: the spool is full.
    for (let before = -1; before !== backend.rows.length || before <= 0;) {
      before = backend.rows.length;
      await new Promise((resolve) => setTimeout(resolve, 1_500));
    }
    expect(backend.rows.length).toBeLessThan(80_000);
    await becomes(yaml(', from_start: true', dead));
    await becomes(yaml(', from_start: true', ''));
    while (backend.rows.length < 80_000) await new Promise((resolve) => setTimeout(resolve, 50));
    cli.kill('SIGTERM');
    await cli.ended;
    expect([backend.rows.length, twice(backend)]).toEqual([80_000, []]);
  });
});

test('what is no pipeline at all, in whatever way, is refused, and the run goes on', async () => {
  const { server, backend } = await home.clickhouse();
  const { cli, becomes } = await running(clickhouse(server.url), '--state', 'none');
  const wrong: readonly (readonly [yaml: string, said: RegExp])[] = [
    ['enrichment: *nope\n', /p\.yaml:1:13: .*alias/],
    ['<<: text\n', /p\.yaml:1:1: .*[Mm]erge/],
    ['sources: { stdin: {}, files: { type: file, path: nope.log } }\n', /nope\.log: there is no such file/],
    ['sources: { stdin: {} }\n', /then rows need a server/],
    [`${clickhouse(server.url)}  out: { type: stdout }\n`, /sinks\.stdout: cannot change while steptap runs/],
    [
      `${clickhouse(server.url)}  dead-letters: { type: files, directory: x }\n`,
      /p\.yaml:4:3: sinks\.dead-letters: another sink keeps/,
    ],
    ['limits: { grace_s: 3 }\n', /limits\.grace_s: cannot change while steptap runs/],
    ['privacy: { hash: [user] }\n', /--hash needs a secret/],
    [
      clickhouse(server.url).replace('none }', '"127.0.0.1:0", max_series: 1000000, workflow_label: true }'),
      /taken over/,
    ],
    ['privacy: { hash_key: "${file:key}" }\n', /there is no such file/],
  ];
  for (const [yaml, said] of wrong) expect(await becomes(yaml)).toMatch(said);
  await cli.write(lines(5));
  await ended(cli);
  expect(backend.rows).toHaveLength(5);
});

test('a file that is written in two pieces takes over when it is whole', async () => {
  const { server, backend } = await home.clickhouse();
  const path = join(home.path, 'p.yaml');
  const masked = `${clickhouse(server.url)}privacy: { mask: [password] }\n`;
  const { cli } = await running(masked, '--state', 'none');
  await writeFile(path, clickhouse(server.url));
  await cli.write('INFO login password=first\n');
  await new Promise((resolve) => setTimeout(resolve, 700));
  await appendFile(path, 'privacy: { mask: [password] }\nlimits: { max_line_bytes: 64k }\n');
  const { message } = await cli.said(OVER);
  expect(message).toMatch(/other than before: limits$/);
  await cli.write('INFO login password=second\n');
  await ended(cli);
  expect(backend.rows.length).toBe(2);
  expect(server.brought.map(({ body }) => body).join('')).not.toMatch(/first|second/);
});

test('metrics move to another address, also to one that is in the way of the old one, and back to the default', async () => {
  const at = (listen: string): string => `sinks: { prometheus: { ${listen} } }\n`;
  const { cli, becomes } = await running(at('listen: "127.0.0.1:0"'), '--state', 'none');
  const url = String(cli.log.find(({ message }) => message.startsWith('reading'))!['metrics']);
  const port = new URL(url).port;
  await becomes(at(`listen: "localhost:${port}"`));
  expect((await fetch(url)).status).toBe(200);
  const taken = await new Promise<Server>((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => resolve(server));
  });
  const { port: other } = taken.address() as AddressInfo;
  expect(await becomes(at(`listen: "127.0.0.1:${other}"`))).toMatch(/refused.*it is in use/);
  taken.close();
  expect((await fetch(url)).status).toBe(200);
  await ended(cli);
});

test('standard input that was given up, or never read, cannot join again', async () => {
  await writeFile(join(home.path, 'in.log'), '');
  const files = 'sources: { file: { path: in.log, follow: true } }\nsinks: { prometheus: { listen: none } }\n';
  const { cli, becomes } = await running(files, '--state', 'none');
  const both = files.replace('{ file', '{ stdin: {}, file');
  expect(await becomes(both)).toMatch(/p\.yaml:1:12: sources\.stdin: standard input cannot join a pipeline that runs/);
  cli.kill('SIGTERM');
  expect((await cli.ended).code).toBe(0);
});
