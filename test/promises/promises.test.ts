import { existsSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import { chdbMissing } from '../support/chdb.ts';
import { controlRun, pieces } from './pieces.ts';

/*
 * The short run: npm run promises is the long one. What it does is planned by the seed; STEPTAP_SEED takes another.
 */

vi.setConfig({ testTimeout: 1_800_000 });

const seed = Number(process.env['STEPTAP_SEED'] ?? 1);
const print = (line: string): void => void process.stdout.write(`${line}\n`);

const unavailable = chdbMissing();
const skipped = unavailable !== undefined && process.env['CI'] !== 'true';

test.skipIf(skipped)('control: without tokens and ids, kills and faults leave rows twice in both sinks', async () => {
  expect(unavailable).toBeUndefined();
  expect(await controlRun({ seed, search: 'model', print })).toEqual([]);
});

test.skipIf(skipped)('every event is stored once in every sink, whatever dies and at whatever edge', async () => {
  expect(existsSync(new URL('../../dist/cli/main.js', import.meta.url)), 'npm run build').toBe(true);
  expect(await pieces({ seed, kills: 10, crash_points: 'half', search: 'model', print })).toEqual([]);
});
