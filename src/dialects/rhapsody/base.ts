import type { Written } from './written.ts';

/** What every event has, whoever defined it. */
export const BASE = [
  'event_id',
  'event_type',
  'event_time',
  'emit_time',
  'session_id',
  'backend',
  'task_id',
  'node_id',
  'attributes',
] as const;

const TEXTS = ['event_id', 'event_type', 'session_id'] as const;
const TEXTS_OR_NULL = ['backend', 'task_id', 'node_id'] as const;
const TIMES = ['event_time', 'emit_time'] as const;

export type Value = Readonly<Record<string, unknown>>;

/** True for an event: its writer puts `section` behind it; who has read one and writes it on may have left that out, and then all nine base fields tell it. */
export function isEvent(value: Value): boolean {
  if (!('event_id' in value) || !('event_type' in value)) return false;
  return value['section'] === 'event' || BASE.every((name) => name in value);
}

/** Why it is no event all the same, without its values. A bare NaN is a number to who writes it, and null here. */
export function baseProblem(value: Value, written: Written): string | undefined {
  for (const name of TEXTS) if (typeof value[name] !== 'string' || value[name] === '') return `${name} must be text`;
  for (const name of TIMES) {
    if (typeof value[name] !== 'number' && !isBare(name, value, written)) return `${name} must be a number`;
  }
  for (const name of TEXTS_OR_NULL) {
    const each = value[name];
    if (typeof each !== 'string' && each !== null && each !== undefined) return `${name} must be text or null`;
  }
  return isObject(value['attributes']) ? undefined : 'attributes must be an object';
}

export function isBare(name: string, value: Value, written: Written): boolean {
  return value[name] === null && written.json(name) !== 'null';
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
