/** Keys that mean something: as an extra they overwrite, and that is for the reference decoder. */
export const OWN_KEYS: ReadonlySet<string> = new Set([
  'asctime',
  'name',
  'levelname',
  'message',
  'taskName',
  'event',
  'step',
  'wall_time_s',
  'process_time_s',
  'status',
  'error_type',
  'execution_id',
  'task_name',
  'project',
  'domain',
  'params',
  'timestamp',
  // steptap's own attribute.
  'steptap.artefact',
]);
/** Keys of a log agent's record. */
export const TRANSPORT_KEYS: ReadonlySet<string> = new Set([
  'kubernetes',
  'log',
  'stream',
  'time',
  'date',
  '_p',
  'logtag',
]);
