import { expect, test } from 'vitest';
import { HastyClock } from '../support/fake-clock.ts';
import { OracleFs } from '../support/oracle-fs.ts';
import { batchOf } from './disk-world.ts';
import { turns } from './ends.ts';
import { drain, LIMITS, never, open } from './scenes.ts';

const options = { clock: new HastyClock(), sync: 'group' as const, memory_bytes: 1 << 20 };

async function segments(fs: OracleFs): Promise<number> {
  return (await fs.list('/spool')).filter((name) => name.endsWith('.seg')).length;
}

test('appends that wait for each other are all acknowledged', async () => {
  const { spool } = await open('/spool', { fs: new OracleFs(1), ...options });
  for (let number = 0; number < 50; number++) {
    expect(await spool.append(batchOf('a', number, 1))).toEqual({ seq: number + 1 });
  }
});

test('a segment is removed when every lane has it settled on the disk, and the last two stay', async () => {
  const fs = new OracleFs(1);
  const { spool } = await open('/spool', { fs, ...options });
  const lanes = [spool.reader('a'), spool.reader('b')] as const;
  for (let number = 0; number < 20; number++) await spool.append(batchOf('a', number, 300_000));
  const all = await segments(fs);
  expect(all).toBeGreaterThan(5);
  for (const lane of lanes) {
    for (let seq = 0; seq < 20;) {
      seq = (await lane.take({ ...LIMITS, linger_ms: 0 }, never)).at(-1)!.seq;
      lane.advance(seq);
    }
  }
  await turns(20);
  expect(await segments(fs)).toBe(all);
  lanes[0].keep(20);
  lanes[1].keep(9);
  await turns(20);
  // Three batches of 300 kB are a segment.
  expect(await segments(fs)).toBe(all - 3);
  lanes[1].keep(20);
  await turns(20);
  expect(await segments(fs)).toBe(2);
});

test('what lanes append keeps its order, and goes before what sources wait with', async () => {
  const seen: string[] = [];
  const { spool } = await open('/spool', {
    fs: new OracleFs(1),
    ...options,
    appended: ({ batch }) =>
      seen.push(`${batch.source}:${/"message":"\w+:(\d+)/.exec(batch.rows[0]!.bytes.toString())![1]}`),
  });
  const appends = [
    spool.append(batchOf('a', 0, 1)),
    spool.append(batchOf('a', 1, 1)),
    ...[0, 1, 2].map((number) => spool.append(batchOf('letters', number, 1, false), { reserved: true })),
  ];
  await Promise.all(appends);
  expect(seen).toEqual(['letters:0', 'letters:1', 'letters:2', 'a:0', 'a:1']);
});

test('a spool that is closed acknowledges what was appended, and takes no more', async () => {
  const { spool } = await open('/spool', { fs: new OracleFs(1), ...options });
  const appended = spool.append(batchOf('a', 0, 1));
  await spool.close();
  expect(await appended).toEqual({ seq: 1 });
  await expect(spool.append(batchOf('a', 1, 1))).rejects.toThrow('the spool is closed');
});

test('what a start finds of a killed process is on the disk from then on, though the sync of it had failed', async () => {
  const lasts = new Set<number>();
  for (let seed = 1; seed <= 20; seed++) {
    const fs = new OracleFs(seed);
    const first = await open('/spool', { fs, ...options });
    await first.spool.append(batchOf('a', 0, 1));
    // The records of the failed sync can neither be taken back nor go into another file.
    fs.plan = (operation) => (['datasync', 'truncate', 'open'].includes(operation) ? 'EIO' : undefined);
    await expect(first.spool.append(batchOf('a', 1, 2))).rejects.toThrow('cannot be written');
    const killed = fs.crash('kill');
    const second = await open('/spool', { fs: killed, ...options });
    lasts.add(second.spool.last);
    const third = await open('/spool', { fs: killed.crash('power cut'), ...options });
    const { last, positions } = second.spool;
    expect([third.spool.last, third.spool.positions]).toEqual([last, positions]);
    expect(await drain(third.spool)).toHaveLength(last);
  }
  // It may be there or not, as long as it stays so.
  expect(lasts).toEqual(new Set([1, 2]));
});
