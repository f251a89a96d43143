import { describe, expect, test } from 'vitest';
import { decode, OPTIONS, source, stepLine, StillClock } from '../../support/decode.ts';
import { Decoder } from '../../../src/decode.ts';

const timing = (message: string, ms = 189): string =>
  JSON.stringify({ asctime: `2026-02-19 10:30:44,${ms}`, name: 'flytekit', levelname: 'INFO', message });
const LOADED = { step: '"load_task"', wall_time_s: '1.216551' };
const AT = '2026-02-19T10:30:44.189512345Z stderr F ';

describe('Without telemetry', () => {
  test('a time that flytekit tells in text is a step whose status nobody knows', () => {
    const { steps, logs } = decode(`${AT}[flytekit] Load task. [Time: 1.216204s]\n`);
    expect(logs).toEqual([]);
    expect(steps).toEqual([
      {
        ts: '2026-02-19T10:30:44.189512Z',
        ts_start: '2026-02-19T10:30:42.973308Z',
        dialect: 'flytekit',
        event: 'flytekit_timing',
        kind: 'step',
        step: 'load_task_module',
        step_raw: 'Load task',
        status: 'unknown',
        wall_time_s: 1.216204,
        app: 'flytekit',
        component: 'task',
        stream: 'stderr',
        provenance: 'ts:runtime',
      },
    ]);
  });

  test('each is one, in their order, of however many', () => {
    const names = Array.from({ length: 30 }, (_, n) => `step ${n}`);
    const { rows } = decode(names.map((name) => timing(`${name}. [Time: 0.000005s]`)).join('\n'));
    expect(rows.map(({ fields }) => fields['step_raw'])).toEqual(names);
    expect(new Set(rows.map(({ tuple }) => tuple.step))).toEqual(new Set(['step <n>']));
  });

  test('a URI in the name says which execution it is', () => {
    const uri = 's3://flyte-meta/metadata/propeller/ml-production-a7hzqtz5cm6k2dnm7k2w/n0/data/inputs.pb';
    const { steps } = decode(timing(`Download data to local from ${uri}. [Time: 0.160422s]`));
    expect(steps).toMatchObject([
      { step: 'download_data', step_target: uri, execution_id: 'a7hzqtz5cm6k2dnm7k2w', node_id: 'n0', project: 'ml' },
    ]);
  });

  test.each(['Load task. [Time: 1.2s]', '. [Time: 1.216204s]', 'Load task. [Time: 1.216204s] again', 'Load task'])(
    'a line that only resembles one is a log: %s',
    (message) => {
      const { steps, logs } = decode(timing(message));
      expect(steps).toEqual([]);
      expect(logs).toMatchObject([{ dialect: 'log', message }]);
    },
  );

  test('one of another logger is a log', () => {
    expect(decode('[user_space] Load task. [Time: 1.216204s]').steps).toEqual([]);
  });
});

describe('With telemetry, which the fork prints right behind it', () => {
  test('the step is there once, as telemetry has it, and its timing is a log', () => {
    const { steps, logs } = decode([timing('load_task. [Time: 1.216551s]'), stepLine(LOADED)].join('\n'));
    expect(steps).toMatchObject([{ event: 'flytekit_step', step: 'load_task' }]);
    expect(logs).toMatchObject([{ dialect: 'log', logger: 'flytekit', message: 'load_task. [Time: 1.216551s]' }]);
  });

  test('also with lines of other threads between, and whatever is killed there', () => {
    const lines = [
      timing('load_task. [Time: 1.216551s]'),
      'epoch 1',
      timing('score. [Time: 0.500000s]'),
      '',
      stepLine(LOADED),
      stepLine({ step: '"score"', wall_time_s: '0.5' }),
    ].map((line) => AT + line);
    const text = lines.join('\n');
    const whole = decode(text);
    expect(whole.steps.map(({ event, step }) => [event, step])).toEqual([
      ['flytekit_step', 'load_task'],
      ['flytekit_step', 'score'],
    ]);
    const stops = lines.map((_, n) => lines.slice(0, n + 1).join('\n').length + 1).slice(0, -1);
    const { steps, logs } = decode(text, { stops });
    expect({ steps, logs: new Set(logs) }).toEqual({ steps: whole.steps, logs: new Set(whole.logs) });
  });

  test('a timing whose step was lost is the step', () => {
    const { steps } = decode([timing('lost. [Time: 0.250000s]'), stepLine(LOADED)].join('\n'));
    expect(steps.map(({ event, step }) => [event, step])).toEqual([
      ['flytekit_step', 'load_task'],
      ['flytekit_timing', 'lost'],
    ]);
  });

  test('that of another stream says nothing of it', () => {
    const { steps } = decode([`${AT}${timing('load_task. [Time: 1.216551s]')}`, stepLine(LOADED)].join('\n'));
    expect(steps).toHaveLength(2);
  });
});

test('A timing waits for a second of reading at most', () => {
  const clock = new StillClock();
  const decoder = new Decoder(source, OPTIONS, clock);
  const bytes = Buffer.from(`${timing('load_task. [Time: 1.216551s]')}\n`);
  expect(decoder.feed({ bytes, offset: 0 }).batch.rows).toEqual([]);
  expect(decoder.open).toBe(true);
  for (let n = 0; n < 3; n++) {
    clock.pass(500);
    const { rows } = decoder.flush('quiet').batch;
    expect(rows.map(({ table }) => table)).toEqual(n < 2 ? [] : ['steps']);
  }
  expect(decoder.open).toBe(false);
});

test('With the dialect off they are logs', () => {
  const { steps, logs } = decode(timing('load_task. [Time: 1.216551s]'), { disabled: new Set(['flytekit']) });
  expect([steps.length, logs.length]).toEqual([0, 1]);
});
