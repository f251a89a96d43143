import { Option } from 'commander';
import type { DecodeOptions } from '../decode.ts';
import { bytes, constants, resolveEnvironment, several, timeZone } from './options.ts';
import { privacyOptions, type PrivacyFlags } from './privacy.ts';

/** Of every command that reads lines. */
export interface DecodeFlags extends PrivacyFlags {
  readonly logs: 'all' | 'none';
  readonly set: readonly string[];
  readonly timezone: string;
  readonly maxLineBytes: string;
}

/** The options of DecodeFlags. */
export function decodeOptions(): Option[] {
  return [
    new Option('--logs <which>', 'store ordinary log lines too, or only steps and errors')
      .choices(['all', 'none'])
      .default('all'),
    new Option('--set <field=value>', 'a constant on every row: namespace, pod, project, ...')
      .argParser(several)
      .default([], 'none'),
    new Option('--timezone <zone>', 'zone of timestamps that name none: UTC, +02:00, Europe/Berlin').default('UTC'),
    new Option('--params <names>', 'task inputs whose values are stored: a,b or all or none').default('none'),
    new Option('--attributes <names>', 'other keys of a line that are stored: a,b or all or none').default('all'),
    new Option('--drop <keys>', 'keys that are left out, and masked in text: birthday,address').default('none'),
    new Option('--mask <keys>', 'keys whose values are masked everywhere: password,token').default('none'),
    new Option(
      '--hash <keys>',
      'keys whose values become an HMAC: user,email; its secret is in STEPTAP_HASH_KEY or STEPTAP_HASH_KEY_FILE',
    ).default('none'),
    new Option('--dead-letters-keep-raw', 'keep the very bytes of a line that is rejected, unmasked').default(false),
    new Option('--max-line-bytes <size>', 'a longer line is a dead letter').default('1m'),
  ];
}

/** What they ask for; throws a UsageError when that makes no sense. */
export function decoding(flags: DecodeFlags): DecodeOptions {
  return {
    constants: constants(flags.set.map((each) => resolveEnvironment('--set', each))),
    privacy: privacyOptions(flags, process.env),
    zone: timeZone(flags.timezone),
    max_line_bytes: bytes('--max-line-bytes', flags.maxLineBytes, 1024),
    logs: flags.logs === 'all',
    fast: true,
  };
}
