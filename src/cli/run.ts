import { Command } from 'commander';
import { systemClock } from '../clock.ts';
import { Counters } from '../counters.ts';
import type { Lane } from '../delivery/lane.ts';
import { UsageError } from '../errors.ts';
import type { Log } from '../log.ts';
import { undelivered } from '../pipeline.ts';
import { leave } from './reader.ts';
import type { SpoolRecord } from '../spool/spool.ts';
import { Summary } from '../summary.ts';
import { finalTable } from '../terminal/ending.ts';
import { Live, watched } from '../terminal/live.ts';
import { watch } from '../terminal/view.ts';
import { version } from '../version.ts';
import { finish, left } from './ending.ts';
import { list } from './options.ts';
import { reloads, type Reloads } from './reload.ts';
import { RUN_HELP, runOptions, type RunFlags } from './run-options.ts';
import { Running, type RunningOptions } from './running.ts';
import { settingsOf, type Settings } from './settings.ts';
import { onSignals } from './signals.ts';

export function runCommand(log: Log): Command {
  const command = new Command('run').description(
    'Read step logs from standard input or files, and store every step. The default command.',
  );
  for (const option of runOptions()) command.addOption(option);
  return command.addHelpText('after', RUN_HELP).action(async (flags: RunFlags, { args: [word] }: Command) => {
    if (word !== undefined)
      throw new UsageError(`${word}: there is no such command; to read a file write --input ${word}`);
    const drop_oldest = flags.dropOldest === undefined ? undefined : list(flags.dropOldest);
    const { store, summary } = flags;
    leave(await run(() => settingsOf(flags), { store: store !== false, drop_oldest, summary }, log));
  });
}

export interface RunOptions extends Omit<RunningOptions, 'appended'> {
  readonly summary: RunFlags['summary'];
  /** Sees every record. */
  readonly appended?: (record: SpoolRecord) => void;
}

/** Runs the pipeline that `read` gives, and those that it becomes. Resolves with the exit code. */
export async function run(read: () => Settings, options: RunOptions, plain: Log): Promise<number> {
  const live = new Live(process.stderr, systemClock);
  const log = live.above(plain);
  const summary = new Summary();
  const wanted = options.summary === 'always' || (options.summary === 'auto' && process.stderr.isTTY);
  const appended = (record: SpoolRecord): void => {
    if (wanted) summary.add(record.batch);
    options.appended?.(record);
  };
  const settings = read();
  let running: Running | undefined;
  let reload: Reloads | undefined;
  const waiting = (): void => {
    live.end();
    if (running === undefined) return;
    left(undelivered(running.all), { unaccepted: 0, undecoded: 0 }, running.state.durable, log);
  };
  // Before anything is opened: a signal may come at any time, and SIGHUP would end the process.
  const again = settings.pipeline.files.length === 0 ? undefined : (): void => reload?.now?.();
  const signals = onSignals(log, waiting, again);
  running = await Running.open(settings, { ...options, appended }, systemClock, log);
  try {
    const { ledger, registry, state, deadLetters } = running;
    const earlier = ledger.totals(deadLetters.sink.name).accepted;
    const names = [...running.sources.values()].map(({ name }) => name).join(', ');
    const where = running.stores.map(({ name }) => name).join(', ') || 'nothing';
    const { metricsUrl: metrics } = running;
    log('info', `reading ${names}; storing in ${where}`, {
      version,
      ...(metrics === undefined ? {} : { metrics }),
      state: running.settings.state,
    });
    reload = reloads(running, read, log);
    const stop = AbortSignal.any([signals, running.left]);
    const counters = new Counters(registry, () => state.spool.usage());
    const lanes = (): readonly Lane[] => running.lanes.all;
    const look = watch({ clock: systemClock, counters, summary, ledger, lanes, deadLetters, spool: state.spool });
    // Rows that go to the same screen would run through the block.
    const shared = process.stdout.isTTY && running.stores.some(({ gone }) => gone !== undefined);
    if (options.summary !== 'never' && !shared && watched(process.stderr, process.env)) live.start(look);
    const result = await running.start(counters, stop).done;
    await reload.end();
    live.end();
    if (wanted) process.stderr.write(`\n${finalTable(summary, look(), process.stderr)}\n\n`);
    const letters = ledger.totals(deadLetters.sink.name).accepted - earlier;
    const sources = [...running.sources.values()];
    const ended = {
      result,
      ledger,
      lanes: running.all,
      letters,
      durable: state.durable,
      stopped: stop.aborted,
      sources,
    };
    const code = finish(ended, running.settings.state, log);
    if (running.failure === undefined) return code;
    log(
      'error',
      `a change of the pipeline ended in the middle, and so the run: ${running.failure.message}; start steptap again`,
    );
    return 1;
  } finally {
    live.end();
    await running.close();
  }
}
