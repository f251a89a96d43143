import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { Counters } from '../../src/counters.ts';
import { Intake } from '../../src/intake.ts';
import type { PipelineOptions } from '../../src/pipeline.ts';
import { Reading } from '../../src/reading.ts';
import { Slabs } from '../../src/slabs.ts';
import { onceSource } from '../../src/sources/file/once.ts';
import { lines } from '../cli/parts.ts';
import { open, scratch } from '../spool/scenes.ts';
import { OPTIONS } from '../support/decode.ts';
import { HastyClock } from '../support/fake-clock.ts';
import { OracleFs } from '../support/oracle-fs.ts';

/** Reads a file as a process that is killed (or stopped) when it has committed so many records. Gives what is on the disk then, and how many steps are in it. */
async function life(path: string, fs: OracleFs, records: number, how: 'killed' | 'stopped') {
  const clock = new HastyClock();
  const stop = new AbortController();
  const reading = new Reading(OPTIONS);
  const segments = new Set<string>();
  fs.plan = (operation, name) => {
    if (operation === 'open') segments.add(name);
    return undefined;
  };
  const disk = (): OracleFs => new OracleFs(1, new Map([...segments].map((name) => [name, fs.bytes(name)])));
  let left: OracleFs | undefined;
  let committed = 0;
  const appended = (): void => {
    if (++committed !== records) return;
    if (how === 'killed') left = disk();
    stop.abort();
  };
  const { spool } = await open('/spool', { fs, clock, appended });
  const counters = new Counters(new Registry(), () => spool.usage());
  const options = { spool, clock, counters, slabs: new Slabs() } as unknown as PipelineOptions;
  const source = onceSource(path);
  await source.run(new Intake(options, reading), stop.signal);
  return { left: left ?? disk(), whole: source.whole, committed, steps: spool.mark.steps };
}

test.each(['killed', 'stopped'] as const)(
  'A run that is %s between any two records leaves nothing that is stored twice',
  async (how) => {
    const path = join(scratch(), 'buffer');
    // Several reads of half a MiB, and so several records.
    const COUNT = 5_000;
    await writeFile(path, lines(COUNT));
    let ends = 0;
    for (let records = 1; ; records++) {
      const first = await life(path, new OracleFs(records), records, how);
      const second = await life(path, first.left, Infinity, how);
      expect([second.whole, second.steps], `after ${records} records`).toEqual([true, COUNT]);
      const third = await life(path, second.left, Infinity, how);
      expect([third.whole, third.committed, third.steps]).toEqual([true, 0, COUNT]);
      if (first.whole === true && first.committed < records) break;
      ends += 1;
    }
    expect(ends).toBeGreaterThan(2);
  },
);
