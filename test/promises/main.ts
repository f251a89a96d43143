import { parseArgs } from 'node:util';
import { controlRun, pieces } from './pieces.ts';

/*
 * npm run promises -- [--kills 200] [--seed S] [--sink model|opensearch] [--no-control] [--no-crash-points]
 *
 * Kills steptap and its sinks over and over while events are written, puts faults between them, and counts what every sink has in the end. From the seed to
 * the plan everything is decided; only the timing is the machine's. Exit 1 when a single event is lost, is there twice or is not whole.
 */

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    sink: { type: 'string', default: 'model' },
    'no-control': { type: 'boolean', default: false },
    'no-crash-points': { type: 'boolean', default: false },
  },
});
if (values.sink !== 'model' && values.sink !== 'opensearch') throw new Error('--sink is model or opensearch');

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const options = { seed: Number(values.seed), search: values.sink, print } as const;
const failures: string[] = [];
if (!values['no-control']) failures.push(...(await controlRun(options)));
failures.push(...(await pieces({ ...options, kills: Number(values.kills), crash_points: !values['no-crash-points'] })));
for (const failure of failures) print(`FAILED: ${failure}`);
print(failures.length === 0 ? 'every promise was kept' : `${failures.length} promises were broken`);
process.exit(failures.length === 0 ? 0 : 1);
