import { Option } from 'commander';
import { several } from './options.ts';

/** Of every command that reads lines; what is not given is as the pipeline says, or the default. */
export interface DecodeFlags {
  readonly logs?: 'all' | 'none';
  readonly set?: readonly string[];
  readonly timezone?: string;
  readonly params?: string;
  readonly attributes?: string;
  readonly drop?: string;
  readonly mask?: string;
  readonly hash?: string;
  readonly deadLettersKeepRaw?: boolean;
  readonly maxLineBytes?: string;
}

/** The options of DecodeFlags. */
export function decodeOptions(): Option[] {
  return [
    new Option('--logs <which>', 'store ordinary log lines too, or only steps and errors (default: all)').choices([
      'all',
      'none',
    ]),
    new Option('--set <field=value>', 'a constant on every row: namespace, pod, project, ...').argParser(several),
    new Option('--timezone <zone>', 'zone of timestamps that name none: +02:00, Europe/Berlin (default: UTC)'),
    new Option('--params <names>', 'task inputs whose values are stored: a,b or all or none (default: none)'),
    new Option('--attributes <names>', 'other keys of a line that are stored: a,b or all or none (default: all)'),
    new Option('--drop <keys>', 'keys that are left out, and masked in text: birthday,address (default: none)'),
    new Option('--mask <keys>', 'keys whose values are masked everywhere: password,token (default: none)'),
    new Option(
      '--hash <keys>',
      'keys whose values become an HMAC: user,email; its secret is in STEPTAP_HASH_KEY or STEPTAP_HASH_KEY_FILE (default: none)',
    ),
    new Option('--dead-letters-keep-raw', 'keep the very bytes of a line that is rejected, unmasked'),
    new Option('--max-line-bytes <size>', 'a longer line is a dead letter (default: 1m)'),
  ];
}
