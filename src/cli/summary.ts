import { Command, Option } from 'commander';
import { UsageError } from '../errors.ts';
import type { Log } from '../log.ts';
import { executionsOf } from '../report/executions.ts';
import { readingsOf } from '../report/nodes.ts';
import { panelTasks } from '../report/panel-tasks.ts';
import { panelsText } from '../report/panels-text.ts';
import { panelsOf } from '../report/panels.ts';
import { sessionsOf, type Session } from '../report/sessions.ts';
import { tablesIn, type Wanted } from '../report/store.ts';
import { executionJson, sessionJson } from '../report/summary-json.ts';
import { executionsText, sessionText } from '../report/summary-text.ts';
import { SinkError } from '../sinks/sink.ts';
import { paintFor } from '../terminal/paint.ts';
import { askServer, askState, type Answering } from './asking.ts';
import { placeOptions, type PlaceFlags } from './options.ts';
import { print } from './print.ts';
import { settingsOf } from './settings.ts';
import { storeOptions, type StoreFlags } from './store-flags.ts';
import { embeddedPath, namedStores } from './stores.ts';

interface SummaryFlags extends PlaceFlags, Pick<StoreFlags, 'clickhouse'> {
  session?: string;
  workflow?: string;
  json: boolean;
  panels: boolean;
  upstream: boolean;
}

export function summaryCommand(log: Log): Command {
  const command = new Command('summary')
    .description(
      'What became of the tasks of a session, of its workflows and of Flyte executions, and where their time went.',
    )
    .addOption(new Option('--session <id>', 'this session (default: the last ten)'))
    .addOption(new Option('--workflow <id>', 'the tasks of this workflow only'))
    .addOption(
      new Option('--json', "one JSON object a line: of a session what RHAPSODY's summary() gives, and more").default(
        false,
      ),
    )
    .addOption(
      new Option('--panels', 'the six panels of the last session too, drawn, or with --json as numbers').default(false),
    )
    .addOption(new Option('--upstream', "panels counted as AsyncFlow's example counts them").default(false));
  const [clickhouse] = storeOptions();
  for (const option of [...placeOptions(), clickhouse!]) command.addOption(option);
  return command
    .addHelpText(
      'after',
      `
Asks the embedded store of the state, also while a run writes to it, or the
ClickHouse that the options or the pipeline name. A duration is the time in
which a task was executed; what it waited for before stands apart from it.

Examples:
  steptap summary
  steptap summary --json | jq -c '[.session_id, .tasks]'
  steptap summary --panels --clickhouse http://clickhouse:8123`,
    )
    .action(async (flags: SummaryFlags) => {
      if (flags.upstream && !flags.panels) throw new UsageError('--upstream: it is about panels; add --panels');
      await summary(flags, log);
    });
}

async function summary(flags: SummaryFlags, log: Log): Promise<void> {
  try {
    const store = await storeOf(flags, log);
    try {
      await tell(store, flags);
    } finally {
      await store.close();
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const where = error instanceof SinkError ? '' : 'the question failed: ';
    throw new UsageError(`${where}${(error as Error).message}`, { cause: error });
  }
}

async function storeOf(flags: SummaryFlags, log: Log): Promise<Answering> {
  const settings = settingsOf(flags);
  const named = namedStores(settings).map(([, store]) => store);
  const found = named.find(({ type }) => type === 'clickhouse');
  if (found?.type === 'clickhouse' && found.path === undefined) return askServer(found, log);
  if (found === undefined && named.length > 0) {
    const advice = 'name one with --clickhouse URL, or have the pipeline write to one too';
    throw new UsageError(`a summary is asked of ClickHouse, and the pipeline has none: ${advice}`);
  }
  return askState(settings.state, found?.type === 'clickhouse' ? found.path! : embeddedPath(settings.state));
}

async function tell(store: Answering, flags: SummaryFlags): Promise<void> {
  const has = await tablesIn(store, ['tasks', 'events', 'resources']);
  if (!has.has('tasks')) {
    throw new UsageError(`${store.where} has no table tasks: a run that puts tasks together makes it`);
  }
  const wanted: Wanted = { session: flags.session, workflow: flags.workflow };
  const sessions = await sessionsOf(store, has, wanted);
  const asked = [flags.session, flags.workflow].filter((each) => each !== undefined);
  if (asked.length > 0 && sessions.length === 0) {
    const what = flags.session === undefined ? `--workflow ${flags.workflow}` : `--session ${flags.session}`;
    throw new UsageError(`${what}: ${store.where} has no task of it; steptap summary lists what there is`);
  }
  const ids = sessions.map(({ session_id }) => session_id);
  const readings = has.has('resources') ? await readingsOf(store, ids) : [];
  const executions = asked.length > 0 ? [] : await executionsOf(store);
  const panels = flags.panels ? await lastPanels(store, sessions, flags) : undefined;
  if (flags.json) {
    sessions.forEach((each, n) => print(JSON.stringify(sessionJson(each, readings, n === 0 ? panels : undefined))));
    for (const each of executions) print(JSON.stringify(executionJson(each)));
    return;
  }
  const columns = process.stdout.columns > 0 ? process.stdout.columns : 80;
  const paint = paintFor(process.stdout);
  const parts = sessions.map((each) => sessionText(each, readings, columns, paint));
  if (panels !== undefined) parts.splice(1, 0, panelsText(panels, columns, paint));
  if (executions.length > 0) parts.push(executionsText(executions, columns, paint));
  process.stdout.write(`${parts.map((lines) => lines.join('\n')).join('\n\n') || 'no tasks are stored'}\n`);
}

async function lastPanels(store: Answering, [last]: readonly Session[], flags: SummaryFlags) {
  if (last === undefined) return undefined;
  const tasks = await panelTasks(store, last.session_id, { workflow: flags.workflow });
  return panelsOf(tasks, flags.upstream ? 'upstream' : 'own', last.started_us);
}
