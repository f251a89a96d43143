import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { StepRows } from '../../src/tasks/step-rows.ts';
import { decode, stepLine } from '../support/decode.ts';

/** What a row has beside what is said to be left out. */
function whole(text: string): Record<string, unknown> {
  const {
    ts: _,
    ts_start: _start,
    step_raw: _raw,
    step_target: _target,
    ...rest
  } = JSON.parse(text) as Record<string, unknown>;
  return rest;
}

test('a row that is read in part says what the whole row says', () => {
  const own = [
    stepLine({ step: '"größer"', auc: 'NaN', big: '12345678901234567890' }),
    stepLine({ status: '"error"', error_type: '"ValueError"' }),
    stepLine({ params: JSON.stringify(JSON.stringify({ a: '"x"' })) }),
    stepLine({ step: '"a \\"quoted\\" one"' }),
  ];
  const { rows } = decode(`${readFileSync('test/fixtures/flyte-samples.log', 'latin1')}\n${own.join('\n')}\n`);
  const steps = new StepRows();
  let read = 0;
  for (const { table, text } of rows) {
    if (table !== 'steps') continue;
    const found = steps.read(Buffer.from(`${text}\n`).toString('latin1'));
    if (found === undefined) continue;
    read += 1;
    const { process_time_s, ...fields } = found.fields;
    expect(process_time_s === undefined ? fields : found.fields).toEqual(whole(text));
    expect(fields).not.toHaveProperty('error_type');
  }
  expect(read).toBeGreaterThan(20);
});

test('rows of one identity share what they say of it', () => {
  const { rows } = decode(`${stepLine()}\n${stepLine({ step: '"b"' })}\n`);
  const steps = new StepRows();
  const [a, b] = rows.map(({ text }) => steps.read(`${text}\n`)!);
  expect(a!.about).toBe(b!.about);
  expect([a!.step, b!.step]).toEqual(['pre_execute', 'b']);
});
