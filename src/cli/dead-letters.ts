import { Command, Option } from 'commander';
import { systemClock } from '../clock.ts';
import type { DecodeOptions } from '../decode.ts';
import {
  chosen,
  letterId,
  lettersDirectory,
  rawOf,
  readLetters,
  type Choice,
  type Letter,
} from '../dead-letters/letters.ts';
import { replay, type ReplayResult } from '../dead-letters/replay.ts';
import { ReplayedFile } from '../dead-letters/replayed.ts';
import { readAgain, refusedRow, type Returning } from '../dead-letters/returning.ts';
import { UsageError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Sink } from '../sinks/sink.ts';
import { lockState } from '../state/lock.ts';
import { decodeOptions, type DecodeFlags } from './decode-options.ts';
import { placeOptions, stateWords, wholeNumber, type PlaceFlags } from './options.ts';
import { print, table } from './print.ts';
import { decoding, settingsOf } from './settings.ts';
import { keptState } from './state.ts';
import { storeOptions, type StoreFlags } from './store-flags.ts';
import { openStores } from './stores.ts';

interface GivenFlags extends PlaceFlags, StoreFlags, DecodeFlags, Choice {
  json: boolean;
  limit: string;
}

type Flags = GivenFlags & { readonly state: string };

export function deadLettersCommand(log: Log): Command {
  const command = new Command('dead-letters').description(
    'What could not be stored, why, and how to store it after the cause is fixed.',
  );
  const add = (name: string, description: string, examples: string): Command => {
    const made = new Command(name)
      .description(description)
      .addOption(new Option('--sink <name>', 'those of this sink: clickhouse, elasticsearch'))
      .addOption(new Option('--reason <name>', 'those with this reason or code: schema, json_syntax, sink, 27, ...'))
      .addHelpText('after', `\nExamples:\n${examples}`);
    for (const option of placeOptions()) made.addOption(option);
    command.addCommand(made);
    return made;
  };
  const ls_examples = `\
  steptap dead-letters ls
  steptap dead-letters ls --sink clickhouse --json`;
  add('ls', 'Count them by reason, sink and code.', ls_examples)
    .addOption(new Option('--json', 'one JSON object a line').default(false))
    .action((flags: GivenFlags) => ls(placed(flags)));
  const show_examples = `\
  steptap dead-letters show --reason schema --limit 3
  steptap dead-letters show --json > letters.ndjson`;
  add('show', 'Print them whole: where each came from, why it was refused, and its bytes.', show_examples)
    .argument('[id]', 'one of them, as ls and show name it')
    .addOption(new Option('--limit <number>', 'no more than so many').default('20'))
    .addOption(new Option('--json', 'as they stand in their files').default(false))
    .action((id: string | undefined, flags: GivenFlags) => show(id, placed(flags)));
  const again = add(
    'replay',
    'Store them now. Rows keep the identity that they always had, so that each is stored once, however often this is run.',
    `\
  steptap dead-letters replay
  steptap dead-letters replay --sink clickhouse \\
    --clickhouse http://clickhouse:8123`,
  );
  for (const option of [...storeOptions(), ...decodeOptions()]) again.addOption(option);
  again.action(async (flags: GivenFlags) => {
    process.exitCode = await replayAll(placed(flags), log);
  });
  return command.addHelpText(
    'after',
    `
A row that a sink refused is sent to that sink again. A line that was no event
is read again, with the options given here, and goes to every store. Name the
same --state and the same stores as the run, which may go on meanwhile.

Examples:
  steptap dead-letters ls
  steptap dead-letters show --reason schema --limit 3
  steptap dead-letters replay --clickhouse http://clickhouse:8123`,
  );
}

function placed(flags: GivenFlags): Flags {
  return { ...flags, state: settingsOf(flags).state };
}

async function ls(flags: Flags): Promise<void> {
  keptState(flags.state);
  const { letters: replayed } = await ReplayedFile.read(flags.state);
  const groups = new Map<
    string,
    {
      reason: string;
      sink: string;
      code: string;
      letters: number;
      rows: number;
      replayed: number;
      first: string;
      last: string;
      example: string;
      detail: string;
    }
  >();
  for await (const letter of readLetters(flags.state)) {
    if (!chosen(letter, flags)) continue;
    const { reason, sink = '', code = '', ts, rows = 1, detail } = letter;
    const key = `${reason} ${sink} ${code}`;
    const group = groups.get(key) ?? {
      reason,
      sink,
      code,
      letters: 0,
      rows: 0,
      replayed: 0,
      first: ts,
      last: ts,
      example: letterId(letter),
      detail,
    };
    group.letters += 1;
    group.rows += rows;
    if (replayed.has(letterId(letter))) group.replayed += 1;
    group.last = ts;
    groups.set(key, group);
  }
  const found = [...groups.values()];
  if (flags.json) for (const group of found) print(JSON.stringify(group));
  else if (found.length === 0) print(`no dead letters in ${lettersDirectory(flags.state)}`);
  else {
    print(
      table(
        found.map(({ reason, sink, code, letters, rows, replayed: back, last }) => ({
          // Either is what --reason takes.
          reason: code === '' ? reason : code,
          sink,
          letters,
          rows: rows === letters ? undefined : rows,
          replayed: back,
          last: `${last.slice(5, 10)} ${last.slice(11, 16)}`,
        })),
        ['replayed'],
      ),
    );
    const state = stateWords(flags.state);
    for (const { reason, code, detail, example } of found)
      print(`\n${code === '' ? reason : code}: ${detail}\n  steptap dead-letters show${state} ${example}`);
  }
}

