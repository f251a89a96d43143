import { VERSION, type Carry, type FailedCarry, type OpenCarry, type OriginCarry, type PartialCarry } from './carry.ts';
import type { Captured } from './dialects/flytekit/capture.ts';
import type { Failed } from './dialects/flytekit/fast.ts';
import type { Timing } from './dialects/flytekit/timing.ts';
import type { Level } from './dialects/log/level.ts';
import type { OpenStack } from './dialects/log/pending.ts';
import type { StackState } from './dialects/log/stack.ts';
import type { When } from './dialects/when.ts';
import { count, flag, list, number, object, oneOf, optional, pair, shaped, text } from './shape.ts';

const origin = object<OriginCarry>({
  namespace: optional(text),
  pod: optional(text),
  pod_uid: optional(text),
  container: optional(text),
  node: optional(text),
  stream: optional(text),
  labels: optional(list(pair(text))),
  owner: optional(pair(text)),
  env: optional(list(pair(text))),
  k8s_enriched: optional(flag),
});

const partial = object<PartialCarry>({ origin, text, length: count, lines: count, offset: count, time: text });

const when = object<When>({ us: number, from: oneOf<When['from']>('line', 'runtime', 'arrival') });

const state = object<StackState>({
  at: oneOf<StackState['at']>('captured', 'frames', 'raised', 'chained', 'group', 'java', 'go', 'sql', 'told'),
  indent: count,
  prefix: text,
  held: count,
});

const level = oneOf<Level>('TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL');

const stack = object<OpenStack>({
  state,
  when,
  level: optional(level),
  logger: optional(text),
  text,
  lines: count,
  perhaps: list(object({ text, lines: count })),
});

const captured = object<Captured>({
  when,
  messages: count,
  lines: count,
  task: text,
  reason: text,
  kind: oneOf<Captured['kind']>('user', 'system', undefined),
  trace: text,
  tracing: flag,
  blank: count,
});

const timing = object<Timing>({
  when,
  message: text,
  level: optional(level),
  logger: optional(text),
  attributes: list(pair(text)),
  lines: count,
});

const identity = object<Failed['identity']>({ execution_id: text, task: text, task_project: text, task_domain: text });

const carry = object<Carry>({
  v: oneOf(VERSION),
  cut: list(partial),
  recorded: list(partial),
  open: list(
    object<OpenCarry>({
      origin,
      offset: count,
      stack: optional(stack),
      captured: optional(captured),
      timings: optional(list(timing)),
    }),
  ),
  failed: list(object<FailedCarry>({ origin, failed: list(object<Failed>({ identity, ts_us: number })) })),
});

/** The carry in a position; undefined if it is none that this version wrote. */
export function readCarry(value: unknown): Carry | undefined {
  return shaped(carry, value);
}
