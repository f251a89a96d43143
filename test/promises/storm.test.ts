import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startClickHouse, type ClickHouseServer } from '../support/clickhouse-server.ts';
import { storm } from './storm-run.ts';

/* The short run; test/promises/storm-main.ts is the long one. STEPTAP_SEED takes another plan. */

vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

const seed = Number(process.env['STEPTAP_SEED'] ?? 1);
let server: ClickHouseServer;

beforeAll(async () => {
  server = await startClickHouse();
});

afterAll(() => server.stop());

test.each([
  [20, 60, 2],
  [50, 40, 2],
  [200, 12, 1],
])(
  'a log that is rotated every %i ms loses no line and stores none twice, though steptap is killed in between',
  async (period_ms, rotations, kills) => {
    const verdict = await storm({ seed, period_ms, rotations, kills, server });
    process.stdout.write(`${period_ms} ms: ${JSON.stringify(verdict)}\n`);
    expect(verdict).toMatchObject({ lost: 0, twice: 0, dead_letters: 0 });
    // The control: what is at the path is not enough.
    expect(verdict.naive_lost).toBeGreaterThan(0.1);
  },
);
