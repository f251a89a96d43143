import { compileEvents, type CustomEvents, type EventOptions } from '../../../src/dialects/custom/index.ts';
import { decode, type How, type Outcome } from '../../support/decode.ts';

/** An event as a user may describe it: every kind of option. */
export const EPOCH = {
  match: { event: 'epoch_done', v: [1, 2] },
  kind: 'step',
  schema: {
    type: 'object',
    required: ['name', 'took_ms'],
    properties: { name: { type: 'string' }, took_ms: { type: 'number', minimum: 0 } },
  },
  fields: {
    step: 'name',
    wall_time_s: { key: 'took_ms', unit: 'ms' },
    ts: { key: 'at', unit: 'ms' },
    status: { key: 'ok', values: { true: 'success', false: 'error' } },
    project: { const: 'recommender' },
  },
  labels: ['model', { data: 'meta.dataset' }],
  privacy: { mask: ['email'] },
} satisfies EventOptions;

/** 2026-02-19T11:59:59.250Z. */
const AT = 1_771_502_399_250;

export const epoch = (values: Readonly<Record<string, unknown>> = {}): string =>
  JSON.stringify({ event: 'epoch_done', v: 1, name: 'epoch', took_ms: 1001, at: AT, ok: true, ...values });

export function compiled(...options: readonly EventOptions[]): CustomEvents {
  return compileEvents(Object.fromEntries(options.map((each, n) => [n === 0 ? 'epoch' : `other${n}`, each])));
}

/** What lines become under the described events. */
export function read(
  lines: string | Buffer,
  options: EventOptions | readonly EventOptions[] = EPOCH,
  how: How = {},
): Outcome {
  const events = compiled(
    ...(Array.isArray(options) ? (options as readonly EventOptions[]) : [options as EventOptions]),
  );
  return decode(lines, { events, ...how });
}
