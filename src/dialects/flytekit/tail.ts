import { quote } from '../../bytes.ts';
import type { Privacy } from '../../privacy/index.ts';
import { OWN_KEYS, TRANSPORT_KEYS } from './keys.ts';
import { paramsObject } from './params.ts';
import { redactedParams } from './redact.ts';

/** What follows the fixed fields of a step: byte strings as in StepFields. */
export interface Tail {
  readonly params: string;
  readonly attributes: string;
}

const TEXT = '[\\x20\\x21\\x23-\\x5b\\x5d-\\x7e]';
const NUMBER = '(?:0|[1-9]\\d*)(?:\\.\\d+)?(?:[eE][-+]?\\d+)?';
const EXTRA = new RegExp(`, "(${TEXT}+)": (?:"(${TEXT}*)"|(-?${NUMBER}|true|false))`, 'y');
/** What stands before the string of the params. */
export const PARAMS = ', "params": ';
const MOST_EXTRAS = 32;

/** Reads `, "params": "..."}`, or extras with plain values and `}`; undefined for anything else. `text` is a byte string. */
export function readTail(text: string, privacy: Privacy): Tail | undefined {
  return text.startsWith(PARAMS) ? readParams(text, privacy) : readExtras(text, privacy);
}

function readParams(text: string, privacy: Privacy): Tail | undefined {
  const redacted = privacy.redactsAllParams ? redactedParams(text) : undefined;
  if (redacted !== undefined) return { params: redacted, attributes: '' };
  let content: unknown;
  try {
    content = JSON.parse(text.slice(PARAMS.length, -1));
  } catch {
    return undefined;
  }
  // Bytes over 0x7f are half-read UTF-8 here.
  if (typeof content !== 'string' || /[^\x00-\x7f]/.test(content)) return undefined;
  return { params: paramsObject(content, privacy), attributes: '' };
}

function readExtras(text: string, privacy: Privacy): Tail | undefined {
  const seen: string[] = [];
  const attributes: string[] = [];
  let at = 0;
  EXTRA.lastIndex = 0;
  for (let match = EXTRA.exec(text); match !== null; match = EXTRA.exec(text)) {
    const name = match[1]!;
    if (OWN_KEYS.has(name) || TRANSPORT_KEYS.has(name) || seen.includes(name) || seen.length === MOST_EXTRAS)
      return undefined;
    seen.push(name);
    const value = match[2] ?? match[3]!;
    const told = privacy.unmarked ? value : privacy.attribute(name, value);
    if (told !== undefined) attributes.push(`"${name}":${quote(told)}`);
    at = EXTRA.lastIndex;
  }
  return at === text.length - 1 ? { params: '', attributes: attributes.join(',') } : undefined;
}
