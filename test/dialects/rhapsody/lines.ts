/** A number as it is to be written: `Raw('Infinity')`. */
export class Raw {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** JSON with the separators of Python's json module. */
export function python(value: unknown): string {
  if (value instanceof Raw) return value.text;
  if (Array.isArray(value)) return `[${value.map(python).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).filter(([, each]) => each !== undefined);
  return `{${members.map(([name, each]) => `${JSON.stringify(name)}: ${python(each)}`).join(', ')}}`;
}

/** An event as RHAPSODY writes it; what is given replaces or follows, and undefined takes away. */
export function eventLine(event_type: string, fields: Readonly<Record<string, unknown>> = {}): string {
  const { trace_id = '0x7d3f0c2b9a4e61d8a05b11c94e2f8037', span_id = '0xc0166387f77b3563', ...own } = fields;
  const base = {
    event_id: 'bdd640fb06671ad11c80317fa3b1799d',
    event_type,
    event_time: 1781613000.125,
    emit_time: 1781613000.12501,
    session_id: 'rhapsody.session.3c313737',
    backend: 'dask',
    task_id: null,
    node_id: null,
    attributes: {},
  };
  const marks = { trace_id, span_id, name: event_type, section: 'event' };
  return python({ ...base, ...own, ...Object.fromEntries(Object.entries(marks).filter(([name]) => !(name in own))) });
}

export function taskLine(event_type: string, fields: Readonly<Record<string, unknown>> = {}): string {
  const attributes = { executable: 'train', task_type: 'ComputeTask' };
  return eventLine(event_type, { task_id: 'task.000001', attributes, ...fields });
}

export function spanLine(fields: Readonly<Record<string, unknown>> = {}): string {
  return python({
    name: 'task',
    span_id: '0xc0166387f77b3563',
    trace_id: '0x7d3f0c2b9a4e61d8a05b11c94e2f8037',
    parent_span_id: null,
    start_ns: new Raw('1781613000145200129'),
    end_ns: new Raw('1781613000315099907'),
    start_time_s: 1781613000.1452,
    end_time_s: 1781613000.3151,
    duration_ms: 169.9,
    status_code: 'OK',
    status_description: null,
    attributes: { session_id: 'rhapsody.session.3c313737', task_id: 'task.000001', status: 'completed' },
    section: 'span',
    ...fields,
  });
}

export function metricLine(fields: Readonly<Record<string, unknown>> = {}): string {
  return python({ checkpoint_time: 1781613000.425, ...fields, section: 'metric' });
}
