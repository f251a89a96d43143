import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { failed, type CheckItem, type CheckPart } from '../check/item.ts';
import { systemClock } from '../clock.ts';
import { checkKubernetes } from '../kubernetes/check.ts';
import type { SourceConfig } from '../config/schema.ts';
import type { Log } from '../log.ts';
import type { TokenListenerOptions } from '../listening/schema.ts';
import { checkMetrics } from '../sinks/prometheus/check.ts';
import { asSinkError, laneOf, type Sink } from '../sinks/sink.ts';
import { checkFile } from '../sources/file/check.ts';
import { checkFiles } from '../sources/files/check.ts';
import { checkForward } from '../sources/forward/check.ts';
import { checkPosts } from '../posts/check.ts';
import { checkStdin } from '../sources/stdin/check.ts';
import { detachStdin } from '../sources/stdin/detach.ts';
import { checkState, type StateCheck } from '../state/check.ts';
import { pipelineItems } from './check-pipeline.ts';
import { checkTable } from './check-table.ts';
import { refuseBothOut } from './inputs.ts';
import { refuseOpen } from './listeners.ts';
import { list } from './options.ts';
import { runOptions, type RunFlags } from './run-options.ts';
import {
  clickhouseHttpSettings,
  decoding,
  httpSettings,
  metricsSettings,
  settingsOf,
  stateSettings,
  type Settings,
} from './settings.ts';
import { LEAST_BYTES, NO_STATE } from './state.ts';
import { droppable, plannedStores } from './stores.ts';

interface CheckFlags extends RunFlags {
  readonly json: boolean;
}

export function checkCommand(): Command {
  const command = new Command('check').description(
    'Say what a run with the same files and options would find: servers, rights, tables, files, state. Changes nothing.',
  );
  for (const option of runOptions()) command.addOption(option);
  return command
    .addOption(new Option('--json', 'one JSON object a line').default(false))
    .addHelpText('after', HELP)
    .action(async (flags: CheckFlags) => {
      process.exitCode = await check(flags);
    });
}

const HELP = `
Exit codes: 0 a run would work, 1 something is missing that it needs,
2 an option or the configuration is wrong.

Examples:
  steptap check -c pipeline.yaml
  steptap check --input pod.log --clickhouse http://clickhouse:8123
  steptap check -c pipeline.yaml --json > check.ndjson`;

async function check(flags: CheckFlags): Promise<number> {
  const parts = await partsOf(flags);
  const { stdout } = process;
  if (flags.json) {
    for (const { part, items } of parts) {
      for (const item of items) stdout.write(`${JSON.stringify({ part, ...item })}\n`);
    }
  } else {
    const columns = stdout.isTTY ? stdout.columns : 120;
    stdout.write(`${checkTable(parts, columns, stdout.isTTY && !process.env['NO_COLOR'])}\n`);
  }
  return parts.some(({ items }) => items.some(({ state }) => state === 'problem')) ? 1 : 0;
}

/** Throws a UsageError for everything for which a run would end with one before it looks at anything. */
async function partsOf(flags: CheckFlags): Promise<CheckPart[]> {
  const settings = settingsOf(flags);
  refuseOpen(settings);
  refuseBothOut(settings);
  const pipeline = pipelineItems(settings, decoding(settings));
  const metrics = checkedMetrics(settings);
  // Before the embedded engine is loaded, which takes standard input away.
  const stdin = checkStdin(settings.config.sources !== undefined);
  const notes: CheckItem[] = [];
  const log: Log = (_, message) => notes.push({ what: 'store', where: '', state: 'warning', found: message });
  const where = { settings, store: flags.store !== false };
  const plans = await plannedStores(where, systemClock, log, () => detachStdin(false));
  const sinks = plans.map((plan) => plan.create());
  droppable(flags.dropOldest === undefined ? undefined : list(flags.dropOldest), plans);
  const state = await stateOf(settings, [...sinks.map(laneOf), 'dead-letters']);
  if (sinks.length === 0) {
    notes.push({ what: 'sinks', where: '', state: 'warning', found: 'rows are not kept: steps only become metrics' });
  }
  return [
    { part: 'pipeline', items: [...pipeline, ...notes] },
    ...(await Promise.all(sourceParts(settings, stdin, state))),
    ...(await kubernetesParts(settings)),
    { part: 'state', items: state.items },
    ...(await Promise.all([...sinks.map(sinkPart), ...metrics.map(metricsPart)])),
  ];
}

/** The address of the metrics, if they are wanted. */
function checkedMetrics(settings: Settings): { name: string; place: TokenListenerOptions }[] {
  const metrics = metricsSettings(settings);
  if (metrics === undefined) return [];
  const [name] = Object.entries(settings.config.sinks ?? {}).find(([, { type }]) => type === 'prometheus') ?? [
    'prometheus',
  ];
  return [{ name, place: metrics.place }];
}

async function metricsPart({ name, place }: { name: string; place: TokenListenerOptions }): Promise<CheckPart> {
  return { part: `sink ${name}`, items: await checkMetrics(place, systemClock.wall()) };
}

async function stateOf(settings: Settings, lanes: readonly string[]): Promise<StateCheck> {
  const { state, spool_bytes } = stateSettings(settings);
  if (state !== NO_STATE) return checkState(state, lanes, spool_bytes, LEAST_BYTES);
  const found = 'nothing is kept: what is not delivered when the run ends is lost';
  return { items: [{ what: 'directory', where: 'none', state: 'ok', found }], positions: new Map() };
}

function sourceParts(settings: Settings, stdin: CheckItem, { positions }: StateCheck): Promise<CheckPart>[] {
  const { config, pipeline } = settings;
  const said = Object.entries(config.sources ?? {});
  const named = said.length === 0 ? [['stdin', { type: 'stdin' }] as const] : said;
  const itemsOf = (name: string, source: SourceConfig): CheckItem[] | Promise<CheckItem[]> => {
    if (source.type === 'stdin') return [stdin];
    if (source.type === 'files') return checkFiles(source, positions, process.env);
    if (source.type === 'forward') return checkForward(source, systemClock.wall());
    if (source.type === 'clickhouse-http') {
      const { password_file } = source;
      return checkPosts(clickhouseHttpSettings(pipeline, name, source), systemClock.wall(), password_file);
    }
    if (source.type === 'http')
      return checkPosts(
        httpSettings(pipeline, name, source),
        systemClock.wall(),
        source.token_file ?? source.signature_secret_file,
      );
    return checkFile(source.path, source, positions.get(resolve(source.path)));
  };
  return named.map(async ([name, source]) => ({ part: `source ${name}`, items: await itemsOf(name, source) }));
}

async function kubernetesParts({ config }: Settings): Promise<CheckPart[]> {
  const options = config.enrichment?.kubernetes;
  if (options === undefined) return [];
  return [{ part: 'kubernetes', items: await checkKubernetes(options, process.env, systemClock) }];
}

/** A sink that fails to say what is wrong is no reason not to hear the others. */
async function sinkPart(sink: Sink): Promise<CheckPart> {
  const items: CheckItem[] = [{ what: 'rows', where: '', state: 'ok', found: [...sink.tables].join(', ') }];
  try {
    items.push(...((await sink.check?.(new AbortController().signal)) ?? []));
  } catch (error) {
    items.push({ what: 'sink', where: '', state: 'problem', ...failed(asSinkError(error).message, '') });
  } finally {
    await sink.close();
  }
  return { part: `sink ${sink.name}`, items };
}
