import { isOrchests, EVENT_TYPES } from './types.ts';

/** Which of Orchest's ways a payload came. The same event may come on several: they say different things of it, and are told apart. */
export type Way = 'webhook' | 'telemetry' | 'analytics';

/** One event in a line, and where in it. */
export interface Payload {
  readonly way: Way;
  readonly type: string;
  /** The object with the event's own members. */
  readonly event: Readonly<Record<string, unknown>>;
  /** Keys down to `event`: from the line, or from its element of a batch. */
  readonly path: readonly string[];
  /** Beside the event, where its time is: of an envelope. */
  readonly sent?: string | undefined;
}

type Json = Readonly<Record<string, unknown>>;

/** Of a batch of PostHog, 100 at most. */
const MOST_EVENTS = 100;

/**
 * The events of a line; undefined when it is none of Orchest's. That is asked of every line of JSON: the answer must be quick.
 *
 *     {"delivered_for": {"type": "webhook", ...}, "event": {...}}     body of a delivery
 *     {"uuid": ..., "type": "project:created", "timestamp": ...}      its event alone
 *     {"event_properties": {"type": ...}, "derived_properties": ...}  telemetry, as send_event posts it
 *     {"event": ..., "properties": {"event_properties": ...}, ...}    the same in PostHog's envelope, also in a `batch`
 *     {"event": "view:loaded", "properties": {...}}                   what the client posts to /analytics
 */
export function payloadsOf(line: Json): readonly Payload[] | undefined {
  if (Array.isArray(line['batch'])) return batchOf(line['batch']);
  const one = webhook(line) ?? bare(line) ?? telemetry(line, []) ?? envelope(line) ?? analytics(line);
  return one === undefined ? undefined : [one];
}

function webhook(line: Json): Payload | undefined {
  const { delivered_for, event } = line;
  if (!isObject(delivered_for) || !isObject(event) || typeof event['type'] !== 'string') return undefined;
  return { way: 'webhook', type: event['type'], event, path: ['event'] };
}

function bare(line: Json): Payload | undefined {
  const { uuid, type, timestamp } = line;
  if (typeof type !== 'string' || typeof uuid !== 'string' || typeof timestamp !== 'string') return undefined;
  return type.includes(':') && isOrchests(type) ? { way: 'webhook', type, event: line, path: [] } : undefined;
}

function telemetry(data: Json, path: readonly string[], sent?: string): Payload | undefined {
  const { event_properties, derived_properties } = data;
  if (!isObject(event_properties) || !isObject(derived_properties)) return undefined;
  const { type } = event_properties;
  if (typeof type !== 'string' || !isOrchests(type)) return undefined;
  return { way: 'telemetry', type, event: data, path, sent };
}

function envelope(message: Json): Payload | undefined {
  const { event, properties, timestamp } = message;
  if (typeof event !== 'string' || !isObject(properties)) return undefined;
  return telemetry(properties, ['properties'], typeof timestamp === 'string' ? timestamp : undefined);
}

function analytics(line: Json): Payload | undefined {
  const { event, properties, ...more } = line;
  if (typeof event !== 'string' || !EVENT_TYPES.has(event) || Object.keys(more).length > 0) return undefined;
  // The official hook leaves out properties that it was not given.
  if (properties === undefined) return { way: 'analytics', type: event, event: {}, path: ['properties'] };
  return isObject(properties) ? { way: 'analytics', type: event, event: properties, path: ['properties'] } : undefined;
}

/** All of them or none: what else is in a batch of PostHog is not Orchest's. */
function batchOf(batch: readonly unknown[]): readonly Payload[] | undefined {
  if (batch.length === 0 || batch.length > MOST_EVENTS) return undefined;
  const events = batch.map((each) => (isObject(each) ? envelope(each) : undefined));
  return events.every((each): each is Payload => each !== undefined) ? events : undefined;
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
