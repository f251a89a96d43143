import { closeSync, openSync, writeSync } from 'node:fs';

/*
 * Lines as the containers of flytekit's tasks write them to stderr, behind the CRI prefix. The same lines for the same seed, on any machine.
 *
 * Of 1,000 lines: 10 are no JSON (warnings, tracebacks, progress bars, and 2 steps cut short), 5 are JSON and no step, the others are steps.
 * Of the steps: 2 % are errors, 0.2 % are split in P and F; 1 in 12 is the user's own code and has `params`, of which 1 in 12 are 2 to 4 KB; of the
 * others 1 in 12 ends in a URI and 1 in 10 has members of its own.
 */

/** What is in the lines: the sinks' counts and sums have to be these. */
export interface Truth {
  readonly lines: number;
  readonly bytes: number;
  /** Steps that are whole, so rows and documents. */
  readonly steps: number;
  /** Sum of their `wall_time_s` in milliseconds: they are written with three digits, so that it is exact. */
  readonly wall_ms: number;
  readonly errors: number;
  readonly split: number;
}

const SEED = 42;
const START_MS = Date.UTC(2026, 10, 20, 10, 30, 45);
const WRITE_BYTES = 1 << 20;

/** Name of a step, and the mean of its duration in seconds. */
const STEPS: readonly (readonly [string, number])[] = [
  ['Execute user level code', 30],
  ['download_inputs', 2.5],
  ['upload_outputs', 1.8],
  ['load_task', 0.9],
  ['deserialize_inputs', 0.2],
  ['Translate the output to literals', 0.25],
  ['pre_execute', 0.05],
  ['task_dispatch_execute', 45],
  ['Translate literal to python value', 0.08],
  ['Load task', 4],
  ['write_decks', 0.03],
  ['output_offloading', 0.02],
];
const PROJECTS = ['ml', 'ads', 'search', 'flytesnacks'];
const DOMAINS = ['development', 'staging', 'production'];
const MODULES = ['workflows.etl', 'ml.pipeline', 'core.tasks'];
const VERBS = ['train', 'score', 'extract', 'clean', 'join', 'featurize', 'evaluate', 'export', 'sample', 'index'];
const NOUNS = ['model', 'table', 'images', 'events', 'embeddings'];
const TASKS = NOUNS.flatMap((noun) => VERBS.map((verb, n) => `${MODULES[n % MODULES.length]!}.${verb}_${noun}`));
const ERRORS = [
  'ValueError',
  'KeyError',
  'FlyteAssertion',
  'MemoryError',
  'TimeoutError',
  'FlyteRecoverableException',
  'PermissionError',
  'TypeTransformerFailedError',
];
const NOISE = [
  'Downloading s3://bucket/metadata/propeller/ml-production-f12ab/inputs.pb to /tmp/flyte/inputs.pb',
  '/usr/local/lib/python3.11/site-packages/pandas/core/frame.py:1: FutureWarning: default of observed=False is deprecated',
  'Traceback (most recent call last):',
  '  File "/root/workflow.py", line 42, in train',
  'INFO:botocore.credentials:Found credentials in environment variables.',
  'Epoch 3/10 loss=0.1234 acc=0.9321 [=======>......] 71% eta 00:12',
  '[W socket.cpp:426] warning: The server socket has failed to bind to [::]:29500',
  '{not json at all',
  "tar: Removing leading `/' from member names",
  '2026-11-20 10:30:45,123 - root - WARNING - retrying in 3 s',
];
const PARAM_LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789-_/. ';
const EXECUTIONS = 2_000;

interface Execution {
  readonly id: string;
  readonly project: string;
  readonly domain: string;
  readonly task: string;
}

/** Writes `lines` lines to a file. */
export function writeLines(path: string, lines: number): Truth {
  const file = openSync(path, 'w');
  const source = new LineSource(SEED);
  try {
    let text = '';
    while (source.lines < lines) {
      text += source.next(lines - source.lines);
      if (text.length >= WRITE_BYTES) {
        writeSync(file, text, undefined, 'latin1');
        text = '';
      }
    }
    writeSync(file, text, undefined, 'latin1');
  } finally {
    closeSync(file);
  }
  return source.truth();
}

/** Makes lines one after the other, and remembers what was in them. */
export class LineSource {
  lines = 0;
  #bytes = 0;
  #steps = 0;
  #wall_ms = 0;
  #errors = 0;
  #split = 0;
  #state: number;
  #micros = 0;
  readonly #executions: readonly Execution[];

