import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { decodeOptions, type DecodeFlags } from '../../src/cli/decode-options.ts';
import { decoding, settingsOf } from '../../src/cli/settings.ts';
import { explain } from '../../src/explain/collect.ts';
import { render } from '../../src/explain/render.ts';
import { StillClock } from '../support/decode.ts';

/*
 * told.txt has lines of each framing and dialect, and what is said of them, to the character:
 *
 *   ## title
 *   $ options of a run
 *   > a line of the input
 *   what is told
 */

interface Case {
  readonly title: string;
  readonly options: string[];
  readonly input: string;
  readonly told: string;
}

function read(text: string): Case {
  const [title = '', ...rest] = text.trimEnd().split('\n');
  const marked = (mark: string): string[] =>
    rest.filter((line) => line.startsWith(mark)).map((line) => line.slice(mark.length));
  const told = rest.filter((line) => !/^[$>] /.test(line)).join('\n');
  return { title, options: marked('$ ').join(' ').split(' ').filter(Boolean), input: marked('> ').join('\n'), told };
}

const TOLD = readFileSync(new URL('told.txt', import.meta.url), 'utf8');
const CASES = TOLD.split(/^## /m).slice(1).map(read);

function told({ options, input }: Case): string {
  const command = new Command();
  for (const option of decodeOptions()) command.addOption(option);
  const flags = command.parse(options, { from: 'user' }).opts<DecodeFlags>();
  // An escape stands as `\e` in the file, a carriage return as `\r`.
  const bytes = Buffer.from(input.replaceAll('\\e', '\u001b').replaceAll('\\r', '\r'));
  const explained = explain(bytes, decoding(settingsOf(flags)), new StillClock());
  return explained.map((each) => render(each, { width: 100, colour: false })).join('\n\n');
}

describe('It says', () => {
  test.each(CASES.map((each) => [each.title, each] as const))('%s', (_, each) => {
    expect(told(each)).toBe(each.told);
  });

  test('of no fewer lines than are in told.txt', () => {
    expect(CASES.length).toBeGreaterThan(20);
  });
});
