import { duration } from '../summary.ts';
import { columnsOf, lineOf, type Paint, type Span } from '../terminal/paint.ts';
import { bytesText, number } from '../terminal/text.ts';
import type { Execution } from './executions.ts';
import type { Reading } from './nodes.ts';
import type { Counts, Figures, Session } from './sessions.ts';

/** Workflows of a session in its table. */
const MOST_SHOWN = 30;

interface Column<Of> {
  readonly name: string;
  readonly of: (each: Of) => string;
  readonly colour?: 'red' | 'yellow';
  /** Of the screen, for it to be shown. */
  readonly least_columns?: number;
  /** Only where it says something of one of them. */
  readonly rare?: boolean;
}

/** What became of a session, on a screen of so many columns: its workflows, where the time went, and its nodes. */
export function sessionText(session: Session, readings: readonly Reading[], columns: number, paint: Paint): string[] {
  const { session_id, duration_seconds, ended, workflows, tasks } = session;
  const took = duration_seconds === undefined ? '' : `  ${duration(duration_seconds)}`;
  const state: Span = ended ? { text: '  ended' } : { text: '  no end of it was seen', colour: 'yellow' };
  const title = lineOf([{ text: session_id, colour: 'bold' }, { text: took }, state], columns, paint);
  const own = readings.filter((each) => each.session_id === session_id);
  const chosen = mostTelling(workflows);
  const rows = [
    ...chosen.map((each) => ({ name: each.workflow_id === '' ? '(no workflow)' : each.workflow_id, ...each })),
    { name: 'all', ...session },
  ];
  const left = workflows.length - chosen.length;
  return [
    title,
    ...listed('WORKFLOW', rows, FATES, columns, paint),
    ...(left > 0 ? [`... and ${number(left)} more workflows`] : []),
    ...phasesText(session, columns, paint),
    ...(own.length === 0
      ? []
      : [
          '',
          ...listed(
            'NODE',
            own.map((each) => ({ name: nodeName(each), ...each })),
            READINGS,
            columns,
            paint,
          ),
        ]),
    ...(tasks.tasks === 0 ? ['no task of it is stored'] : []),
  ];
}

export function executionsText(executions: readonly Execution[], columns: number, paint: Paint): string[] {
  return listed(
    'EXECUTION',
    executions.map((each) => ({ name: each.execution_id, ...each })),
    EXECUTIONS,
    columns,
    paint,
  );
}

type Named<Of> = Of & { readonly name: string };

const fate =
  (name: keyof Counts) =>
  ({ tasks }: Figures): string =>
    tasks[name] === 0 ? '-' : number(tasks[name]);
const time =
  (name: keyof NonNullable<Figures['duration']>) =>
  ({ duration: of }: Figures): string =>
    of === undefined ? '-' : duration(of[name]);

const FATES: readonly Column<Figures>[] = [
  { name: 'TASKS', of: fate('tasks') },
  { name: 'DONE', of: fate('completed') },
  { name: 'FAILED', of: fate('failed'), colour: 'red' },
  { name: 'CANCELED', of: fate('canceled'), colour: 'yellow', rare: true },
  { name: 'NEVER RUN', of: fate('never_run'), colour: 'yellow', rare: true },
  { name: 'UNKNOWN', of: fate('unknown'), colour: 'yellow', rare: true },
  { name: 'RUNNING', of: fate('running'), rare: true },
  { name: 'WAITING', of: fate('waiting'), rare: true },
  { name: 'P50', of: time('p50_seconds') },
  { name: 'P95', of: time('p95_seconds'), least_columns: 90 },
  { name: 'MEAN', of: time('mean_seconds'), least_columns: 120 },
  { name: 'MIN', of: time('min_seconds'), least_columns: 120 },
  { name: 'MAX', of: time('max_seconds'), least_columns: 100 },
  { name: 'TOTAL', of: time('total_seconds') },
];

const percent =
  (name: string) =>
  ({ values }: Reading): string =>
    values[name] === undefined ? '-' : `${values[name].toFixed(1)} %`;
