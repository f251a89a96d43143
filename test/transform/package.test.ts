import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TRACEBACK } from './parts.ts';

const run = promisify(execFile);
const TSC = join(process.cwd(), 'node_modules/typescript/bin/tsc');

/** A project that has installed the package as npm packs it. */
let project = '';

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'steptap-package-'));
  const modules = join(project, 'node_modules');
  await mkdir(join(modules, 'steptap'), { recursive: true });
  const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', project]);
  const [packed] = JSON.parse(stdout) as { filename: string }[];
  await run('tar', ['xzf', join(project, packed!.filename), '-C', join(modules, 'steptap'), '--strip-components', '1']);
  const ours = await realpath('node_modules');
  for (const name of await readdir(ours)) {
    if (!name.startsWith('.') && name !== 'steptap') await symlink(join(ours, name), join(modules, name));
  }
  await writeFile(join(project, 'package.json'), '{"name": "consumer", "type": "module"}');
});

afterAll(async () => {
  await rm(project, { recursive: true, force: true });
});

const node = async (script: string, input = ''): Promise<{ stdout: string; stderr: string }> => {
  await writeFile(join(project, 'script.mjs'), script);
  const running = run(process.execPath, ['script.mjs'], { cwd: project, timeout: 20_000 });
  running.child.stdin!.end(input);
  return running;
};

test('a typed program of somebody else compiles against it, and one with mistakes does not', async () => {
  const good = `
    import { createReadStream } from 'node:fs';
    import { Writable } from 'node:stream';
    import { pipeline } from 'node:stream/promises';
    import split2 from 'split2';
    import { stepEvents, stepEventsOfLines, type Event, type EventOptions, type EventStream, type Rejection } from 'steptap';
    const options: EventOptions = { constants: { namespace: 'ml' }, privacy: { mask: ['token'] }, logs: false };
    const source = createReadStream('pod.log');
    for await (const event of source.pipe(stepEvents(options))) {
      const kind: 'step' | 'log' | 'error' | 'task' | 'run' | 'resource' | 'custom' = event.kind;
      if (event.kind === 'step') { const step: string = event.step; const took: number | undefined = event.wall_time_s; }
    }
    const stream: EventStream = stepEventsOfLines();
    stream.on('data', (event) => { const ts: string = event.ts; })
      .on('rejection', (rejection) => { const raw: Buffer = rejection.raw; const { offset }: Rejection = rejection; })
      .once('error', (error) => error.message)
      .on('unpipe', () => undefined);
    const piping = pipeline(source, split2(), stream);
    for await (const { pod } of stream) pod?.length;
    await piping;
    await pipeline(source, stepEvents(), async (events) => {
      for await (const event of events) { const { ts }: Event = event; }
    });
    await pipeline(source, stepEvents(), new Writable({ objectMode: true }));
  `;
  await writeFile(join(project, 'good.ts'), good);
  const bad = `
    import { stepEvents } from 'steptap';
    stepEvents({ timezon: 'UTC' });
    stepEvents().on('rejection', (rejection) => rejection.row);
    for await (const event of stepEvents()) event.wall_time_s;
    import 'steptap/dist/decode.js';
  `;
  await writeFile(join(project, 'bad.ts'), bad);
  const tsc = [
    '--noEmit',
    '--strict',
    '--module',
    'nodenext',
    '--target',
    'es2023',
    '--types',
    'node',
    '--skipLibCheck',
  ];
  const options = { cwd: project };
  await run(process.execPath, [TSC, ...tsc, '--skipLibCheck', 'false', 'good.ts'], options);
  const failed = await run(process.execPath, [TSC, ...tsc, 'bad.ts'], options).catch(
    (error: { stdout: string }) => error,
  );
  expect(failed.stdout.match(/^bad\.ts\(\d+/gm)).toEqual(['bad.ts(3', 'bad.ts(4', 'bad.ts(5', 'bad.ts(6']);
}, 120_000);

test('nothing but its events is public', async () => {
  const { stdout } = await node(`
    import * as steptap from 'steptap';
    const inner = await import('steptap/dist/decode.js').catch(({ code }) => code);
    console.log(Object.keys(steptap).join(), inner);
  `);
  expect(stdout).toBe('stepEvents,stepEventsOfLines ERR_PACKAGE_PATH_NOT_EXPORTED\n');
});

test('the example of the package runs as it is written', async () => {
  const example = await readFile(join(project, 'node_modules/steptap/pipelines/examples/slow-steps.mjs'), 'utf8');
  const { stdout, stderr } = await node(example, await readFile('test/fixtures/flyte-samples.log', 'utf8'));
  expect(stdout.split('\n').slice(0, 2)).toEqual(['    29.0 s  task_dispatch_execute', '    28.4 s  run_task']);
  expect(stderr.split('\n')[0]).toBe(
    "line at offset 13150: schema: the step must have required property 'process_time_s'",
  );
});

test.each(['', 'stream.destroy();'])(
  'a program that has nothing else to do ends, with a traceback open in a stream that nobody ended: %j',
  async (then) => {
    const { stdout } = await node(`
      import { stepEvents } from 'steptap';
      const stream = stepEvents();
      stream.resume();
      stream.write(${JSON.stringify(TRACEBACK)}, () => { setImmediate(() => {
        ${then}
        process.on('exit', () => console.log(process.getActiveResourcesInfo().filter((each) => each === 'Timeout').length));
      }); });
    `);
    expect(stdout).toBe('0\n');
  },
);
