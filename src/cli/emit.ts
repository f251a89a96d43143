import { randomUUID } from 'node:crypto';
import { Argument, Command, Option } from 'commander';
import { didYouMean } from '../config/suggest.ts';
import { loadPipeline } from '../config/load.ts';
import { UsageError } from '../errors.ts';
import { readAssignments } from '../event-types/assign.ts';
import { eventLine } from '../event-types/write.ts';
import { epochTime, parseTime, storable } from '../time.ts';
import { several } from './options.ts';

interface EmitFlags {
  config?: readonly string[];
  session?: string;
  task?: string;
  workflow?: string;
  backend: string;
  time?: string;
}

export function emitCommand(): Command {
  return new Command('emit')
    .description('Write one event line to standard output, as RHAPSODY writes it, for scripts and tests.')
    .addArgument(new Argument('<type>', 'type of the event: myframework.ModelCheckpoint'))
    .addArgument(new Argument('[fields...]', 'its fields: key=value is read as the type says, key:=json as it stands'))
    .addOption(new Option('-c, --config <file>', 'the pipeline that declares the type').argParser(several))
    .addOption(new Option('--session <id>', 'session_id of the event (default: STEPTAP_SESSION, or steptap)'))
    .addOption(new Option('--task <id>', 'task_id of the event (default: none)'))
    .addOption(new Option('--workflow <id>', 'workflow that it belongs to (default: none)'))
    .addOption(new Option('--backend <name>', 'backend of the event').default('steptap'))
    .addOption(new Option('--time <time>', 'when it happened: ISO text, or seconds since 1970 (default: now)'))
    .addHelpText(
      'after',
      `
Examples:
  steptap emit my.Event count:=3 'shape:=[1, 2]' --session s1
  steptap emit -c pipelines/event-types.yaml \\
    myframework.ModelCheckpoint step=7 loss=inf

What the type declares and is not given has its default. A type that the
pipeline does not declare is refused, unless it says unknown_events: accept;
without a pipeline nothing is.`,
    )
    .action((type: string, fields: readonly string[], flags: EmitFlags) => {
      process.stdout.write(emitted(type, fields, flags));
    });
}

function emitted(name: string, given: readonly string[], flags: EmitFlags): string {
  const { types, config } = loadPipeline(flags.config ?? [], process.env);
  const type = types?.types.get(name);
  const free = flags.config === undefined || config.unknown_events === 'accept';
  if (type === undefined && !free) {
    throw new UsageError(
      `${name}: no such event type is declared${didYouMean(name, [...(types?.types.keys() ?? [])])}`,
    );
  }
  if (type === undefined && !/^[^\s.:]+([.:][^\s.:]+)+$/.test(name)) {
    throw new UsageError(`${name}: an event type has a namespace; write myframework.Checkpoint`);
  }
  const now = seconds(Date.now() * 1000);
  const session = flags.session ?? process.env['STEPTAP_SESSION'] ?? 'steptap';
  const base = {
    event_id: randomUUID().replaceAll('-', ''),
    event_type: name,
    event_time: flags.time === undefined ? now : seconds(timeOf(flags.time)),
    emit_time: now,
    session_id: session,
    backend: flags.backend,
    task_id: flags.task,
    attributes: flags.workflow === undefined ? {} : { 'asyncflow.workflow_id': flags.workflow },
  };
  return eventLine(base, type, readAssignments(given, type));
}

/** Microseconds since 1970. */
function timeOf(text: string): number {
  const us = /^[\d.]+$/.test(text) ? epochTime(Number(text)) : parseTime(text)?.us;
  if (us === undefined || !storable(us)) {
    throw new UsageError(`--time ${text}: write 2026-02-19T10:30:44Z or seconds since 1970`);
  }
  return us;
}

/** As Python prints a float. */
function seconds(us: number): string {
  const text = `${Math.floor(us / 1e6)}.${String(us % 1e6).padStart(6, '0')}`;
  return text.replace(/(\.\d+?)0+$/, '$1');
}
