import { Command, Option } from 'commander';
import { compare, type Comparison } from '../audit/compare.ts';
import { expectations, type Plan } from '../audit/expected.ts';
import { systemClock } from '../clock.ts';
import { letterId, readLetters, spooledLetters, type Letter } from '../dead-letters/letters.ts';
import { ReplayedFile } from '../dead-letters/replayed.ts';
import { acceptedBy, readCursors, type LaneCursor } from '../delivery/cursor.ts';
import { UsageError } from '../errors.ts';
import type { Log } from '../log.ts';
import { laneOf, SinkError, type Auditable, type Sink } from '../sinks/sink.ts';
import { diskFs } from '../spool/files.ts';
import type { IndexEntry } from '../spool/index-table.ts';
import { spoolFiles, standing } from '../spool/inspect.ts';
import { dayOf } from '../spool/segment.ts';
import { placeOptions, wholeNumber, type PlaceFlags } from './options.ts';
import { print, table } from './print.ts';
import { settingsOf } from './settings.ts';
import { keptSpool } from './state.ts';
import { storeOptions, type StoreFlags } from './store-flags.ts';
import { FILES, openStores } from './stores.ts';

interface AuditFlags extends PlaceFlags, StoreFlags {
  retention: string;
  json: boolean;
}

export function auditCommand(log: Log): Command {
  const command = new Command('audit')
    .description(
      'Compare what the ledger says was stored with what the sinks have, record by record; exit 1 when they differ.',
    )
    .addOption(
      new Option('--retention <days>', 'leave out what is older: the sinks have removed it').default(
        '',
        'nothing is left out',
      ),
    )
    .addOption(new Option('--json', 'one JSON object a line').default(false));
  for (const option of [...placeOptions(), ...storeOptions()]) command.addOption(option);
  return command
    .addHelpText(
      'after',
      `
Name the same --state and the same stores as the run. Works while the run goes
on, which has settled what is compared; an embedded store is only to be had when
no run has it.

Examples:
  steptap audit
  steptap audit --state /var/lib/steptap --retention 30 \\
    --clickhouse http://clickhouse:8123`,
    )
    .action(async (flags: AuditFlags) => {
      process.exitCode = await audit(flags, log);
    });
}

interface Result {
  readonly sink: string;
  readonly cursor: LaneCursor;
  readonly plan: Plan;
  readonly found: Comparison;
  /** Rows that were committed for it so far. */
  readonly accepted: number;
  /** Rows that the lane's own counters do not account for. */
  readonly open: number;
}

async function audit(flags: AuditFlags, log: Log): Promise<number> {
  const settings = settingsOf(flags);
  const { state } = settings;
  const directory = keptSpool(state);
  const first_day =
    flags.retention === '' ? '' : dayOf(systemClock.wall() - wholeNumber('--retention', flags.retention) * 86_400_000);
  const cursors = await readCursors(diskFs, directory);
  const { mark } = await standing(diskFs, directory);
  const entries: IndexEntry[] = [];
  for await (const file of spoolFiles(diskFs, directory)) for (const entry of file.entries) entries.push(entry);
  const letters = await lettersOf(state, directory, cursors.get('dead-letters')?.settled ?? 0);
  const { all: replayed } = await ReplayedFile.read(state);
  const opened = await openStores(settings, systemClock, log, true);
  try {
    const results: Result[] = [];
    for (const sink of opened.sinks) {
      const cursor = cursors.get(laneOf(sink));
      if (cursor === undefined) throw new UsageError(`--state ${state}: no run has written to ${sink.name} from here`);
      const plan = expectations(sink, cursor, entries, letters, replayed, first_day);
      const found = await compare(await audible(sink), plan, new AbortController().signal);
      const { stored, dead_lettered, lost, dropped } = cursor.totals;
      const passed = acceptedBy(cursor, sink.tables, cursor.at);
      const open =
        cursor.block === undefined && mark !== undefined ? passed - stored - dead_lettered - lost - dropped : 0;
      const accepted = acceptedBy(cursor, sink.tables, mark ?? cursor.at);
      results.push({ sink: sink.name, cursor, plan, found, accepted, open });
    }
    return report(results, flags.json);
  } catch (error) {
    if (!(error instanceof SinkError)) throw error;
    log('error', `the audit could not be made: ${error.message}`);
    return 1;
  } finally {
    await opened.close();
  }
}

