import { duration } from '../summary.ts';
import { columnsOf, lineOf, type Paint, type Span } from '../terminal/paint.ts';
import { clean, clip, number, padEnd, width } from '../terminal/text.ts';
import type { Panels } from './panels.ts';

/** Workflows that are drawn, and stages that have a sign of their own. */
const MOST_ROWS = 30;
const SIGNS = '123456789abcdefghijklmnopqrstuvwxyz';
const SHADES = ' .:-=+*#%@';

/** The six panels, drawn in so many columns. */
export function panelsText(panels: Panels, columns: number, paint: Paint): string[] {
  const { gantt, stages, stage_execution_ms, throughput, latency_ms } = panels;
  if (gantt.length === 0) return ['none of its tasks belongs to a workflow: there are no panels'];
  const shown = gantt.slice(0, MOST_ROWS);
  const names = [...shown.map(({ workflow_id }) => workflow_id), ...stages];
  const label = Math.min(Math.max(...names.map((name) => width(clean(name)))), Math.floor(columns / 3)) + 2;
  const drawing: Drawing = { label, columns, paint, room: Math.max(columns - label, 10), range: rangeOf(panels) };
  const left = gantt.length - shown.length;
  const mean = latency_ms.mean === undefined ? '' : `, mean ${duration(latency_ms.mean / 1000)}`;
  const median = latency_ms.median === undefined ? '' : `, median ${duration(latency_ms.median / 1000)}`;
  return [
    heading(`WORKFLOWS  ${span(drawing.range)}`, drawing),
    ...shown.map((row) => line(row.workflow_id, bars(row.bars, stages, drawing), drawing)),
    ...(left > 0 ? [`... and ${number(left)} more workflows`] : []),
    lineOf([{ text: ['. waiting', ...stages.map((stage, n) => `${sign(n)} ${stage}`)].join('   ') }], columns, paint),
    line('at work', atWork(panels.concurrency, drawing), drawing),
    '',
    ...executions(stage_execution_ms.slice(0, MOST_ROWS), stages, columns, paint),
    '',
    heading(`WORKFLOWS ENDED  ${span(ends(throughput.edges))}`, drawing),
    line('', throughput.counts.map(number).join('  '), drawing),
    heading(`FROM CREATION TO END  ${span(ends(latency_ms.edges.map((ms) => ms / 1000)))}${mean}${median}`, drawing),
    line('', latency_ms.counts.map(number).join('  '), drawing),
    '',
    ...shades(panels, drawing),
  ];
}

interface Drawing {
  readonly label: number;
  readonly columns: number;
  readonly room: number;
  readonly range: readonly [from: number, to: number];
  readonly paint: Paint;
}

function heading(text: string, { columns, paint }: Drawing): string {
  return lineOf([{ text, colour: 'dim' }], columns, paint);
}

function line(name: string, text: string, { label, columns, paint }: Drawing): string {
  return lineOf([{ text: padEnd(clip(clean(name), label - 2), label) }, { text }], columns, paint).trimEnd();
}

/** Of all that is drawn over time. */
function rangeOf({ gantt }: Panels): readonly [number, number] {
  const times = gantt.flatMap(({ created_s, end_s, bars: drawn }) => [
    ...[created_s, end_s].filter((time) => time !== undefined),
    ...drawn.flatMap(({ wait, run }) => [...(wait ?? []), ...(run ?? [])]),
  ]);
  const low = times.reduce((min, time) => Math.min(min, time), Number.POSITIVE_INFINITY);
  const high = times.reduce((max, time) => Math.max(max, time), low);
  return times.length === 0 ? [0, 0] : [low, high];
}

function ends(edges: readonly number[]): readonly [number, number] {
  return [edges[0] ?? 0, edges.at(-1) ?? 0];
}

function span([from, to]: readonly [number, number]): string {
  return `${duration(from)} to ${duration(to)}`;
}

/** In which column a time is. */
function place(at: number, { range: [from, to], room }: Drawing): number {
  return to > from ? Math.min(Math.floor(((at - from) / (to - from)) * room), room - 1) : 0;
}

/** What runs hides what waits. */
function bars(drawn: Panels['gantt'][number]['bars'], stages: readonly string[], drawing: Drawing): string {
  const cells = Array<string>(drawing.room).fill(' ');
  for (const { wait } of drawn) if (wait !== undefined) fill(cells, wait, '.', drawing);
  for (const { run, stage } of drawn) if (run !== undefined) fill(cells, run, sign(stages.indexOf(stage)), drawing);
  return cells.join('');
}

function fill(cells: string[], [from, to]: readonly [number, number], with_: string, drawing: Drawing): void {
  cells.fill(with_, place(from, drawing), Math.max(place(to, drawing), place(from, drawing) + 1));
}

function sign(stage: number): string {
  return SIGNS[stage] ?? '#';
}

/** How many workflows were at work at most, column by column; `+` for ten and more. */
function atWork(steps: Panels['concurrency'], drawing: Drawing): string {
  const cells = Array<number>(drawing.room).fill(0);
  steps.forEach(({ at_s, workflows }, n) => {
    const to = steps[n + 1]?.at_s ?? at_s;
    for (let at = place(at_s, drawing); at <= place(to, drawing); at++) cells[at] = Math.max(cells[at]!, workflows);
  });
  return cells.map((count) => (count > 9 ? '+' : count === 0 ? ' ' : String(count))).join('');
}

function executions(
  rows: Panels['stage_execution_ms'],
  stages: readonly string[],
  columns: number,
  paint: Paint,
): string[] {
  const shown = stages.slice(0, Math.max(1, Math.floor(columns / 16)));
  const head = ['EXECUTION', ...shown].map((text): Span => ({ text, colour: 'dim' }));
  const body = rows.map(({ workflow_id, ms }) => [
    { text: workflow_id },
    ...shown.map((_, n) => ({ text: ms[n] === 0 ? '-' : duration(ms[n]! / 1000) })),
  ]);
  return columnsOf([head, ...body], columns, paint);
}

/** Tasks at work by stage; the darkest is the most of all stages. */
function shades({ heatmap: { rows, edges }, stages }: Panels, drawing: Drawing): string[] {
  const most = rows.flat().reduce((max, value) => Math.max(max, value), 0);
  if (most === 0) return [];
  const shade = (value: number): string => SHADES[Math.ceil((value / most) * (SHADES.length - 1))]!;
  return [
    heading(`TASKS AT WORK  ${span(ends(edges))}, ${SHADES.at(-1)} is ${most.toFixed(1)}`, drawing),
    ...rows.slice(0, MOST_ROWS).map((row, n) => line(stages[n]!, row.map(shade).join(''), drawing)),
  ];
}
