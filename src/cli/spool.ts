import { basename } from 'node:path';
import { Command, Option } from 'commander';
import { TABLES, type Table } from '../batch.ts';
import { readCursors, type LaneCursor } from '../delivery/cursor.ts';
import { Body, columnIdentity, writeRows } from '../sinks/identity.ts';
import { diskFs } from '../spool/files.ts';
import { spoolFiles, spoolRecords, standing } from '../spool/inspect.ts';
import { between, rowsBy } from '../spool/mark.ts';
import { recordOf } from '../spool/record.ts';
import { placeOptions, wholeNumber, type PlaceFlags } from './options.ts';
import { print, table } from './print.ts';
import { settingsOf } from './settings.ts';
import { keptSpool } from './state.ts';

interface SpoolFlags {
  state: string;
  json: boolean;
  from: string;
  to: string;
  table?: Table;
}

export function spoolCommand(): Command {
  const command = new Command('spool').description(
    'Look into the spool: what waits for which sink, and whether it is sound. Works while a run is writing to it.',
  );
  const add = (
    name: string,
    description: string,
    examples: string,
    action: (flags: SpoolFlags) => Promise<number>,
  ): Command => {
    const made = new Command(name).description(description).addHelpText('after', `\nExamples:\n${examples}`);
    for (const option of placeOptions()) made.addOption(option);
    made.action(async (flags: Omit<SpoolFlags, 'state'> & PlaceFlags) => {
      process.exitCode = await action({ ...flags, state: settingsOf(flags).state });
    });
    command.addCommand(made);
    return made;
  };
  const json = (): Option => new Option('--json', 'one JSON object a line').default(false);
  const from = (): Option => new Option('--from <record>', 'the first record').default('1');
  const to = (): Option => new Option('--to <record>', 'the last record').default('', 'the newest');
  const of = (): Option => new Option('--table <name>', 'rows of this table only').choices([...TABLES]);
  const ls_examples = `\
  steptap spool ls
  steptap spool ls --state /var/lib/steptap --json`;
  add('ls', 'List segments, sinks and sources.', ls_examples, ls).addOption(json());
  const verify_examples = `\
  steptap spool verify --state /var/lib/steptap`;
  add('verify', 'Read every record and check its checksum; exit 1 when something is damaged.', verify_examples, verify);
  const cat_examples = `\
  steptap spool cat
  steptap spool cat --from 120 --to 140 --json`;
  add('cat', 'Print the records: when, from where, how many rows.', cat_examples, cat)
    .addOption(from())
    .addOption(to())
    .addOption(json());
  const export_examples = `\
  steptap spool export --table steps --from 120 --to 140 > steps.ndjson
  steptap spool export --table steps | clickhouse-client \\
    --date_time_input_format best_effort \\
    --query 'INSERT INTO steps FORMAT JSONEachRow'`;
  add(
    'export',
    'Print the rows as NDJSON, with the identity columns, as ClickHouse gets them.',
    export_examples,
    exported,
  )
    .addOption(from())
    .addOption(to())
    .addOption(of());
  return command.addHelpText(
    'after',
    `
Examples:
  steptap spool ls
  steptap spool verify --state /var/lib/steptap
  steptap spool export --table steps > steps.ndjson`,
  );
}

async function ls({ state, json }: SpoolFlags): Promise<number> {
  const directory = keptSpool(state);
  const segments = [];
  for await (const { path, kind, bytes, sealed, entries } of spoolFiles(diskFs, directory)) {
    if (kind === 'retired') continue;
    const rows = rowsBy((name) => entries.reduce((sum, entry) => sum + entry[name], 0));
    const [first, last] = [entries[0], entries.at(-1)];
    segments.push({
      path,
      kind,
      bytes,
      sealed,
      first: first?.seq,
      last: last?.seq,
      days: days(first?.day, last?.day),
      ...rows,
    });
  }
  const { last, mark, positions } = await standing(diskFs, directory);
  const lanes = [...(await readCursors(diskFs, directory))].map(([sink, cursor]) => laneLine(sink, cursor, last, mark));
  if (json) {
    for (const segment of segments) print(JSON.stringify({ segment }));
    for (const lane of lanes) print(JSON.stringify({ sink: lane }));
    for (const [source, position] of positions) print(JSON.stringify({ source, position }));
    return 0;
  }
  print(
    table(
      segments.map(({ path, kind, bytes, sealed, first, last: to, days: when, rejections, ...rest }) => ({
        segment: basename(path),
        state: kind === 'set aside' ? kind : sealed ? 'closed' : 'open',
        bytes,
        records: first === undefined ? '' : `${first}..${to}`,
        // A terminal has 80 columns; --json says the year too.
        days: when.replaceAll(/\d{4}-/g, ''),
        ...rest,
        rejected: rejections,
      })),
      RARE,
    ),
  );
  print('');
  print(lanes.length === 0 ? 'no sink has come to anything yet' : table(lanes.map(shortLane), RARE));
  print('');
  // A source may be a long path: it stands last.
  // A stage goes by records, as a sink does.
  const read = [...positions].filter(([source]) => !source.startsWith('stage:'));
  const sources = read.map(([source, { offset, carry }]) => ({
    offset: Number(offset ?? 0),
    unfinished: carry === undefined ? '' : 'yes',
    source,
  }));
  print(sources.length === 0 ? 'no source has a position' : table(sources));
  return 0;
}

