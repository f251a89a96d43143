import { createHash } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import type { Truth } from './lines.ts';

/*
 * Events of one AsyncFlow session as RHAPSODY's writer writes them: six a task, in AsyncFlow's order, in workflows of four tasks of which each depends on the one before, and the events of
 * sixteen workflows among each other. One task in fifty fails, which changes nothing for the others. The same lines on any machine.
 */

const SESSION = 'asyncflow.session.5e0a17c4';
const TRACE = '0x7d3f0c2b9a4e61d8a05b11c94e2f8037';
const STAGES = ['load', 'preprocess', 'train', 'evaluate'];
const STEPS = [
  'TaskCreated',
  'asyncflow.TaskResolved',
  'TaskQueued',
  'TaskSubmitted',
  'TaskStarted',
  'TaskCompleted',
] as const;
/** Tasks whose events lie among each other. */
const TOGETHER = 64;
const START_US = 1_781_613_000_145_000;
const WRITE_BYTES = 1 << 20;

/** Writes the events of so many tasks as are in `lines` lines to a file. */
export function writeSession(path: string, lines: number): Truth {
  const tasks = Math.floor(lines / STEPS.length);
  const file = openSync(path, 'w');
  let text = '';
  let bytes = 0;
  let wall_ms = 0;
  let errors = 0;
  const put = (): void => void (bytes += writeSync(file, text, undefined, 'latin1'));
  for (let first = 0, n = 0; first < tasks; first += TOGETHER) {
    for (const step of STEPS) {
      for (let task = first; task < Math.min(first + TOGETHER, tasks); task++) {
        const fails = task % 50 === 17;
        const ms = step === 'TaskCompleted' ? (task * 7919) % 60_000 : undefined;
        text += eventLine(n++, task, fails && ms !== undefined ? 'TaskFailed' : step, ms);
        wall_ms += ms ?? 0;
        if (fails && ms !== undefined) errors += 1;
      }
      if (text.length < WRITE_BYTES) continue;
      put();
      text = '';
    }
  }
  put();
  closeSync(file);
  const events = tasks * STEPS.length;
  return { lines: events, bytes, steps: events, wall_ms, errors, split: 0 };
}

function eventLine(n: number, task: number, type: string, ms: number | undefined): string {
  const us = START_US + n * 137;
  const workflow = Math.floor(task / STAGES.length);
  const stage = task % STAGES.length;
  const created = type === 'TaskCreated';
  const depends_on = created ? `"depends_on": [${stage === 0 ? '' : `"${taskId(task - 1)}"`}], ` : '';
  const duration = ms === undefined ? '' : `, "duration_seconds": ${ms / 1000}`;
  const error = type === 'TaskFailed' ? ', "error_type": "unknown"' : '';
  return (
    `{"event_id": "${hex(`event ${n}`, 32)}", "event_type": "${type}", "event_time": ${us / 1e6}, "emit_time": ${(us + 10) / 1e6}, ` +
    `"session_id": "${SESSION}", "backend": "concurrent", "task_id": "${taskId(task)}", "node_id": null, ` +
    `"attributes": {"executable": "${STAGES[stage]}", "task_type": "function", ${depends_on}"asyncflow.workflow_id": "wf-${hex(`workflow ${workflow}`, 8)}"}` +
    `${duration}${error}, "trace_id": "${TRACE}", "span_id": "0x${hex(`task ${task}`, 16).replace(/^0+/, '')}", "name": "${type}", "section": "event"}\n`
  );
}

function taskId(task: number): string {
  return `task.${String(task + 1).padStart(6, '0')}`;
}

function hex(text: string, digits: number): string {
  return createHash('md5').update(text).digest('hex').slice(0, digits);
}
