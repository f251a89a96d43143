import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Cli } from '../support/run-cli.ts';
import { Home, line, twice } from './parts.ts';

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
  expect(message).toMatch(valid ? /has taken over$/ : /is refused; the old one goes on: /);
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