/** Those in their files, and those that are still on their way there: a sink has settled their rows by then. Without their bytes, which may be many. */
async function lettersOf(state: string, directory: string, filed: number): Promise<Letter[]> {
  const letters = new Map<string, Letter>();
  for await (const { raw: _raw, raw_base64: _bytes, ...letter } of readLetters(state))
    letters.set(letterId(letter), letter);
  for await (const { raw: _raw, raw_base64: _bytes, ...letter } of spooledLetters(diskFs, directory, filed + 1))
    letters.set(letterId(letter), letter);
  return [...letters.values()];
}

async function audible(sink: Sink): Promise<Auditable> {
  if (sink.stored === undefined)
    throw new UsageError(`${sink.describe()} has no identity columns: there is nothing to audit by`);
  if (sink.name !== FILES) await sink.open(new AbortController().signal);
  return { stored: (range, signal) => sink.stored!(range, signal) };
}

function report(results: readonly Result[], json: boolean): number {
  const sound = ({ found, open, cursor }: Result): boolean =>
    found.differing === 0 && open === 0 && cursor.totals.lost === 0;
  if (json) {
    for (const result of results) {
      const { sink, found, plan, open, cursor, accepted } = result;
      const { differences, ...totals } = found;
      print(
        JSON.stringify({
          sink,
          closed: sound(result),
          ...totals,
          unaccounted: open,
          ...cursor.totals,
          accepted,
          records_dropped: plan.dropped,
          records_outside: plan.outside,
          records_forgotten: plan.forgotten,
          rows_replaceable: plan.replaceable,
        }),
      );
      for (const difference of differences) print(JSON.stringify({ sink, ...difference }));
    }
    return results.every(sound) ? 0 : 1;
  }
  print(
    table(
      results.map((result) => ({
        sink: result.sink,
        records: result.found.records,
        rows: result.found.rows,
        missing: result.found.missing,
        duplicates: result.found.duplicates,
        'dead letters': result.cursor.totals.dead_lettered,
        lost: result.cursor.totals.lost,
        dropped: result.cursor.totals.dropped,
        result: sound(result) ? 'closed' : 'OPEN',
      })),
      ['dead letters', 'lost', 'dropped'],
    ),
  );
  for (const { sink, found, plan, open, cursor } of results) {
    if (plan.forgotten > 0)
      print(`${sink}: of ${plan.forgotten} of its records no index is left, so that they were not compared`);
    if (plan.outside > 0) print(`${sink}: ${plan.outside} records are older than that, and were left out`);
    if (plan.replaceable > 0)
      print(
        `${sink}: ${plan.replaceable} rows of tasks were not compared, since a newer row of a task replaces the older`,
      );
    if (plan.dropped > 0)
      print(`${sink}: ${plan.dropped} records were given up when the spool was full, and were left out`);
    if (open !== 0)
      print(`${sink}: the lane has passed ${open} rows that are neither stored nor dead letters nor lost`);
    if (cursor.totals.lost > 0)
      print(`${sink}: ${cursor.totals.lost} rows were in records of the spool that were damaged`);
    const shown = found.differences.slice(0, 20);
    for (const of of new Set(shown.map((each) => each.table))) {
      const rows = shown
        .filter((each) => each.table === of)
        .map(({ day, src, seq, rows: expected, stored, distinct }) => ({
          _day: day,
          _src: src,
          _seq: seq,
          expected,
          stored,
          distinct,
        }));
      print(`\n${sink}, ${of}:\n${table(rows)}`);
    }
    if (found.differing > shown.length) print(`and ${found.differing - shown.length} more; --json lists up to 1000`);
  }
  return results.every(sound) ? 0 : 1;
}
