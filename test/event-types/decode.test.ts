import { expect, test } from 'vitest';
import { createPrometheusSink, StepRegistry } from '../../src/sinks/prometheus/index.ts';
import { decode } from '../support/decode.ts';
import { partOf } from '../support/rows.ts';
import { FRAMEWORK, types } from './parts.ts';

/** An event as RHAPSODY writes it. */
function line(event_type: string, fields: string): string {
  const base = `"event_id": "1", "event_type": "${event_type}", "event_time": 1781613000.5, "emit_time": 1781613000.5`;
  return `{${base}, "session_id": "s", "backend": "b", "task_id": null, "node_id": null, "attributes": {}${fields}}\n`;
}

const CHECKPOINT = 'myframework.ModelCheckpoint';

test('columns stand behind all others, and a key that has become one is no attribute', () => {
  const { rows } = decode(line(CHECKPOINT, ', "loss": 0.410, "note": "x"'), { types: types(FRAMEWORK) });
  expect(rows[0]!.text).toMatch(
    /"attributes":\{[^}]*"note":"x"\},"checkpoint_step":-1,"loss":0.410,"elapsed_s":0.0,"final":false\}$/,
  );
  expect(rows[0]!.fields['attributes']).not.toHaveProperty('loss');
});

test('what becomes of an event that nobody declares is as the pipeline says', () => {
  const other = line('my.Other', ', "x": 1');
  const of = (unknown: 'accept' | 'log' | 'reject'): ReturnType<typeof decode> =>
    decode(other + line('TaskStarted', ''), { types: types(FRAMEWORK, unknown) });
  expect(of('accept').events).toMatchObject([{ event: 'my.Other', attributes: { x: '1' } }, { event: 'TaskStarted' }]);
  const logged = of('log');
  expect(logged.logs).toMatchObject([{ kind: 'log', attributes: { event_type: 'my.Other' } }]);
  expect(logged.events).toHaveLength(1);
  const refused = of('reject');
  expect(refused.rejections).toMatchObject([{ reason: 'unknown_event', dialect: 'rhapsody' }]);
  expect(refused.events).toHaveLength(1);
});

test('without a pipeline that says anything all of it is an attribute', () => {
  expect(decode(line('my.Other', ', "x": 1')).events).toMatchObject([{ attributes: { x: '1' } }]);
});

test('the rules of a type hold in its columns, its attributes, its dead letters and in what is left of its lines', () => {
  const CANARY = 'ada@example.org';
  const of = types('a.Login: { fields: { user: str, n: int }, privacy: { mask: [user, mail] } }');
  const good = line('a.Login', `, "user": "${CANARY}", "mail": "${CANARY}", "n": 1`);
  const wrong = line('a.Login', `, "user": "${CANARY}", "mail": "${CANARY}", "n": "x"`);
  const { rows, events, rejections } = decode(good + wrong + wrong.slice(0, -9) + `\n${wrong.slice(100)}`, {
    types: of,
  });
  expect(events).toMatchObject([{ user: '***', attributes: { mail: '***' } }]);
  expect(rejections.map(({ reason }) => reason)).toEqual(['schema', 'json_syntax']);
  expect(rows.map(({ text }) => text).join('\n')).not.toContain(CANARY);
});

test('names of labels without end are folded, and what is not finite is not observed', async () => {
  const registry = new StepRegistry();
  const of = types(`
a.B:
  fields: { took_s: float, model: str }
  conditions: { slow: took_s > 100 }
  histogram: { field: took_s, buckets: [1, 10], labels: [model] }`);
  const sink = createPrometheusSink({ registry, workflow_label: false, steps: [], max_series: 10, events: of.metrics });
  const lines = Array.from({ length: 50 }, (_, n) => line('a.B', `, "took_s": ${n}, "model": "m${n}"`));
  const more = ['Infinity', '-Infinity', 'NaN', 'null'].map((took) => line('a.B', `, "took_s": ${took}`));
  const { rows } = decode([...lines, ...more].join(''), { types: of });
  await sink.send(
    partOf(
      rows.map(({ text }) => text),
      { table: 'events' },
    ),
    new AbortController().signal,
  );
  const text = await registry.metrics();
  const counts = [...text.matchAll(/^steptap_event_a_b_took_seconds_count\{model="(.*)"\} (\d+)$/gm)];
  expect(counts.length).toBeLessThanOrEqual(10);
  expect(counts.reduce((sum, [, , count]) => sum + Number(count), 0)).toBe(50);
  expect(text).toContain('steptap_event_a_b_took_seconds_bucket{le="1",model="m3"} 0');
  expect(text).toContain('steptap_event_conditions_total{event="a.B",condition="slow"} 1');
  expect(text).toMatch(/steptap_label_overflow_total\{metric="steptap_event_a_b_took_seconds",label="model"\} 4\d/);
});
