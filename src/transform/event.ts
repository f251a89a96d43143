/*
 * What comes out of the transformer, for programs that are not steptap. The names are those of src/fields.ts, and mean the same; a test holds the two together.
 */

/** What every event may say. A field that is not known is absent, never `""`. */
export interface Told {
  /** When the thing ended or happened: UTC, microseconds, `2026-02-19T10:31:12.640000Z`. */
  readonly ts: string;
  /** Whose way of writing the line was in: `flytekit`, `log`. */
  readonly dialect: string;
  /** The producer's own event name. */
  readonly event?: string;
  /** Execution (Flyte), run (Flyte 2). */
  readonly execution_id?: string;
  readonly workflow?: string;
  /** Name of the task, dotted. */
  readonly task?: string;
  readonly task_version?: string;
  /** Node of the workflow. */
  readonly node_id?: string;
  /** From 0. */
  readonly attempt?: number;
  /** Index inside a map task. */
  readonly map_index?: number;
  /** The engine's own name of this one task: `task.000001`, the uuid of a run. */
  readonly task_id?: string;
  /** Session (RHAPSODY, AsyncFlow). */
  readonly session_id?: string;
  /** `workflow_scope` or block of AsyncFlow. */
  readonly workflow_id?: string;
  /** Of the execution. */
  readonly project?: string;
  readonly domain?: string;
  /** Under which the task is registered. */
  readonly task_project?: string;
  readonly task_domain?: string;
  /** Where it ran, in Kubernetes. */
  readonly namespace?: string;
  readonly pod?: string;
  readonly pod_uid?: string;
  readonly container?: string;
  readonly node?: string;
  readonly app?: string;
  readonly component?: string;
  /** Labels of the pod. */
  readonly labels?: Readonly<Record<string, string>>;
  /** True when the metadata is of the pod itself. */
  readonly k8s_enriched?: boolean;
  /** Where the transport says it. */
  readonly stream?: 'stdout' | 'stderr';
  /** 32 hex digits. */
  readonly trace_id?: string;
  /** 16 hex digits. */
  readonly span_id?: string;
  readonly parent_span_id?: string;
  /** Every other key of the line, its value as text. */
  readonly attributes?: Readonly<Record<string, string>>;
  /** Physical lines that the event took; absent means 1. */
  readonly lines?: number;
  /** Which fields came from elsewhere than the line: `execution_id:uri,attempt:pod`. */
  readonly provenance?: string;
}

/** What events of which a duration may be known say beside it. */
export interface Timed {
  /** `ts` less `wall_time_s`, where there is a duration. */
  readonly ts_start?: string;
  /** Normalised name of the step, of low cardinality. */
  readonly step?: string;
  /** The name as it was written, and the URI that was cut off it. */
  readonly step_raw?: string;
  readonly step_target?: string;
  readonly status?: 'success' | 'error' | 'canceled' | 'running' | 'unknown';
  /** Exception class as it was written. */
  readonly error_type?: string;
  /** Duration in seconds. */
  readonly wall_time_s?: number;
  /** CPU seconds of the whole process, threads included. */
  readonly process_time_s?: number;
  /** Inputs of the task; values are redacted unless `privacy.params` allows them. */
  readonly params?: Readonly<Record<string, unknown>>;
}

/** What events that were printed as a log say beside it. */
export interface Logged {
  /** From the line, never from the stream. */
  readonly level?: 'TRACE' | 'DEBUG' | 'INFO' | 'WARN' | 'ERROR' | 'FATAL';
  /** Exception class as it was written. */
  readonly error_type?: string;
  /** Text of the log line; of an error, its trace. */
  readonly message?: string;
  /** Name of the logger. */
  readonly logger?: string;
}

/** A step of a task: how long it took, and whether it worked. */
export interface StepEvent extends Told, Timed {
  readonly kind: 'step';
  readonly step: string;
  readonly step_raw: string;
  readonly status: 'success' | 'error' | 'canceled' | 'running' | 'unknown';
}

/** An ordinary log line, or a traceback of many. */
export interface LogEvent extends Told, Logged {
  readonly kind: 'log';
  /** Whose fault the line says it was. */
  readonly error_kind?: 'user' | 'system';
}

/** Everything else: an error that the framework caught (`error`), with its true class, and what other producers tell. */
export interface OtherEvent extends Told, Timed, Logged {
  readonly kind: 'error' | 'task' | 'run' | 'resource' | 'custom';
  /** The true exception class, from the captured trace. */
  readonly root_error_type?: string;
  readonly error_kind?: 'user' | 'system';
  /** What the engine runs its tasks on. */
  readonly backend?: string;
  /** Tasks that had to end before, by `task_id`. */
  readonly depends_on?: readonly string[];
  /** Which conditions of its event type hold. */
  readonly conditions?: readonly string[];
}

/** What a node or one of its devices was busy with (RHAPSODY's ResourceUpdate). Percents are of that moment, bytes of the time since the poll before. */
export interface ResourceEvent extends Told {
  readonly kind: 'resource';
  readonly resource_scope: 'per_node' | 'per_gpu';
  readonly gpu_id?: number;
  readonly backend?: string;
  readonly cpu_percent?: number;
  readonly memory_percent?: number;
  readonly gpu_percent?: number;
  readonly disk_read_bytes?: number;
  readonly disk_write_bytes?: number;
  readonly net_sent_bytes?: number;
  readonly net_recv_bytes?: number;
}

/** One event, flat. `kind` tells which fields it may have. */
export type Event = StepEvent | LogEvent | OtherEvent | ResourceEvent;

/** A line that could not be an event, and why. */
export interface Rejection {
  /** When it was rejected, as `ts` of an event. */
  readonly ts: string;
  /** Short and of low cardinality: `schema`, `json_syntax`, `line_too_long`. */
  readonly reason: string;
  /** For a person: what is wrong with it, without its values. */
  readonly detail: string;
  readonly dialect?: string;
  /** Of its first byte, in all that was written. */
  readonly offset: number;
  /** Physical lines that it is. */
  readonly lines: number;
  readonly namespace?: string;
  readonly pod?: string;
  readonly container?: string;
  readonly stream?: string;
  /** Its bytes; what a privacy rule marks is masked in them, unless `privacy.keep_raw` says otherwise. */
  readonly raw: Buffer;
  /** True when `raw` is only the beginning. */
  readonly cut?: boolean;
}
