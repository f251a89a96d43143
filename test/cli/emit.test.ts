import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startClickHouse } from '../support/clickhouse-server.ts';
import { FRAMEWORK } from '../event-types/parts.ts';
import { Home } from './parts.ts';

const home = new Home();
const PIPELINE = `event_types:\n  ${FRAMEWORK.trim().replaceAll('\n', '\n  ')}\n`;
const CHECKPOINT = 'myframework.ModelCheckpoint';

/** The samples of the metrics of events, as they are served. */
async function samples(url: string): Promise<string[]> {
  const text = await (await fetch(url)).text();
  return text.split('\n').filter((line) => /^steptap_event_[^_]/.test(line) && !line.includes('_bucket{le="0.'));
}

/** Waits until they say it. */
async function until(url: string, line: string): Promise<string[]> {
  for (;;) {
    const now = await samples(url);
    if (now.includes(line)) return now;
  }
}

test('what emit writes is stored in typed columns that a run adds, counted and observed, over a restart too', async () => {
  const clickhouse = await startClickHouse();
  try {
    const sinks = `sinks: { clickhouse: { urls: ['${clickhouse.url}'] }, prometheus: { listen: '127.0.0.1:0' } }\n`;
    await writeFile(join(home.path, 'plain.yaml'), sinks);
    await writeFile(join(home.path, 'p.yaml'), PIPELINE + sinks);
    // Tables of a pipeline that declared nothing.
    const before = await home.start(['ddl', '--apply', '-c', 'plain.yaml'], { input: '' }).ended;
    expect([before.code, before.stderr.includes('error')]).toEqual([0, false]);

    const emit = ['emit', '-c', 'p.yaml', CHECKPOINT, '--time', '2026-02-19T10:30:44.5Z', '--session', 's1'];
    const given = ['step=7', 'metric=acc', 'elapsed_s=2', 'run=r"1', 'shape:=[1, 2]'];
    const { code, stdout: line } = await home.start([...emit, ...given], { input: '' }).ended;
    expect(code).toBe(0);

    const cli = home.start(['-c', 'p.yaml']);
    const url = String((await cli.said(/^reading stdin/))['metrics']);
    expect(await samples(url)).toEqual([
      'steptap_event_conditions_total{event="myframework.ModelCheckpoint",condition="poor"} 0',
      'steptap_event_conditions_total{event="myframework.ModelCheckpoint",condition="last"} 0',
    ]);
    await cli.write(line + line.replace('"loss": Infinity', '"loss": 0.25').replace('"step": 7', '"step": -8'));
    await cli.write(line.replace('"step": 7', '"step": "7"'));
    const counted = await until(
      url,
      'steptap_event_myframework_model_checkpoint_elapsed_seconds_count{metric="acc"} 2',
    );
    expect(counted).toContain('steptap_event_myframework_model_checkpoint_elapsed_seconds_sum{metric="acc"} 4');
    expect(counted).toContain('steptap_event_conditions_total{event="myframework.ModelCheckpoint",condition="poor"} 1');
    cli.end();
    expect((await cli.ended).code).toBe(0);

    const columns = 'checkpoint_step, loss, metric, elapsed_s, final, shape, run, conditions, ts';
    const rows = await clickhouse.query(`SELECT ${columns} FROM events ORDER BY checkpoint_step FORMAT TSV`);
    expect(rows.trimEnd().split('\n')).toEqual([
      '-8\t0.25\tacc\t2\tfalse\t[1, 2]\tr"1\t[]\t2026-02-19 10:30:44.500000',
      "7\tinf\tacc\t2\tfalse\t[1, 2]\tr\"1\t['poor']\t2026-02-19 10:30:44.500000",
    ]);
    const about = "SELECT type, comment FROM system.columns WHERE table = 'events' AND name = 'loss' FORMAT TSV";
    expect(await clickhouse.query(about)).toBe(
      'Nullable(Float64)\tLoss on the validation set; myframework.ModelCheckpoint\n',
    );

    const again = home.start(['-c', 'p.yaml']);
    const later = String((await again.said(/^reading stdin/))['metrics']);
    await again.write(line);
    expect(
      await until(later, 'steptap_event_conditions_total{event="myframework.ModelCheckpoint",condition="poor"} 2'),
    ).toContain('steptap_event_myframework_model_checkpoint_elapsed_seconds_count{metric="acc"} 3');
    again.end();
    expect((await again.ended).code).toBe(0);
    const letters = await home.rows('steptap-data', 'dead-letters');
    expect(letters).toMatchObject([
      { reason: 'schema', dialect: 'rhapsody', detail: `${CHECKPOINT}: step must be a whole number of 64 bits` },
    ]);
  } finally {
    await clickhouse.stop();
  }
}, 120_000);

test('an event of a type that the pipeline does not declare is refused, and told which was meant', async () => {
  await writeFile(join(home.path, 'p.yaml'), PIPELINE);
  const { code, stdout, stderr } = await home.start(['emit', '-c', 'p.yaml', `${CHECKPOINT}s`], { input: '' }).ended;
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toBe(
    `steptap: ${CHECKPOINT}s: no such event type is declared; did you mean myframework.ModelCheckpoint?\n`,
  );
});

test('a time that no store could hold is refused', async () => {
  const emit = ['emit', 'my.Event', '--time', '1969-12-31T23:59:59.5Z'];
  const { code, stdout, stderr } = await home.start(emit, { input: '' }).ended;
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toBe('steptap: --time 1969-12-31T23:59:59.5Z: write 2026-02-19T10:30:44Z or seconds since 1970\n');
});
