import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { NOTHING_KNOWN } from '../../src/kubernetes/pods.ts';
import { NOWHERE } from '../../src/origin.ts';
import { Slabs } from '../../src/slabs.ts';
import { DiskSpool } from '../../src/spool/disk.ts';
import { NOTHING } from '../../src/spool/mark.ts';
import { FlyteTasks } from '../../src/tasks/flyte/index.ts';
import { SLACK_US, treeOf, walk, type Node, type Step } from '../../src/tasks/flyte/tree.ts';
import type { Fields } from '../support/decode.ts';
import { HastyClock } from '../support/fake-clock.ts';
import { MemoryFs } from '../support/memory-fs.ts';
import { Fuse, mortalFs, type Death } from '../support/mortal.ts';
import { seeded } from '../support/oracle-fs.ts';
import { batchOf, samples, stageOf, tableOf, tasksIn } from './parts.ts';

vi.setConfig({ testTimeout: 60_000 });

const NAMES =
  'download_data download_distribution load_task execute_user_code task_dispatch_execute upload_data dispatch_execute upload_outputs mine yours'.split(
    ' ',
  );

const step = fc
  .tuple(fc.constantFrom(...NAMES), fc.integer({ min: 0, max: 50_000 }), fc.integer({ min: 0, max: 20_000 }))
  .map(([name, start, wall]): Step => [name, start, start + wall, '', '', 0]);

test('whatever steps a stream has, no self time is negative, and they add up to the whole', () => {
  const check = fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (steps) => {
    const root = treeOf(steps);
    const nodes: Node[] = [];
    walk(root, (node) => nodes.push(node));
    expect(nodes).toHaveLength(steps.length + 1);
    expect(Math.min(...nodes.map(({ self_us }) => self_us))).toBeGreaterThanOrEqual(0);
    expect(nodes.reduce((sum, { self_us }) => sum + self_us, 0)).toBe(root.end_us - root.start_us);
    for (const { start_us, end_us, children } of nodes.slice(1)) {
      for (const child of children) {
        expect(child.start_us).toBeGreaterThanOrEqual(start_us - SLACK_US);
        expect(child.end_us - child.start_us).toBeLessThanOrEqual(end_us - start_us);
      }
    }
  });
  fc.assert(check, { numRuns: 500, seed: 1 });
});

/** Three pods: one task that succeeds, one that fails and says why, and one of which no end comes. */
function scene(): { lines: string[]; pod: string }[] {
  const all = [samples(1, 21, [12]), [...samples(22, 23), ...samples(33, 36)], samples(1, 9)];
  const queues = all.map((lines, n) => lines.map((line) => ({ lines: [line], pod: `pod-${n}` })));
  // The four lines of an error are one event: a source holds them together.
  queues[1] = [...queues[1]!.slice(0, 2), { lines: samples(33, 36), pod: 'pod-1' }];
  const mixed: { lines: string[]; pod: string }[] = [];
  for (let n = 0; queues.some((queue) => n < queue.length); n++) {
    for (const queue of queues) if (queue[n] !== undefined) mixed.push(queue[n]!);
  }
  return mixed;
}

const SCENE = scene();

const BATCHES = SCENE.map(({ lines, pod }, n) =>
  batchOf(lines, { ...NOWHERE, namespace: 'ml', pod, pod_uid: `uid-${pod}`, container: pod }, { next: n + 1 }),
);

/** One life of a process on those files: it goes on feeding where it was, until all is told or it dies. Gives what the spool has of tasks. */
async function live(fs: MemoryFs, fuse: Fuse, pause: () => number): Promise<Fields[] | undefined> {
  const clock = new HastyClock();
  const life = async (): Promise<Fields[]> => {
    const spool = await DiskSpool.open({
      directory: '/spool',
      clock,
      fs: mortalFs(fuse, fs),
      log: () => {},
      sync: 'always',
      max_bytes: 64 << 20,
      memory_bytes: 1 << 20,
      slabs: new Slabs(),
      least: { seq: 0, mark: NOTHING },
    });
    const reader = spool.reader('lane');
    const stage = stageOf(spool, clock);
    stage.assemblers = [new FlyteTasks({ idle_s: 3600, pods: NOTHING_KNOWN })];
    const running = stage.run(new AbortController().signal);
    for (let next = Number(spool.positions.get('test')?.['next'] ?? 0); next < BATCHES.length; next++) {
      await spool.append(BATCHES[next]!);
      for (let turn = pause(); turn > 0; turn--) await setImmediate();
    }
    stage.complete();
    spool.end('sources');
    await running;
    spool.end();
    const told: Fields[] = [];
    const limits = { max_rows: 1e9, max_bytes: 1e9, linger_ms: 0 };
    for (;;) {
      const records = await reader.take(limits, AbortSignal.abort('over'));
      if (records.length === 0) break;
      for (const { batch } of records) told.push(...tasksIn(batch));
    }
    await spool.close();
    return told;
  };
  const lived = life();
  const told = await Promise.race([lived, fuse.died.then(() => undefined)]);
  await fuse.over();
  return told;
}

test('wherever a process is killed, the tasks that are told in the end are the same, each once', async () => {
  const random = seeded(7);
  const whole = tableOf((await live(new MemoryFs(), new Fuse(), () => 3))!);
  expect([...whole.values()].map(({ status, end_reason }) => `${String(status)} ${String(end_reason)}`).sort()).toEqual(
    ['error completed', 'success completed', 'unknown input_ended'],
  );
  const deaths: Death[] = ['before', 'after', 'torn'];
  let died = 0;
  for (let run = 0; run < 30; run++) {
    const fs = new MemoryFs();
    const pause = (): number => Math.floor(random() * 4);
    let told: Fields[] | undefined;
    for (let lives = 0; told === undefined; lives++) {
      const at = lives < 4 ? 1 + Math.floor(random() * 40) : Number.POSITIVE_INFINITY;
      told = await live(fs, new Fuse(at, deaths[run % 3]), pause);
      if (told === undefined) died += 1;
    }
    expect(tableOf(told)).toEqual(whole);
    const versions = told.map(({ version }) => Number(version));
    expect(versions).toEqual([...versions].sort((a, b) => a - b));
    expect(new Set(versions).size).toBe(versions.length);
  }
  // It is a test of kills only as far as there are some.
  expect(died).toBeGreaterThan(60);
});
