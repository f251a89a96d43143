/*
 * Every type of event that Orchest knows: `Event` of its analytics module (66 names), the one that only its database has, and `ping`, which only webhooks get.
 * orchest/orchest 560103a5c7db: lib/python/orchest-internals/_orchest/internals/analytics.py, migrations of orchest-api.
 */

const BUILD = ['created', 'started', 'cancelled', 'failed', 'succeeded'];

/** Verbs by what they are about. */
const VERBS: Readonly<Record<string, readonly string[]>> = {
  project: ['created', 'updated', 'deleted'],
  'project:environment': ['created', 'deleted'],
  'project:environment:image-build': BUILD,
  'project:pipeline': ['created', 'updated', 'deleted', 'saved'],
  'jupyter:image-build': BUILD,
  'project:pipeline:interactive-session': ['started', 'stopped', 'failed', 'service-restarted', 'succeeded'],
  'project:pipeline:interactive-session:pipeline-run': BUILD,
  'project:one-off-job': ['created', 'started', 'deleted', 'cancelled', 'failed', 'updated', 'succeeded', 'duplicated'],
  'project:one-off-job:pipeline-run': [...BUILD, 'deleted'],
  'project:cron-job': [
    'created',
    'started',
    'deleted',
    'cancelled',
    'failed',
    'updated',
    'paused',
    'unpaused',
    'duplicated',
    'succeeded',
  ],
  'project:cron-job:run': ['started', 'succeeded', 'failed'],
  'project:cron-job:run:pipeline-run': [...BUILD, 'deleted'],
};

const BY_THEMSELVES = ['alert:shown', 'confirm:shown', 'view:loaded', 'heartbeat-trigger', 'debug-ping', 'ping'];

export const EVENT_TYPES: ReadonlySet<string> = new Set([
  ...BY_THEMSELVES,
  ...Object.entries(VERBS).flatMap(([about, verbs]) => verbs.map((verb) => `${about}:${verb}`)),
]);

/** What the last word of a type says of what it is about. */
const STATUS: Readonly<Record<string, string>> = {
  created: 'unknown',
  started: 'running',
  succeeded: 'success',
  failed: 'error',
  cancelled: 'canceled',
};

export function statusOf(type: string): string {
  const verb = type.slice(type.lastIndexOf(':') + 1);
  return Object.hasOwn(STATUS, verb) ? STATUS[verb]! : '';
}

/** Runs of a pipeline, and those of a cron job, which are several of them. */
export function isRun(type: string): boolean {
  return type.includes(':pipeline-run:') || type.startsWith('project:cron-job:run:');
}

/** Types that nobody else has, also those that a later Orchest may have. */
export function isOrchests(type: string): boolean {
  return EVENT_TYPES.has(type) || /^(?:project|jupyter):[a-z:-]+$/.test(type);
}
