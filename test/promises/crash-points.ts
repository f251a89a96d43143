import type { Kind } from './events.ts';
import type { Moment } from './exchange.ts';

/*
 * Every edge at which a process can die, once each. What stands at `prepare` is done first, so that the edge is reached soon.
 */

/** In steptap's own work with its disk; see crash.mjs. */
export interface DiskPoint {
  readonly operation: string;
  readonly place: 'before' | 'part' | 'after';
  readonly nth: number;
  /**
   * `load`: it comes by itself; `burst`: more than a segment is written; `stopped`: it is stopped in order before, so that all lanes have kept what they have
   * settled; `stop`: it is told to stop; `letters`: broken lines are written.
   */
  readonly prepare: 'load' | 'burst' | 'stopped' | 'stop' | 'letters';
}

function points(
  operation: string,
  places: readonly DiskPoint['place'][],
  prepare: DiskPoint['prepare'] = 'load',
  nth = 1,
): DiskPoint[] {
  return places.map((place) => ({ operation, place, nth, prepare }));
}

const AROUND = ['before', 'after'] as const;
const WITHIN = ['before', 'part', 'after'] as const;

export const DISK_POINTS: readonly DiskPoint[] = [
  ...points('batch.write', ['before'], 'load', 3),
  // At a start: the segment of the process that was killed before gets its end taken off, and its seal. Whoever dies behind the seal leaves none to make.
  ...points('segment.truncate', AROUND),
  ...points('seal.write', WITHIN),
  ...points('batch.write', ['part'], 'load', 3),
  ...points('seal.sync', ['before']),
  ...points('batch.write', ['after'], 'load', 3),
  ...points('seal.sync', ['after']),
  ...points('batch.sync', AROUND, 'load', 2),
  ...points('segment.create', AROUND),
  ...points('snapshot.write', WITHIN),
  ...points('snapshot.sync', AROUND),
  // In the middle of a life: a segment is full, and another is begun.
  ...points('seal.write', WITHIN, 'burst', 2),
  ...points('segment.create', AROUND, 'burst', 2),
  ...points('cursor.write', WITHIN, 'load', 4),
  ...points('cursor.sync', AROUND, 'load', 2),
  ...points('prometheus.write', WITHIN, 'stop'),
  ...points('prometheus.sync', AROUND, 'stop'),
  ...points('index.write', WITHIN, 'stopped'),
  ...points('segment.unlink', AROUND, 'stopped'),
  ...points('letters.write', WITHIN, 'letters'),
  ...points('letters.sync', AROUND, 'letters'),
];

/** In a request, as the proxy sees it: steptap is killed, or the sink is. */
export interface RequestPoint {
  readonly sink: 'clickhouse' | 'elasticsearch';
  readonly what: RegExp;
  readonly moment: Moment;
  readonly dies: 'steptap' | 'clickhouse' | 'both';
  /** `poison`: rows that ClickHouse refuses; `part`: it stores half of an INSERT; `running`: an INSERT is left behind that runs on. */
  readonly prepare?: 'poison' | 'part' | 'running';
}

const WHOLE = /^insert (?:steps|logs|events)$/;

export const REQUEST_POINTS: readonly RequestPoint[] = [
  ...(['received', 'asked', 'committed', 'half'] as const).flatMap((moment): RequestPoint[] => [
    { sink: 'clickhouse', what: WHOLE, moment, dies: 'steptap' },
    { sink: 'elasticsearch', what: /^bulk$/, moment, dies: 'steptap' },
  ]),
  ...(['asked', 'committed'] as const).flatMap((moment): RequestPoint[] => [
    { sink: 'clickhouse', what: WHOLE, moment, dies: 'clickhouse' },
    { sink: 'clickhouse', what: WHOLE, moment, dies: 'both' },
  ]),
  ...(['received', 'committed', 'half'] as const).flatMap((moment): RequestPoint[] => [
    { sink: 'clickhouse', what: /^insert half/, moment, dies: 'steptap', prepare: 'poison' },
    { sink: 'clickhouse', what: /^insert (?:half )?repair/, moment, dies: 'steptap', prepare: 'part' },
    { sink: 'clickhouse', what: /^count$/, moment, dies: 'steptap' },
  ]),
  { sink: 'clickhouse', what: /^insert half/, moment: 'committed', dies: 'clickhouse', prepare: 'poison' },
  { sink: 'clickhouse', what: /^insert (?:half )?repair/, moment: 'committed', dies: 'both', prepare: 'part' },
  { sink: 'clickhouse', what: /^count$/, moment: 'received', dies: 'clickhouse' },
  { sink: 'clickhouse', what: /^processes$/, moment: 'received', dies: 'steptap' },
  { sink: 'clickhouse', what: /^processes$/, moment: 'half', dies: 'steptap' },
  { sink: 'clickhouse', what: /^kill$/, moment: 'received', dies: 'steptap', prepare: 'running' },
  { sink: 'clickhouse', what: /^kill$/, moment: 'committed', dies: 'steptap', prepare: 'running' },
];

/** In what is read: so many lines of a story are in the spool, and then so much of the next line is in the file. */
export interface JoinPoint {
  readonly name: string;
  readonly kind: Kind;
  readonly lines: number;
  /** Of the line behind them, this share of its bytes. */
  readonly of_next?: number;
  /** What the position has to carry, as text in its JSON; absent where nothing is open. */
  readonly carries?: RegExp;
}

export const JOIN_POINTS: readonly JoinPoint[] = [
  { name: 'half a line', kind: 'step', lines: 0, of_next: 0.5 },
  { name: 'a line without its newline', kind: 'step', lines: 0, of_next: 1 },
  { name: "a traceback's first line", kind: 'traceback', lines: 1, carries: /"at":"frames"/ },
  { name: 'a traceback without its class', kind: 'traceback', lines: 3, carries: /"at":"frames"/ },
  { name: 'a traceback and half a line', kind: 'traceback', lines: 2, of_next: 0.5, carries: /"at":"frames"/ },
  { name: 'a failed step before its error', kind: 'failure', lines: 1, carries: /"failed":\[\{/ },
  { name: 'a captured error of one line', kind: 'failure', lines: 2, carries: /"messages":1/ },
  { name: 'a captured error of two lines', kind: 'failure', lines: 3, carries: /"messages":2/ },
  { name: 'a captured error of three lines', kind: 'failure', lines: 4, carries: /"messages":3/ },
  { name: 'a line that CRI cut (P, no F)', kind: 'cut', lines: 1, carries: /"cut":\[\{/ },
  { name: 'a line that CRI cut, and half of the rest', kind: 'cut', lines: 1, of_next: 0.5, carries: /"cut":\[\{/ },
];
