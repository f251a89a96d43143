import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { Command, Option } from 'commander';
import { systemClock } from '../clock.ts';
import { UsageError } from '../errors.ts';
import { Explainer } from '../explain/collect.ts';
import { render, renderJson } from '../explain/render.ts';
import { decodeOptions, type DecodeFlags } from './decode-options.ts';
import { configOption, wholeNumber, type PlaceFlags } from './options.ts';
import { decoding, settingsOf } from './settings.ts';

interface ExplainFlags extends DecodeFlags, Pick<PlaceFlags, 'config'> {
  readonly input?: string;
  readonly lines: string;
  readonly json: boolean;
}

export function explainCommand(): Command {
  const command = new Command('explain')
    .description(
      'Say what log lines become, and why: which dialect takes them, where every field comes from, which rules apply.',
    )
    .argument('[line]', 'a line of a log; without it lines are read from standard input')
    .addOption(new Option('--input <file>', 'read the lines of this file'))
    .addOption(new Option('--lines <number>', 'no more than so many').default('10'))
    .addOption(new Option('--json', 'one JSON object for each event').default(false));
  for (const option of [configOption(), ...decodeOptions()]) command.addOption(option);
  return command
    .addHelpText(
      'after',
      `
Nothing is stored. Lines are decoded as a run with the same options decodes
them, and what a privacy rule hides is hidden here too.

Examples:
  kubectl logs POD --timestamps | steptap explain --lines 3
  steptap explain --input pod.log --mask password,token
  steptap explain --json '{"event": "flytekit_step"}' | jq .detail`,
    )
    .action(async (line: string | undefined, flags: ExplainFlags) => {
      await explainLines(line, flags);
    });
}

async function explainLines(line: string | undefined, flags: ExplainFlags): Promise<void> {
  const { input, lines, json, ...decode } = flags;
  if (line !== undefined && input !== undefined)
    throw new UsageError(`--input ${input}: name a line or a file, not both`);
  const most = wholeNumber('--lines', lines);
  if (most === 0) throw new UsageError('--lines 0: give a whole number from 1, such as 12');
  const explainer = new Explainer(
    decoding(settingsOf(decode)),
    systemClock,
    input === undefined ? 'stdin' : resolve(input),
  );
  const more = await readLines(line === undefined ? opened(input) : [Buffer.from(line)], most, explainer);
  const { isTTY, columns } = process.stdout;
  const width = isTTY ? Math.min(Math.max(columns, 60), 160) : 80;
  const page = { width, colour: isTTY && (process.env['NO_COLOR'] ?? '') === '' };
  const told = explainer.end().map((each) => (json ? renderJson(each) : `${render(each, page)}\n`));
  process.stdout.write(told.map((text) => `${text}\n`).join(''));
  if (more) process.stderr.write(`steptap: there are more lines; --lines ${most * 10} explains more of them\n`);
}

function opened(input: string | undefined): Readable {
  if (input !== undefined) return createReadStream(input);
  if (process.stdin.isTTY) process.stderr.write('steptap: paste lines, then Ctrl-D\n');
  return process.stdin;
}

/** Reads the first lines; true when there were more. What comes behind them is not waited for. */
async function readLines(
  input: Iterable<Buffer> | AsyncIterable<Buffer>,
  most: number,
  explainer: Explainer,
): Promise<boolean> {
  let left = most;
  try {
    for await (const piece of input) {
      let end = 0;
      while (left > 0 && end < piece.length) {
        const newline = piece.indexOf(10, end);
        end = newline === -1 ? piece.length : newline + 1;
        if (newline !== -1) left--;
      }
      explainer.push(piece.subarray(0, end));
      if (left === 0) return end < piece.length;
    }
    return false;
  } catch (error) {
    const { syscall, code = '', path = 'standard input' } = error as NodeJS.ErrnoException;
    if (syscall === undefined) throw error;
    const why = code === 'ENOENT' ? 'there is no such file' : `cannot be read (${code})`;
    throw new UsageError(`${path}: ${why}`, { cause: error });
  }
}
