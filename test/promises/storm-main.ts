import { parseArgs } from 'node:util';
import { startClickHouse } from '../support/clickhouse-server.ts';
import { storm } from './storm-run.ts';

/*
 * npx tsx test/promises/storm-main.ts [--seconds 60] [--kills 10] [--seed S] [--merciless]
 *
 * Rotation storms of 20, 50 and 200 ms. With --merciless a file goes when there are five, whether anybody has seen it or not: on a machine that does nothing else.
 * Exit 1 when a line is lost or stored twice.
 */

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    kills: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    merciless: { type: 'boolean', default: false },
  },
});
const seed = Number(values.seed);
const server = await startClickHouse();
let failed = false;
for (const period_ms of [20, 50, 200]) {
  const rotations = Math.ceil((Number(values.seconds) * 1000) / period_ms);
  const options = { seed, period_ms, rotations, kills: Number(values.kills), merciless: values.merciless, server };
  const verdict = await storm(options);
  process.stdout.write(`seed ${seed}, ${rotations} rotations every ${period_ms} ms: ${JSON.stringify(verdict)}\n`);
  failed ||= verdict.lost + verdict.twice + verdict.dead_letters > 0;
}
await server.stop();
process.exit(failed ? 1 : 0);
