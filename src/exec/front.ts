import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, writeSync } from 'node:fs';
import { errorCode } from '../errors.ts';
import { Copy } from './copy.ts';
import { inherited } from './inherited.ts';
import { endAs, forwardSignals, leaveOnSignal, type Outcome } from './signals.ts';
import { closeTape, openTape, type NewTape } from './tape.ts';
import { Tapping } from './tapping.ts';
import { written } from './writers.ts';

/** With it set, flytekit writes its steps there itself, and nothing to standard error. */
const TAKEN = 'FLYTE_TELEMETRY_CLICKHOUSE_URL';

/** From descriptor 3 on; those between two of them stay closed. */
const more = inherited();
const GIVEN = Array.from({ length: Math.max(2, ...more) - 2 }, (_, n) => (more.has(n + 3) ? n + 3 : 'ignore'));

/** What outlives the command for a moment (Python's resource tracker) is waited for; a daemon is left to the tapping process. */
const STRAGGLERS_MS = 300;

/**
 * Runs a command and taps its standard error.
 *
 *   command -> tape (a file) -> copied by this process -> standard error
 *                           \-> read by the tapping process -> pipeline
 *
 * This process is all that the command depends on, and it depends on nothing of the pipeline. When it is killed, the tapping process copies the rest.
 */
export async function exec(options: readonly string[], command: readonly string[]): Promise<void> {
  const tapped = options.length > 0 || (process.env[TAKEN] ?? '').trim() !== '';
  let tape = tapped ? openTape() : undefined;
  const tapping = tape === undefined ? undefined : new Tapping(tape, options);
  const verdict = await tapping?.verdict;
  if (typeof verdict === 'object') {
    say(verdict.usage);
    process.exit(2);
  }
  if (verdict === 'idle') {
    closeTape(tape!);
    tape = undefined;
  }
  endAs(await (tape === undefined ? run(command, undefined) : runTapped(command, tape, tapping!)));
}

async function runTapped(command: readonly string[], tape: NewTape, tapping: Tapping): Promise<Outcome> {
  const copy = new Copy(tape, 2);
  const ended = new AbortController();
  const running = run(command, tape.append);
  closeSync(tape.append);
  const copying = copy.run(ended.signal);
  const outcome = await running;
  // Whoever reads standard error may have stopped, and then nothing else ends this.
  leaveOnSignal(() => endAs(outcome));
  ended.abort();
  await copying;
  tapping.hurry();
  // Where this is the first process, all others end with it.
  const until = Date.now() + (process.pid === 1 ? tapping.grace_ms : STRAGGLERS_MS);
  while (written(tape.fd)) {
    if (Date.now() >= until && tapping.alive) return outcome;
    await copy.run(AbortSignal.timeout(20));
  }
  await copy.run(AbortSignal.abort());
  await tapping.end();
  return outcome;
}

/** `errors`: the command's standard error, if it is not this process's. */
async function run([file = '', ...args]: readonly string[], errors: number | undefined): Promise<Outcome> {
  const environment = { ...process.env };
  if (errors !== undefined) delete environment[TAKEN];
  let child: ChildProcess;
  try {
    child = spawn(file, args, { stdio: ['inherit', 'inherit', errors ?? 'inherit', ...GIVEN], env: environment });
  } catch (error) {
    return notStarted(file, error);
  }
  forwardSignals(child);
  return new Promise((resolve) => {
    child.once('error', (error) => {
      if (child.pid === undefined) resolve(notStarted(file, error));
    });
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
}

/** With the exit codes of a shell and of env(1). */
function notStarted(file: string, error: unknown): Outcome {
  const code = errorCode(error);
  const reason = code === 'ENOENT' ? 'there is no such command' : `it cannot be started (${code ?? String(error)})`;
  say(`steptap: ${file}: ${reason}\n`);
  return { code: code === 'ENOENT' ? 127 : 126, signal: null };
}

function say(text: string): void {
  try {
    writeSync(2, text);
  } catch {
    // Nobody reads it.
  }
}
