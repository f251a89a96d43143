import { Option } from 'commander';
import { UsageError } from '../errors.ts';
import { CONSTANT_FIELDS, type ConstantField, type Constants } from '../origin.ts';
import { zone, type Zone } from '../zone.ts';

/** Collects an option that may be given several times. */
export function several(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

/** `a, b,c` as a list; `none` and the empty text as an empty one. */
export function list(text: string): string[] {
  if (text === 'none') return [];
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

/** `64m`, `1MiB`, `1048576`: bytes; NaN for anything else. */
export function sizeOf(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmg]?)(?:i?b)?$/i.exec(text);
  return match === null ? Number.NaN : Math.round(Number(match[1]) * UNITS[match[2]!.toLowerCase()]!);
}

/** The size that an option says, in bytes. */
export function bytes(name: string, text: string, least: number): number {
  const size = sizeOf(text);
  if (!(size >= least)) throw new UsageError(`${name} ${text}: ${sizeAdvice(least)}`);
  return size;
}

export function sizeAdvice(least: number): string {
  return `give a size of at least ${sizeText(least)}, such as 64m or 1g`;
}

/** A round number of bytes as it may be given: `8m`. */
function sizeText(size: number): string {
  const [unit, factor] = Object.entries(UNITS).findLast(([, each]) => size % each === 0)!;
  return `${size / factor}${unit}`;
}

export function wholeNumber(name: string, text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new UsageError(`${name} ${text}: give a whole number, such as 12`);
  return Number(text);
}

export function seconds(name: string, text: string): number {
  const value = Number(text);
  if (!(value >= 0) || text.trim() === '')
    throw new UsageError(`${name} ${text}: give a number of seconds, such as 30`);
  return value * 1000;
}

export function constants(assignments: readonly string[]): Constants {
  const fixed: Partial<Record<ConstantField, string>> = {};
  for (const assignment of assignments) {
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(assignment) ?? [];
    const field = CONSTANT_FIELDS.find((each) => each === name);
    if (field === undefined || value === undefined || value === '') {
      throw new UsageError(
        `--set ${assignment}: write field=value, where field is one of ${CONSTANT_FIELDS.join(', ')}`,
      );
    }
    fixed[field] = value;
  }
  return fixed;
}

export function timeZone(name: string): Zone {
  const found = zone(name);
  if (found === undefined) throw new UsageError(`--timezone ${name}: no such zone; write UTC, +02:00 or Europe/Berlin`);
  return found;
}

const VARIABLE = /\$\{env:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;

/** `${env:NAME}` and `${env:NAME:-default}` in the text replaced; a variable that is not set and has no default is an error. */
export function resolveEnvironment(option: string, text: string): string {
  return text.replace(VARIABLE, (_match, name: string, fallback: string | undefined) => {
    const value = process.env[name] ?? fallback;
    if (value === undefined)
      throw new UsageError(`${option}: the environment has no ${name}; set it, or write \${env:${name}:-default}`);
    return value;
  });
}

export const DEFAULT_STATE = './steptap-data';

/** Of every command that looks at a run. */
export interface PlaceFlags {
  readonly config?: readonly string[];
  readonly state?: string;
}

export const configOption = (): Option =>
  new Option(
    '-c, --config <file>',
    'a pipeline in YAML; of several a later one adds to those before it, and options here win over all',
  ).argParser(several);

/** The options of PlaceFlags. */
export const placeOptions = (): Option[] => [
  configOption(),
  new Option(
    '--state <dir>',
    `where the spool, the embedded store and the dead letters are kept; none keeps nothing (default: ${DEFAULT_STATE})`,
  ),
];

/** What has to stand behind a command so that it looks at the same state. */
export function stateWords(state: string): string {
  return state === DEFAULT_STATE ? '' : ` --state ${/^[\w./@:+-]+$/.test(state) ? state : `'${state}'`}`;
}
