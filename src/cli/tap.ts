import { closeSync, fstatSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { OVER, systemClock } from '../clock.ts';
import { UsageError } from '../errors.ts';
import { Copy } from '../exec/copy.ts';
import { Reclaim } from '../exec/reclaim.ts';
import { DESCRIPTORS } from '../exec/tape.ts';
import type { Report } from '../exec/tapping.ts';
import { written } from '../exec/writers.ts';
import type { Log } from '../log.ts';
import { growingFile } from '../sources/exec/index.ts';
import { lockHolder } from '../state/lock.ts';
import { execOptions, execSettings, namesSink, storesOf, type ExecFlags } from './exec-options.ts';
import { logInto } from './exec-log.ts';
import { run, type RunOptions } from './run.ts';
import { graceMs } from './settings.ts';
import { NO_STATE } from './state.ts';

interface TapFlags extends ExecFlags {
  name: string;
  at?: string;
}

/** How often a tape is looked for writers when the process that started this one is gone. */
const WRITERS_MS = 1_000;

/** The second process of `steptap exec`, which only that starts. */
export function tapCommand(log: Log): Command {
  const command = new Command('tap')
    .requiredOption('--name <name>', 'the name of the source')
    .option('--at <directory>', 'the state that an earlier process of the same command had');
  for (const option of execOptions()) command.addOption(option);
  return command.action(async (flags: TapFlags) => {
    process.exit(await tap(flags, log));
  });
}

async function tap(flags: TapFlags, first: Log): Promise<number> {
  const { name, at, ...options } = flags;
  const settings = execSettings(options);
  let { state } = settings;
  // Only when it is this one's: of two that find it free, one has to look again.
  const source = growingFile(name, DESCRIPTORS.fd, systemClock, () => report({ state }));
  const space = new Reclaim();
  let committed = 0;
  let log = first;
  let over: Promise<void> | undefined;
  const told: Log = (...entry) => log(...entry);
  const given: RunOptions = {
    store: false,
    drop_oldest: storesOf(settings),
    metrics_optional: true,
    summary: 'never',
    sources: [source],
    checked(checked) {
      const idle = !namesSink(checked);
      report({ idle, grace_ms: graceMs(checked) });
      if (idle) process.exit(0);
      log = logInto(state === NO_STATE ? undefined : state);
      over = tapeOver().then(() => {
        source.end();
        endWithoutRoom(() => committed, graceMs(checked), told);
      });
      state = at ?? freeState(state);
      const { config } = checked;
      return { ...checked, state, config: { ...config, state: { ...config.state, directory: state } } };
    },
    appended({ batch: { source: of, position } }) {
      if (of !== source.name) return;
      committed = Number(position['offset'] ?? 0);
      space.committed(committed);
    },
  };
  // Read once: under a command a pipeline stays as it is.
  const fixed = { ...settings, pipeline: { ...settings.pipeline, files: [] } };
  const code = await run(() => fixed, given, told).catch((error: unknown) => {
    // Else the options are wrong, and that is told to whoever has given them.
    if (over === undefined) throw error;
    log('error', error instanceof UsageError ? error.message : String((error as Error).stack ?? error));
    return error instanceof UsageError ? 2 : 1;
  });
  // Though nothing is stored any more, somebody has to copy.
  if (tookOver) await over;
  return code;
}

/** What is left cannot be taken while the disk is full: when a grace period has brought nothing, it is given up. */
function endWithoutRoom(committed: () => number, grace_ms: number, log: Log): void {
  let before = -1;
  setInterval(
    () => {
      const left = fstatSync(DESCRIPTORS.fd).size - committed();
      if (left <= 0 || committed() !== before) {
        before = committed();
        return;
      }
      log('error', `${left} bytes of standard error were not read: the spool has no room for them`, { bytes: left });
      process.emit('SIGTERM');
      before = -1;
    },
    Math.max(grace_ms, 1_000),
  ).unref();
}

let tookOver = false;

/** Resolves when nothing is written to the tape any more. The process that started this one says so; if it is gone, it is found out, and the rest is copied. */
async function tapeOver(): Promise<void> {
  const told = await new Promise<boolean>((resolve) => {
    process.stdin.once('data', () => resolve(true));
    for (const event of ['end', 'error', 'close']) process.stdin.once(event, () => resolve(false));
  });
  if (!told) {
    tookOver = true;
    const copy = new Copy(DESCRIPTORS, DESCRIPTORS.stderr);
    do await copy.run(AbortSignal.timeout(WRITERS_MS));
    while (written(DESCRIPTORS.fd));
    await copy.run(AbortSignal.abort(OVER));
  }
  // Whoever reads it may wait for its end.
  closeSync(DESCRIPTORS.stderr);
  report({ closed: true });
}

function report(what: Partial<Report>): void {
  try {
    writeSync(1, `${JSON.stringify(what)}\n`);
  } catch {
    // The other process is gone; the control pipe says so too.
  }
}

/** The first that nobody has, of `<state>`, `<state>/exec-1`, ...: what an earlier command left in it is delivered too. */
function freeState(state: string): string {
  if (state === NO_STATE) return state;
  for (let number = 0; ; number++) {
    const directory = number === 0 ? state : join(state, `exec-${number}`);
    if (lockHolder(directory) === undefined) return directory;
  }
}
