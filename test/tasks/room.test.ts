import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { MemorySpool } from '../../src/spool/memory.ts';
import { RhapsodyTasks } from '../../src/tasks/rhapsody.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { rowsOf, type RowObject } from '../support/rows.ts';
import { stageOf } from './parts.ts';
import { event } from './rhapsody-rows.ts';

test('tasks that there is no room for are told unfinished, and no other in their place for what is remembered of them', async () => {
  const clock = new FakeClock();
  const spool = new MemorySpool({ clock, max_bytes: 64 << 20 });
  const registry = new Registry();
  const stage = stageOf(spool, clock, registry, { entries: 20, text: 1 << 20, parsed: 0 });
  stage.assemblers = [new RhapsodyTasks({ idle_s: 3600 })];
  const stop = new AbortController();
  const running = stage.run(stop.signal);
  // The session is one more entry, and the oldest.
  const created = Array.from({ length: 25 }, (_, n) => event('TaskCreated', `task.${n}`, n));
  const rows = created.map(({ fields }): RowObject => ({ ts: '2026-06-16T12:30:00.125000Z', ...fields }));
  await spool.append({ source: 'test', position: {}, lines: 25, rows: [rowsOf('events', rows)] });
  for (let s = 0; s < 30; s++) await clock.advance(1_000);
  expect(await registry.metrics()).toContain('steptap_task_evicted_total 5\n');
  stop.abort();
  await running;
});
