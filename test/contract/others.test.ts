import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { createFilesSink } from '../../src/sinks/files/index.ts';
import { createPrometheusSink, StepRegistry } from '../../src/sinks/prometheus/index.ts';
import { createStdoutSink } from '../../src/sinks/stdout/index.ts';
import { streamed } from '../../src/sinks/stdout/output.ts';
import { runCases, sinkCases, type Bench } from './sink-contract.ts';

async function startFiles(): Promise<Bench> {
  const directory = await mkdtemp(join(tmpdir(), 'steptap-files-'));
  const sink = createFilesSink({ name: 'files', directory, tables: ['steps', 'logs'], max_file_bytes: 900 });
  return {
    sink,
    async stored() {
      const times = new Map<string, number>();
      for (const name of await readdir(directory)) {
        const text = await readFile(join(directory, name), 'utf8');
        for (const line of text.split('\n').slice(0, -1)) {
          const { step } = JSON.parse(line) as { step: string };
          times.set(step, (times.get(step) ?? 0) + 1);
        }
      }
      return times;
    },
    stop: () => rm(directory, { recursive: true, force: true }),
  };
}

async function startPrometheus(): Promise<Bench> {
  const registry = new StepRegistry();
  const sink = createPrometheusSink({ registry, workflow_label: false, steps: [] });
  return {
    sink,
    async stored() {
      const times = new Map<string, number>();
      for (const [, step, count] of (await registry.metrics()).matchAll(
        /_count\{[^}]*\bstep="([^"]*)"[^}]*\} (\d+)/g,
      )) {
        times.set(step!, Number(count));
      }
      return times;
    },
    async stop() {
      registry.clear();
    },
  };
}

/** A reader at the other end of a pipe, who reads along. */
async function startStdout(): Promise<Bench> {
  const pipe = new PassThrough();
  let text = '';
  pipe.on('data', (bytes: Buffer) => (text += bytes.toString('utf8')));
  return {
    sink: createStdoutSink(streamed(pipe, 'a pipe')),
    async stored() {
      const times = new Map<string, number>();
      for (const line of text.split('\n').slice(0, -1)) {
        const { step } = JSON.parse(line) as { step: string };
        times.set(step, (times.get(step) ?? 0) + 1);
      }
      return times;
    },
    async stop() {
      pipe.destroy();
    },
  };
}

runCases('files', sinkCases({ name: 'files', start: startFiles }));
runCases('stdout', sinkCases({ name: 'stdout', start: startStdout }));
runCases('prometheus', sinkCases({ name: 'prometheus', start: startPrometheus }));
