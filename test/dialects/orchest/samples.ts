/*
 * What the deliveries in test/fixtures/orchest-webhook-samples.jsonl are, written from the format: the number of the line, and the event.
 */

const PROJECT = '5f1a3c9e-0b7d-4c55-9d0e-0d3f7c0f2a11';
const PIPELINE = '7b9d5e1c-9d49-4f7b-b3a5-1f3c0a6d9e77';
const JOB = 'c0de0a4f-7e8a-4f0a-8a44-5f8d6e3b1c02';
const RUN = '9a7c4b1e-5d2f-4e6a-b8c3-0f1e2d3c4b5a';
const ENVIRONMENT = 'e1f2a3b4-c5d6-4e7f-8a9b-0c1d2e3f4a5b';
const TRAIN = '{"uuid": "2a6b9d3e-3c1f-4a7e-8d90-9e4b5c6d7f20", "title": "train-model"}';
const GET = '{"uuid": "1f0e8c7a-6a2b-4b58-9a51-2d1f2b8d7c10", "title": "get-data"}';

type Fields = Readonly<Record<string, unknown>>;

function event(number: number, ts: string, type: string, fields: Fields, attributes: Fields): Fields {
  return {
    ts,
    dialect: 'orchest',
    event: type,
    kind: 'custom',
    app: 'orchest',
    component: 'orchest-api',
    ...fields,
    attributes: { uuid: `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`, ...attributes },
  };
}

const churn = { project: 'churn' };
const ofChurn = { 'project.uuid': PROJECT };

function job(status: string): Fields {
  return {
    ...ofChurn,
    'job.uuid': JOB,
    'job.name': 'nightly-train',
    'job.status': status,
    'job.url_path': `/job?project_uuid=${PROJECT}&job_uuid=${JOB}`,
    'job.total_runs': '2',
  };
}

const train = { ...churn, workflow: 'Train' };
const run = { ...train, kind: 'run', execution_id: RUN, workflow_id: PIPELINE };
const inputs = { params: { 'get-data.limit': '[redacted]', env: '[redacted]' } };
const runPath = `/job-run?project_uuid=${PROJECT}&pipeline_uuid=${PIPELINE}&job_uuid=${JOB}&run_uuid=${RUN}`;
const failed = { status: 'error', message: 'failed steps: train-model' };
const cron = { 'run.status': 'STARTED', 'run.number': '41', 'run.total_pipeline_runs': '2' };

const oneOffFailed = event(
  11,
  '2022-06-02T16:19:30.250000Z',
  'project:one-off-job:pipeline-run:failed',
  { ...run, ...failed, ...inputs },
  {
    ...job('STARTED'),
    'pipeline_run.status': 'FAILURE',
    'pipeline_run.number': '0',
    'pipeline_run.url_path': runPath,
    'pipeline_run.failed_steps': `[${TRAIN}]`,
  },
);

export const DELIVERIES: readonly (readonly [line: number, expected: Fields])[] = [
  [1, event(1, '2022-06-02T16:12:25.242592Z', 'ping', {}, {})],
  [2, event(2, '2022-06-02T16:13:00.000000Z', 'project:created', { ...churn, status: 'unknown' }, ofChurn)],
  [
    3,
    event(
      3,
      '2022-06-02T16:13:30.100000Z',
      'project:updated',
      { ...churn, message: 'created environment_variable' },
      { ...ofChurn, 'update.changes': '[{"type": "CREATED", "changed_object": "environment_variable"}]' },
    ),
  ],
  // The uuid of the pipeline is the event's own, and so it is left out.
  [4, event(4, '2022-06-02T16:14:00.000123Z', 'project:pipeline:created', { ...train, status: 'unknown' }, ofChurn)],
  [
    5,
    event(
      5,
      '2022-06-02T16:15:00.500000Z',
      'project:environment:image-build:failed',
      { ...churn, status: 'error' },
      {
        ...ofChurn,
        'environment.uuid': ENVIRONMENT,
        'environment.url_path': `/environment?project_uuid=${PROJECT}&environment_uuid=${ENVIRONMENT}`,
      },
    ),
  ],
  [6, event(6, '2022-06-02T16:16:00.250000Z', 'jupyter:image-build:succeeded', { status: 'success' }, {})],
  [
    7,
    event(
      7,
      '2022-06-02T16:17:00.250000Z',
      'project:pipeline:interactive-session:pipeline-run:failed',
      { ...run, ...failed, params: { 'train-model.lr': '[redacted]' } },
      {
        ...ofChurn,
        'pipeline_run.url_path': `/pipeline?project_uuid=${PROJECT}&pipeline_uuid=${PIPELINE}`,
        'pipeline_run.steps': `[${GET}, ${TRAIN}]`,
        'pipeline_run.failed_steps': `[${TRAIN}]`,
      },
    ),
  ],
  [
    8,
    event(
      8,
      '2022-06-02T16:18:00.250000Z',
      'project:one-off-job:created',
      { ...train, status: 'unknown' },
      job('DRAFT'),
    ),
  ],
  [
    9,
    event(
      9,
      '2022-06-02T16:18:10.250000Z',
      'project:one-off-job:updated',
      { ...train, message: 'updated schedule: None to 0 1 * * *; updated name' },
      {
        ...job('DRAFT'),
        'update.changes':
          '[{"type": "UPDATED", "changed_object": "schedule", "old_value": "None", "new_value": "0 1 * * *"}, {"type": "UPDATED", "changed_object": "name"}]',
      },
    ),
  ],
  [
    10,
    event(
      10,
      '2022-06-02T16:19:00.250000Z',
      'project:one-off-job:pipeline-run:started',
      { ...run, ...inputs, status: 'running' },
      {
        ...job('STARTED'),
        'pipeline_run.status': 'STARTED',
        'pipeline_run.number': '0',
        'pipeline_run.url_path': runPath,
      },
    ),
  ],
  [11, oneOffFailed],
  // The same delivery as a form.
  [12, oneOffFailed],
  [
    13,
    event(
      12,
      '2022-06-02T16:19:30.250000Z',
      'project:one-off-job:failed',
      { ...train, status: 'error' },
      job('FAILURE'),
    ),
  ],
  [
    14,
    event(
      13,
      '2022-06-02T17:00:00.250000Z',
      'project:cron-job:run:started',
      { ...train, kind: 'run', status: 'running', execution_id: `${JOB}/41` },
      { ...job('STARTED'), ...cron },
    ),
  ],
  [
    15,
    event(
      14,
      '2022-06-02T17:01:00.250000Z',
      'project:cron-job:run:pipeline-run:failed',
      { ...run, ...failed, ...inputs },
      {
        ...job('STARTED'),
        ...cron,
        'pipeline_run.status': 'FAILURE',
        'pipeline_run.number': '83',
        'pipeline_run.number_in_run': '1',
        'pipeline_run.url_path': runPath,
        'pipeline_run.failed_steps': `[${TRAIN}]`,
      },
    ),
  ],
  [
    16,
    event(
      15,
      '2022-06-02T17:01:00.250000Z',
      'project:cron-job:run:failed',
      { ...train, kind: 'run', status: 'error', execution_id: `${JOB}/41` },
      { ...job('STARTED'), ...cron, 'run.status': 'FAILURE' },
    ),
  ],
];
