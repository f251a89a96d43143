import type { Origin } from '../../origin.ts';
import type { Line } from '../dialect.ts';
import type { Times } from '../when.ts';
import { LONGEST_KEPT } from '../flytekit/compose.ts';
import { isObject } from './base.ts';
import type { About, Common, Commons } from './common.ts';
import { headOf, type Head, type Kind, type Said, type Status } from './compose.ts';
import { spanId, traceId } from './ids.ts';
import type { Reading } from './reading.ts';
import { RESOURCE_COLUMNS, resourceColumns } from './resource.ts';

interface EventType {
  readonly head: Head;
  /** What it is about has ended, and `duration_seconds` is how long it took. */
  readonly ends: boolean;
}

function type(event: string, kind: Kind, status: Status = '', ends = false): [string, EventType] {
  return [event, { head: headOf(event, kind, status), ends }];
}

/** Those of RHAPSODY and AsyncFlow; of every other type its own fields say all there is. A session that ends says nothing of how. */
const TYPES: ReadonlyMap<unknown, EventType> = new Map([
  type('SessionStarted', 'run', 'running'),
  type('SessionEnded', 'run', '', true),
  type('TaskCreated', 'task'),
  type('asyncflow.TaskResolved', 'task'),
  type('TaskQueued', 'task'),
  type('TaskSubmitted', 'task'),
  type('TaskStarted', 'task', 'running'),
  type('TaskCompleted', 'task', 'success', true),
  type('TaskFailed', 'task', 'error', true),
  type('TaskCanceled', 'task', 'canceled', true),
  type('ResourceUpdate', 'resource'),
]);

const CUSTOM: EventType = { head: headOf('', 'custom', ''), ends: false };
const NONE: readonly string[] = [];

/** True for those; no pipeline declares them. */
export function isBuiltIn(event: unknown): boolean {
  return TYPES.has(event);
}

const BASE = [
  'event_type',
  'event_time',
  'session_id',
  'backend',
  'task_id',
  'node_id',
  'trace_id',
  'span_id',
  'name',
  'section',
];
const OTHER: ReadonlySet<string> = new Set(BASE);
const RESOURCE: ReadonlySet<string> = new Set([...BASE, ...RESOURCE_COLUMNS]);
const ENDED: ReadonlySet<string> = new Set([...BASE, 'duration_seconds', 'error_type']);
const WORKFLOW = 'asyncflow.workflow_id';
const INNER: ReadonlySet<string> = new Set([WORKFLOW]);
const INNER_OF_TASK: ReadonlySet<string> = new Set([
  WORKFLOW,
  'executable',
  'depends_on',
  'target_backend',
  'error_type',
]);

/** Tasks whose events are among each other; past this many the table is emptied. */
const MOST_TASKS = 8_192;

/** What the last line of a task said, and what it came to. */
interface Known {
  readonly said: readonly unknown[];
  readonly common: Common;
}

/** Reads events whose base fields are as they must be. */
export class Events {
  readonly #commons: Commons;
  readonly #times: Times;
  #tasks = new WeakMap<Origin, Map<unknown, Known>>();
  #count = 0;

  constructor(commons: Commons, times: Times) {
    this.#commons = commons;
    this.#times = times;
  }

  read(reading: Reading, line: Line): Said {
    const { value } = reading;
    const { head, ends } = TYPES.get(value['event_type']) ?? CUSTOM;
    const { kind, status } = head;
    const task = kind === 'task';
    const event = reading.text('event_type');
    const when = reading.when('event_time', line.time, this.#times);
    const wall_time_s = ends ? duration(reading) : '';
    const common = this.#common(reading, line.origin, task);
    const error_type = task && ends ? errorType(reading) : '';
    const depends_on = task ? reading.innerTexts('depends_on') : NONE;
    const resources = kind === 'resource' ? resourceColumns(reading) : '';
    // The writer's own marks say nothing more; where one says something else, a field of the event's own has its name.
    if (value['section'] !== 'event') reading.leave('section');
    if (value['name'] !== value['event_type']) reading.leave('name');
    if (ends && !task) reading.leave('error_type');
    const taken = kind === 'resource' ? RESOURCE : ends ? ENDED : OTHER;
    return {
      when,
      head: head !== CUSTOM.head && event === value['event_type'] ? head : headOf(event, kind, status),
      common,
      start_us: wall_time_s === '' ? Number.NaN : when.us - Math.round(Number(wall_time_s) * 1e6),
      wall_time_s,
      error_type,
      depends_on,
      resources,
      attributes: reading.attributes(taken, task ? INNER_OF_TASK : INNER),
    };
  }

  /** The events of a task nearly all say the same of it: that is read and settled once. */
  #common(reading: Reading, origin: Origin, task: boolean): Common {
    const { value, inner, leaves } = reading;
    const { task_id } = value;
    let all = this.#tasks.get(origin);
    const known = all?.get(task_id);
    const said = [task, value['session_id'], value['backend'], value['node_id'], value['trace_id'], value['span_id']];
    said.push(inner['executable'], inner[WORKFLOW], inner['target_backend']);
    if (known !== undefined && said.every((each, n) => each === known.said[n])) return known.common;
    const common = this.#commons.make(aboutOf(reading, task), origin);
    const { before, after } = common;
    if (reading.leaves !== leaves || reading.told || before.length + after.length > LONGEST_KEPT) return common;
    if (this.#count >= MOST_TASKS) {
      this.#tasks = new WeakMap();
      this.#count = 0;
      all = undefined;
    }
    if (all === undefined) this.#tasks.set(origin, (all = new Map()));
    if (known === undefined) this.#count += 1;
    all.set(task_id, { said, common });
    return common;
  }
}

function aboutOf(reading: Reading, task: boolean): About {
  // Where there are several backends it is the one that the task goes to; `backend` is then the default one, in all of its events.
  const target = task ? reading.innerText('target_backend') : '';
  return {
    task: task ? executable(reading) : '',
    node_id: reading.text('node_id'),
    task_id: reading.text('task_id'),
    session_id: reading.text('session_id'),
    workflow_id: reading.innerText(WORKFLOW),
    backend: target || reading.text('backend'),
    trace_id: reading.id('trace_id', traceId),
    span_id: reading.id('span_id', spanId),
    parent_span_id: '',
  };
}

/** How long it took; not where nobody saw it start: that is then written as 0. */
function duration(reading: Reading): string {
  const { attributes } = reading.value;
  if (!isObject(attributes) || attributes['incomplete_lifecycle'] !== true) return reading.figure('duration_seconds');
  reading.leave('duration_seconds');
  return '';
}

/** The class of the exception, where one of the two places says more than that there was one. */
function errorType(reading: Reading): string {
  const said = reading.text('error_type');
  const { inner } = reading;
  if (said !== '' && (said !== 'unknown' || typeof inner['error_type'] !== 'string')) {
    if (inner['error_type'] !== said) reading.leaveInner('error_type');
    return said;
  }
  return reading.innerText('error_type') || said;
}

/** A function without a name is written as None. */
export function executable(reading: Reading): string {
  const name = reading.innerText('executable');
  return name === 'None' ? '' : name;
}