  constructor(seed: number) {
    this.#state = seed;
    this.#executions = Array.from({ length: EXECUTIONS }, () => ({
      id: `f${Array.from({ length: 19 }, () => this.#below(16).toString(16)).join('')}`,
      project: this.#one(PROJECTS),
      domain: this.#one(DOMAINS),
      task: this.#one(TASKS),
    }));
  }

  /** The next line, or two that belong together if there is `room` for them. */
  next(room: number): string {
    this.#micros += 200 + this.#below(3_600);
    const time = new Date(START_MS + Math.floor(this.#micros / 1_000)).toISOString().slice(0, 23);
    const stamp = `${time}${String(this.#micros % 1_000).padStart(3, '0')}123Z`;
    const other = this.#below(5) === 0 ? 'stdout' : 'stderr';
    const kind = this.#below(1_000);
    if (kind < 8) return this.#line(`${stamp} ${other} F ${this.#one(NOISE)}`);
    if (kind < 10) return this.#line(`${stamp} ${other} F ${this.#cutShort()}`);
    if (kind < 15) return this.#line(`${stamp} ${other} F ${this.#otherJson(time)}`);
    const step = this.#step(time);
    if (room < 2 || this.#below(1_000) >= 2) return this.#line(`${stamp} stderr F ${step}`);
    this.#split += 1;
    const half = step.length >> 1;
    return this.#line(`${stamp} stderr P ${step.slice(0, half)}`) + this.#line(`${stamp} stderr F ${step.slice(half)}`);
  }

  truth(): Truth {
    return {
      lines: this.lines,
      bytes: this.#bytes,
      steps: this.#steps,
      wall_ms: this.#wall_ms,
      errors: this.#errors,
      split: this.#split,
    };
  }

  #line(text: string): string {
    this.lines += 1;
    this.#bytes += text.length + 1;
    return `${text}\n`;
  }

  /** The step as its formatter writes it: `", "` and `": "`, no timestamp but asctime, error_type on errors alone. */
  #step(time: string): string {
    const number = this.#below(STEPS.length);
    const [plain, mean] = STEPS[number]!;
    const own = number === 0;
    const execution = this.#one(this.#executions);
    const wall_ms = Math.max(1, Math.round(-Math.log((this.#below(1_000_000) + 1) / 1_000_001) * mean * 1_000));
    const process_ms = Math.floor((wall_ms * this.#below(1_000)) / 1_000);
    const error = this.#below(100) < 2;
    const more = own ? this.#params() : this.#below(10) === 0 ? this.#extras() : '';
    const name = !own && this.#below(12) === 0 ? this.#download(execution) : plain;
    const status = error ? `"error", "error_type": "${this.#one(ERRORS)}"` : '"success"';
    this.#steps += 1;
    this.#wall_ms += wall_ms;
    if (error) this.#errors += 1;
    return (
      `{"asctime": "${asctime(time)}", "name": "flytekit.telemetry", "levelname": "INFO", "message": "flytekit_step", ` +
      `"event": "flytekit_step", "step": "${name}", "wall_time_s": ${(wall_ms / 1_000).toFixed(3)}, ` +
      `"process_time_s": ${(process_ms / 1_000).toFixed(3)}, "status": ${status}, "execution_id": "${execution.id}", ` +
      `"task_name": "${execution.task}", "project": "${execution.project}", "domain": "${execution.domain}"${more}}`
    );
  }

  #params(): string {
    let params = `\\"epochs\\": \\"${this.#below(30) + 1}\\", \\"lr\\": \\"0.0${this.#below(9) + 1}\\"`;
    const large = this.#below(12) === 0 ? 8 + this.#below(8) : 0;
    for (let n = 0; n < large; n++) params += `, \\"arg${n}\\": \\"${this.#text(240)}\\"`;
    return `, "params": "{${params}}"`;
  }

  #extras(): string {
    return `, "input_size_bytes": ${this.#below(2_000_000_000)}, "cached": ${this.#below(2) === 0}`;
  }

  #download({ id, project, domain }: Execution): string {
    const uri = `s3://flyte-meta/metadata/propeller/${project}-${domain}-${id}/n${this.#below(5)}/data/inputs.pb`;
    return `Download data to local from ${uri}`;
  }

  #cutShort(): string {
    const [name] = this.#one(STEPS);
    const wall = (this.#below(5_000) / 1_000).toFixed(3);
    return `{"name": "flytekit.telemetry", "event": "flytekit_step", "step": "${name}", "wall_time_s": ${wall}, "process_ti`;
  }

  #otherJson(time: string): string {
    const sandbox = this.#below(0xffff_ffff).toString(16).padStart(8, '0');
    return `{"asctime": "${asctime(time)}", "name": "flytekit", "levelname": "INFO", "message": "Using user directory /tmp/flyte-${sandbox}/sandbox/local_flytekit"}`;
  }

  #text(length: number): string {
    let text = '';
    while (text.length < length) text += PARAM_LETTERS[this.#below(PARAM_LETTERS.length)]!;
    return text;
  }

  #one<T>(values: readonly T[]): T {
    return values[this.#below(values.length)]!;
  }

  /** mulberry32: four lines, and the same numbers everywhere. */
  #below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * bound);
  }
}

/** `2026-11-20T10:30:45.123` as Python's logging writes it. */
function asctime(time: string): string {
  return `${time.slice(0, 10)} ${time.slice(11, 19)},${time.slice(20)}`;
}
