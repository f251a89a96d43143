import { check } from '../config/check.ts';
import type { DecodeOptions } from '../decode.ts';
import type { CustomEvents, EventOptions as OwnEvent } from '../dialects/custom/index.ts';
import { CONSTANT_FIELDS, type Constants } from '../origin.ts';
import { PRIVACY_DEFAULTS, type PrivacyOptions } from '../privacy/rules.ts';
import { zone } from '../zone.ts';

/** What {@link stepEvents} can be told. All of it has a default, and means what the option of `steptap run` with that name means. */
export interface EventOptions {
  /** Fields that are the same on every event, and win over what a line says: `{ namespace: 'ml-production' }`. */
  readonly constants?: Constants;
  /** What becomes of personal data before anything of a line comes out. Default: values of `params` are `[redacted]`, and nothing else is touched. */
  readonly privacy?: Partial<PrivacyOptions>;
  /** Zone of timestamps that name none: `UTC` (the default), `+02:00`, `Europe/Berlin`. */
  readonly timezone?: string;
  /** False: ordinary log lines are left out, and only steps and errors come. Default: true. */
  readonly logs?: boolean;
  /** JSON lines of your own code that are events, by name: what `events` says in a pipeline. */
  readonly events?: Readonly<Record<string, OwnEvent>>;
  /** A longer line is a rejection. At least 1024; default: 1 MiB. */
  readonly max_line_bytes?: number;
}

const OPTIONS = ['constants', 'privacy', 'timezone', 'logs', 'events', 'max_line_bytes'] as const;
const PRIVACY = ['params', 'attributes', 'drop', 'mask', 'hash', 'hash_key', 'keep_raw'] as const;
/** What is shorter can be found by trying. */
const LEAST_KEY_BYTES = 16;
const LEAST_LINE_BYTES = 1024;
const MOST_LINE_BYTES = 1 << 28;

/** The options with their defaults; throws a TypeError or a RangeError that names the one that makes no sense. */
export function decodeOptions(options: unknown = {}): DecodeOptions {
  const given = object('options', options, OPTIONS);
  const { timezone = 'UTC', logs = true, max_line_bytes = 1 << 20 } = given;
  if (typeof timezone !== 'string') throw wrong('timezone', 'the name of a zone', timezone);
  const found = zone(timezone);
  if (found === undefined)
    throw new RangeError(`timezone: no such zone ${quoted(timezone)}; UTC, +02:00, Europe/Berlin`);
  if (typeof max_line_bytes !== 'number') throw wrong('max_line_bytes', 'a number of bytes', max_line_bytes);
  if (!Number.isInteger(max_line_bytes) || max_line_bytes < LEAST_LINE_BYTES || max_line_bytes > MOST_LINE_BYTES) {
    throw new RangeError(`max_line_bytes: give a whole number from ${LEAST_LINE_BYTES} to ${MOST_LINE_BYTES}`);
  }
  const events = given.events === undefined ? undefined : ownEvents(given.events);
  return {
    constants: constants(given.constants),
    privacy: privacy(given.privacy, events?.hashes),
    events,
    zone: found,
    max_line_bytes,
    logs: flag('logs', logs),
    fast: true,
  };
}

function ownEvents(value: unknown): CustomEvents | undefined {
  const { events, problems } = check({ events: value }, () => false);
  if (problems.length === 0) return events;
  throw new TypeError(problems.map(({ path, message }) => `${path.join('.')}: ${message}`).join('\n'));
}

function constants(value: unknown = {}): Constants {
  const given = object('constants', value, CONSTANT_FIELDS);
  for (const [name, text] of Object.entries(given)) {
    if (typeof text !== 'string' || text === '') throw wrong(`constants.${name}`, 'a text that is not empty', text);
  }
  return given as Constants;
}

function privacy(value: unknown = {}, hashes = false): PrivacyOptions {
  const given = object('privacy', value, PRIVACY);
  const { params, attributes, drop, mask, hash, hash_key, keep_raw } = { ...PRIVACY_DEFAULTS, ...given };
  const rules = {
    params: allowed('privacy.params', params),
    attributes: allowed('privacy.attributes', attributes),
    drop: names('privacy.drop', drop),
    mask: names('privacy.mask', mask),
    hash: names('privacy.hash', hash),
    keep_raw: flag('privacy.keep_raw', keep_raw),
  };
  if (rules.hash.length === 0 && !hashes) return rules;
  if (typeof hash_key !== 'string' && !Buffer.isBuffer(hash_key)) {
    throw new TypeError(`privacy.hash_key: privacy.hash needs a secret of at least ${LEAST_KEY_BYTES} bytes`);
  }
  if (Buffer.byteLength(hash_key) < LEAST_KEY_BYTES) {
    throw new RangeError(`privacy.hash_key: too short a secret; it needs at least ${LEAST_KEY_BYTES} bytes`);
  }
  return { ...rules, hash_key };
}

/** What is given, without what is undefined; only these names may be. */
function object<Name extends string>(
  option: string,
  value: unknown,
  known: readonly Name[],
): Partial<Record<Name, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(option, 'an object', value);
  const given = Object.entries(value).filter(([, each]) => each !== undefined);
  const unknown = given.find(([name]) => !known.some((each) => each === name));
  if (unknown !== undefined) {
    const path = option === 'options' ? unknown[0] : `${option}.${unknown[0]}`;
    throw new TypeError(`${path}: there is no such option; there are ${known.join(', ')}`);
  }
  return Object.fromEntries(given) as Partial<Record<Name, unknown>>;
}

function allowed(option: string, value: unknown): 'all' | readonly string[] {
  return value === 'all' ? value : names(option, value, "'all' or a list of names");
}

function names(option: string, value: unknown, what = 'a list of names'): readonly string[] {
  if (Array.isArray(value) && value.every((each) => typeof each === 'string' && each !== '')) return value;
  throw wrong(option, what, value);
}

function flag(option: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw wrong(option, 'true or false', value);
}

/** The value itself is not quoted: it may be a secret in the wrong place. */
function wrong(option: string, what: string, value: unknown): TypeError {
  return new TypeError(
    `${option}: give ${what}, not ${value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value}`,
  );
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 64));
}
