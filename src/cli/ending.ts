import { lettersDirectory } from '../dead-letters/letters.ts';
import type { Lane } from '../delivery/lane.ts';
import type { Ledger } from '../delivery/ledger.ts';
import type { Log } from '../log.ts';
import type { PipelineResult } from '../pipeline.ts';
import type { Source } from '../sources/source.ts';
import { stateWords } from './options.ts';

/**
 * Says what was read and is in no store; gives the exit code. What a durable spool has is not lost: it is delivered by the next run, and only worth a failure
 * when nobody asked this one to stop.
 */
export function left(
  rows: ReadonlyMap<string, number>,
  behind: { unaccepted: number; undecoded: number },
  durable: boolean,
  log: Log,
): number {
  const { unaccepted, undecoded } = behind;
  const where = durable ? 'wait in the spool for' : 'were not delivered to';
  for (const [sink, count] of rows)
    log(durable ? 'warning' : 'error', `${count} rows ${where} ${sink}`, { sink, rows: count });
  if (unaccepted > 0 || undecoded > 0) {
    const message = `${unaccepted} rows and the ${undecoded} bytes behind them were read and not accepted: the spool was full`;
    log('error', message, { rows: unaccepted, bytes: undecoded });
  }
  if (rows.size === 0 && unaccepted === 0 && undecoded === 0) return 0;
  if (durable) {
    if (rows.size > 0) log('warning', 'the next run with the same --state delivers what waits');
    return unaccepted > 0 || undecoded > 0 ? 1 : 0;
  }
  log(
    'error',
    'what was not delivered is lost with this process; reading the same input again stores what was delivered a second time',
  );
  return 1;
}

/** What a run has come to. */
export interface Ended {
  readonly result: PipelineResult;
  readonly ledger: Ledger;
  readonly lanes: readonly Lane[];
  /** Dead letters of this run. */
  readonly letters: number;
  /** True when what is accepted outlives the process. */
  readonly durable: boolean;
  /** True when somebody asked for the end. */
  readonly stopped: boolean;
  readonly sources: readonly Source[];
}

/** Says how the run ended, and gives the exit code. */
export function finish(
  { result, ledger, lanes, letters, durable, stopped, sources }: Ended,
  state: string,
  log: Log,
): number {
  const code = left(result.undelivered, result, durable, log);
  if (result.failure !== undefined) {
    const rest = sources.length > 1 ? '; inputs after it were not read' : '';
    log('error', `reading ended early: ${result.failure.message}${rest}`);
  }
  if (letters > 0 && durable) {
    const them = letters === 1 ? '1 dead letter is' : `${letters} dead letters are`;
    log(
      'warning',
      `${them} in ${lettersDirectory(state)}, with the reason; steptap dead-letters ls${stateWords(state)} shows them`,
      {
        dead_letters: letters,
      },
    );
  }
  const sinks = Object.fromEntries(
    lanes.map((lane) => [lane.sink.name, { ...ledger.totals(lane.sink.name), pending: lane.pending() }]),
  );
  log('info', 'stopped', { state, sinks });
  if (result.failure !== undefined) return 1;
  const handed = sources.flatMap((source) => ('whole' in source ? [source] : []));
  const begun = handed.filter(({ whole }) => whole !== true);
  for (const { name } of begun) log('warning', `${name} was not read to its end: hand it over again`);
  if (begun.length > 0) return 1;
  // Whoever asked for an end gets one; an input that ended by itself should be in its stores, and one that is let go of when steptap ends with 0.
  return (!stopped || handed.length > 0) && result.undelivered.size > 0 ? 1 : code;
}