const bytes =
  (name: string) =>
  ({ values }: Reading): string =>
    values[name] === undefined ? '-' : bytesText(values[name]);

const READINGS: readonly Column<Reading>[] = [
  { name: 'CPU', of: percent('cpu_percent') },
  { name: 'MEMORY', of: percent('memory_percent') },
  { name: 'GPU', of: percent('gpu_percent') },
  { name: 'DISK READ', of: bytes('disk_read_bytes'), least_columns: 100 },
  { name: 'DISK WRITTEN', of: bytes('disk_write_bytes'), least_columns: 100 },
  { name: 'SENT', of: bytes('net_sent_bytes'), least_columns: 100 },
  { name: 'RECEIVED', of: bytes('net_recv_bytes'), least_columns: 100 },
];

const EXECUTIONS: readonly Column<Execution>[] = [
  { name: 'TASKS', of: ({ tasks }) => number(tasks) },
  { name: 'FAILED', of: ({ failed }) => (failed === 0 ? '-' : number(failed)), colour: 'red' },
  { name: 'TOOK', of: ({ duration_seconds: took }) => (took === undefined ? '-' : duration(took)) },
  { name: 'IN TASKS', of: ({ task_seconds }) => duration(task_seconds) },
  {
    name: 'OVERHEAD',
    of: ({ overhead_ratio: ratio }) => (ratio === undefined ? '-' : `${(ratio * 100).toFixed(1)} %`),
  },
];

/** In the order of their names; where there are too many, those first in which something went wrong. */
function mostTelling(workflows: Session['workflows']): Session['workflows'] {
  if (workflows.length <= MOST_SHOWN) return workflows;
  const wrong = ({ tasks }: Figures): boolean => tasks.completed < tasks.tasks;
  const chosen = new Set([...workflows.filter(wrong), ...workflows].slice(0, MOST_SHOWN));
  return workflows.filter((each) => chosen.has(each));
}

function nodeName({ backend, node_id, gpu_id }: Reading): string {
  return gpu_id === undefined ? `${backend}/${node_id}` : `${backend}/${node_id} gpu ${gpu_id}`;
}

function listed<Of>(
  heading: string,
  rows: readonly Named<Of>[],
  all: readonly Column<Of>[],
  columns: number,
  paint: Paint,
): string[] {
  const shown = all.filter(
    ({ of, rare, least_columns = 0 }) =>
      columns >= least_columns && (rare !== true || rows.some((row) => of(row) !== '-')),
  );
  const head = [heading, ...shown.map(({ name }) => name)].map((text): Span => ({ text, colour: 'dim' }));
  const body = rows.map((row): Span[] => [
    { text: row.name },
    ...shown.map(({ of, colour }) => ({ text: of(row), colour: of(row) === '-' ? undefined : colour })),
  ]);
  return columnsOf([head, ...body], columns, paint);
}

const PARTS: readonly (readonly [phase: string, name: string])[] = [
  ['dependency_wait', 'waiting for other tasks'],
  ['scheduler_gap', '  of it, after they had ended'],
  ['queue', 'queued'],
  ['start_latency', 'starting'],
  ['execution', 'executing'],
];

/** Of all tasks together. */
function phasesText({ phases }: Figures, columns: number, paint: Paint): string[] {
  const said = PARTS.filter(([phase]) => phases[phase] !== undefined);
  if (said.length === 0) return [];
  const sum = said.reduce((all, [phase]) => all + (phase === 'scheduler_gap' ? 0 : phases[phase]!), 0);
  const share = (part: number): string => (sum === 0 ? '-' : `${((part / sum) * 100).toFixed(1)} %`);
  const rows = said.map(([phase, name]) => ({ name, seconds: phases[phase]! }));
  const shown: Column<{ readonly seconds: number }>[] = [
    { name: 'TIME', of: ({ seconds }) => duration(seconds) },
    { name: 'SHARE', of: ({ seconds }) => share(seconds) },
  ];
  return ['', ...listed('WHERE THE TIME WENT', rows, shown, columns, paint)];
}