async function show(id: string | undefined, flags: Flags): Promise<void> {
  keptState(flags.state);
  let left = wholeNumber('--limit', flags.limit);
  let shown = 0;
  for await (const letter of readLetters(flags.state)) {
    if (!chosen(letter, flags) || (id !== undefined && letterId(letter) !== id)) continue;
    if (left-- === 0) {
      if (!flags.json) print('there are more; --limit shows them');
      return;
    }
    shown += 1;
    print(flags.json ? JSON.stringify(letter) : described(letter));
  }
  if (shown === 0 && id !== undefined)
    throw new UsageError(`${id}: there is no such dead letter in ${lettersDirectory(flags.state)}`);
}

function described(letter: Letter): string {
  const { raw: _raw, raw_base64, _day, _src, _seq, _i, reason, detail, ...rest } = letter;
  const fields = Object.entries(rest).map(([name, value]) => `  ${name} ${String(value)}`);
  const bytes = rawOf(letter);
  const note = raw_base64 === undefined ? '' : ' (not UTF-8)';
  return [
    `${letterId(letter)}: ${reason}: ${detail}`,
    ...fields,
    `  ${bytes.length} bytes${note}`,
    bytes.toString('utf8'),
    '',
  ].join('\n');
}

async function replayAll(flags: Flags, log: Log): Promise<number> {
  keptState(flags.state);
  const settings = settingsOf(flags);
  const decode = decoding(settings);
  const lock = lockState(lettersDirectory(flags.state));
  try {
    const opened = await openStores(settings, systemClock, log);
    try {
      return await replayInto(opened.sinks, flags, decode, log);
    } finally {
      await opened.close();
    }
  } finally {
    lock.release();
  }
}

async function replayInto(sinks: readonly Sink[], flags: Flags, decode: DecodeOptions, log: Log): Promise<number> {
  if (flags.sink !== undefined && !sinks.some(({ name }) => name === flags.sink)) {
    throw new UsageError(
      `--sink ${flags.sink}: it is none of the stores that are named (${sinks.map(({ name }) => name).join(', ')})`,
    );
  }
  const done = await ReplayedFile.read(flags.state);
  const stop = new AbortController();
  const interrupt = (): void => stop.abort('over');
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  let failed = false;
  let said = false;
  for (const sink of sinks) {
    if (flags.sink !== undefined && sink.name !== flags.sink) continue;
    const { rows, unread } = await returning(sink, flags, decode, done);
    // The same of every sink.
    for (const [why, count] of said ? [] : unread) {
      const them = count === 1 ? '1 dead letter is no event' : `${count} dead letters are no events`;
      log('warning', `${them} still: ${why}`, { letters: count });
    }
    said = true;
    let result: ReplayResult = { stored: 0, refused: new Map(), stopped: undefined };
    if (rows.length > 0) {
      try {
        await sink.open(stop.signal);
        result = await replay(rows, sink, done, systemClock, stop.signal);
      } catch (error) {
        result = { ...result, stopped: (error as Error).message };
      }
    }
    const { stored, refused, stopped } = result;
    print(`${sink.name}: ${stored} of ${rowsText(rows.length)} stored`);
    for (const [code, count] of refused) print(`${sink.name}: ${rowsText(count)} refused again, with code ${code}`);
    if (stopped !== undefined)
      log('error', `${sink.name} took no more: ${stopped}; run it again to go on`, { sink: sink.name });
    failed ||= stopped !== undefined || refused.size > 0;
  }
  return failed ? 1 : 0;
}

/** `1 row is`, `2 rows are`. */
function rowsText(count: number): string {
  return count === 1 ? '1 row is' : `${count} rows are`;
}

/** The rows that a sink should get, and how many letters are no rows still, by why. */
async function returning(
  sink: Sink,
  flags: Flags,
  decode: DecodeOptions,
  done: ReplayedFile,
): Promise<{ rows: Returning[]; unread: Map<string, number> }> {
  const rows: Returning[] = [];
  const unread = new Map<string, number>();
  for await (const letter of readLetters(flags.state)) {
    // `--sink` names the sink that refused; lines that no sink has seen go to each.
    if (!chosen(letter, { reason: flags.reason })) continue;
    if (letter.reason === 'dropped' || done.has(letterId(letter), sink.name)) continue;
    if (letter.sink !== undefined) {
      const row = letter.sink === sink.name ? refusedRow(letter) : undefined;
      if (row !== undefined && sink.tables.has(row.table)) rows.push(row);
      continue;
    }
    if (flags.sink !== undefined && letter.sink === undefined && flags.reason === undefined) continue;
    const read = readAgain(letter, decode);
    if (typeof read === 'string') unread.set(read, (unread.get(read) ?? 0) + 1);
    else rows.push(...read.filter(({ table: of }) => sink.tables.has(of)));
  }
  return { rows, unread };
}
