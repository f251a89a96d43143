import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { Decoder } from '../../src/decode.ts';
import { eventLine, taskLine } from '../dialects/rhapsody/lines.ts';
import { OPTIONS, source, stepLine, StillClock } from '../support/decode.ts';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

function used(): number {
  gc();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Lines of 200 kB each, 40 MB in all: kept, they would be seen. */
const LINES = 200;
const LARGE = 200_000;

/** What propeller says, with this context. */
function service(json: Readonly<Record<string, string>>): string {
  return JSON.stringify({ json, level: 'info', msg: 'x', ts: '2026-02-19T10:30:38Z' });
}

function again(line: string): string {
  return `${line}\n${line}`;
}

describe('Lines that have been read leave nothing large behind', () => {
  const large = (n: number): string => JSON.stringify(`${n} ${'x'.repeat(LARGE)}`);

  test.each<[string, (n: number) => string]>([
    ['names of steps', (n) => stepLine({ step: large(n) })],
    ['names of executions', (n) => stepLine({ execution_id: large(n) })],
    ['names of tasks, which are labels', (n) => stepLine({ task_name: large(n) })],
    ['names of tasks with escapes', (n) => stepLine({ task_name: large(n).replace('x', String.raw`\u00e9`) })],
    [
      'URIs',
      (n) =>
        stepLine({
          step: `"Upload data to s3://m/metadata/propeller/ml-production-a/${large(n).slice(1, -1)}/data/0"`,
        }),
    ],
    ['failed steps', (n) => stepLine({ status: `"error", "error_type": ${large(n)}`, execution_id: large(n) })],
    [
      'pods',
      (n) =>
        `{"date": 1771497044.5, "log": "x", "kubernetes": {"pod_name": ${large(n)}, "labels": {"app": ${large(n)}}}}`,
    ],
    [
      'lines that are never finished',
      (n) => `{"date": 1771497044.5, "log": ${large(n)}, "_p": "P", "kubernetes": {"pod_name": "p${n}"}}`,
    ],
    ['stacks', (n) => `[pod/p${n}/c] Traceback (most recent call last):\n[pod/p${n}/c]   ${large(n)}`],
    ['executions of propeller', (n) => service({ exec_id: JSON.parse(large(n)) as string })],
    ['what propeller says again', (n) => again(service({ exec_id: `a${n}`, src: JSON.parse(large(n)) as string }))],
    [
      'runs of Flyte 2',
      (n) => `{"logger": "flyte", "funcName": "f", "run_name": ${large(n)}, "action_name": ${large(n)}}`,
    ],
    ['tasks of RHAPSODY', (n) => taskLine('TaskStarted', { task_id: large(n), attributes: { executable: large(n) } })],
    ['sessions of RHAPSODY', (n) => `[pod/p${n}/c] ${eventLine('SessionStarted', { session_id: large(n) })}`],
    ['types of events', (n) => eventLine(large(n))],
    [
      'deliveries of Orchest',
      (n) => `{"uuid": ${large(n)}, "type": "project:created", "timestamp": "2022-06-02 16:12:25"}`,
    ],
    ['timings', (n) => `[pod/p${n}/c] [flytekit] ${large(n).slice(1, -1)}. [Time: 1.000000s]`],
  ])('%s', (_, line) => {
    const clock = new StillClock();
    const decoder = new Decoder(source, { ...OPTIONS, repeats: { most: 1, window_s: 60 } }, clock);
    const before = used();
    for (let n = 0; n < LINES; n++) {
      decoder.feed({ bytes: Buffer.from(`${line(n)}\n`), offset: 0 });
      clock.pass(20);
    }
    expect((used() - before) / (1 << 20)).toBeLessThan(50);
    const remembered = [...decoder.state].reduce((sum, [key, value]) => sum + key.length + value.length, 0);
    expect(remembered).toBeLessThan(1 << 20);
    // Alive until here.
    decoder.flush('all');
  });
});