/** Columns that are left out when there is nothing in them. */
const RARE = ['logs', 'events', 'resources', 'tasks', 'rejections', 'rejected', 'dead letters', 'lost', 'dropped'];

function shortLane(lane: ReturnType<typeof laneLine>): Record<string, string | number> {
  const { sink, settled, records_waiting, bytes_waiting, in_flight, stored, dead_lettered, lost, dropped } = lane;
  const waiting = { waiting: records_waiting, 'in bytes': bytes_waiting, sending: in_flight ?? '' };
  return { sink, settled, ...waiting, stored, 'dead letters': dead_lettered, lost, dropped };
}

function laneLine(sink: string, cursor: LaneCursor, last: number, mark: Parameters<typeof between>[1] | undefined) {
  const behind = mark === undefined ? undefined : between(cursor.at, mark);
  const { stored, dead_lettered, lost, dropped } = cursor.totals;
  return {
    sink,
    settled: cursor.settled,
    records_waiting: Math.max(0, last - cursor.settled),
    bytes_waiting: Math.max(0, behind?.bytes ?? 0),
    in_flight: cursor.block === undefined ? undefined : `${cursor.block.from}..${cursor.block.to}`,
    stored,
    dead_lettered,
    lost,
    dropped,
  };
}

async function verify({ state }: SpoolFlags): Promise<number> {
  const directory = keptSpool(state);
  let records = 0;
  let damages = 0;
  let last: number | undefined;
  for await (const { path, at, header, batch, ...rest } of spoolRecords(diskFs, directory)) {
    if (batch !== undefined) {
      if (last !== undefined && header.seq > last + 1) {
        // A start after a lost end leaves out numbers, never rows: those are told by what was committed before.
        print(`records ${last + 1} to ${header.seq - 1} are missing before ${path}, byte ${at}`);
      }
      last = header.seq;
      records += 1;
      continue;
    }
    const bytes = 'bytes' in rest ? rest.bytes : 0;
    if ('unfinished' in rest && rest.unfinished) {
      print(`${path}, byte ${at}: ${bytes} bytes are being written, or were when the run ended; nothing was lost`);
      continue;
    }
    damages += 1;
    const what = header === undefined ? `${bytes} bytes are no record` : `record ${header.seq} is damaged`;
    print(`${path}, byte ${at}: ${what}`);
  }
  for await (const { path, kind } of spoolFiles(diskFs, directory)) {
    if (kind !== 'set aside') continue;
    damages += 1;
    print(`${path}: nothing in it could be read; it was set aside`);
  }
  print(
    damages === 0
      ? `${records} records, all sound`
      : `${records} records are sound, ${damages === 1 ? '1 place is' : `${damages} places are`} damaged`,
  );
  return damages === 0 ? 0 : 1;
}

async function cat({ state, json, ...flags }: SpoolFlags): Promise<number> {
  const lines = [];
  for await (const { header, batch } of spoolRecords(diskFs, keptSpool(state), ...range(flags))) {
    if (batch === undefined) continue;
    const { seq, day, src, committed_ms, size } = header;
    const at = new Date(committed_ms).toISOString();
    const rows = rowsBy((name) => size[name]);
    const { source, lines: taken, position } = batch;
    if (json) print(JSON.stringify({ seq, src, day, at, source, lines: taken, ...rows, position }));
    else
      lines.push({
        record: seq,
        committed: `${at.slice(5, 10)} ${at.slice(11, 19)}`,
        bytes: size.bytes,
        lines: taken,
        ...rows,
        source,
      });
  }
  if (!json) print(lines.length === 0 ? 'no records' : table(lines, RARE));
  return 0;
}

async function exported({ state, table: only, ...flags }: SpoolFlags): Promise<number> {
  const body = new Body(1 << 16);
  for await (const { header, batch } of spoolRecords(diskFs, keptSpool(state), ...range(flags))) {
    if (batch === undefined) continue;
    const record = recordOf(header, batch, 0);
    for (const [index, rows] of batch.rows.entries()) {
      if (only !== undefined && rows.table !== only) continue;
      body.length = 0;
      const slice = { record, rows, base: record.bases[index]!, from: 0, to: rows.ends.length };
      writeRows(
        { table: rows.table, day: header.day, token: '', slices: [slice], count: slice.to, in_doubt: false },
        body,
        columnIdentity,
      );
      if (!process.stdout.write(Buffer.from(body.view())))
        await new Promise((resolve) => process.stdout.once('drain', resolve));
    }
  }
  return 0;
}

function range({ from, to }: Pick<SpoolFlags, 'from' | 'to'>): [number, number] {
  return [wholeNumber('--from', from), to === '' ? Number.POSITIVE_INFINITY : wholeNumber('--to', to)];
}

function days(first: string | undefined, last: string | undefined): string {
  if (first === undefined || last === undefined) return '';
  return first === last ? first : `${first}..${last}`;
}
