import { members, parseObject, valueText } from '../json.ts';
import { decodeUtf8 } from '../bytes.ts';
import { TRANSPORT_KEYS } from '../dialects/flytekit/keys.ts';
import { paramsObject } from '../dialects/flytekit/params.ts';
import { readText } from '../dialects/log/text.ts';
import type { Privacy } from '../privacy/index.ts';
import { MASK } from '../privacy/rules.ts';
import type { Account, Read } from './account.ts';

/*
 * A line as it may be shown: as it was written where no rule says a word, else by the same functions that made the row. Masking the bytes, as for a dead
 * letter, would not do: a key that is spelled `"\u0074oken"`, or a value that goes on in the next line, is plain only to who has read it.
 */

/** `keys`: those whose values are fields of its row, and no attributes. */
export function echo(account: Account, keys: ReadonlySet<string>, privacy: Privacy): string {
  const parts: string[] = [];
  let text: string[] = [];
  const end = (): void => {
    if (text.length > 0) parts.push(textEcho(text, privacy));
    text = [];
  };
  for (const read of account.reads) {
    if (read.kind === 'text') text.push(read.text);
    else {
      end();
      parts.push(objectEcho(read, keys, privacy));
    }
  }
  end();
  return parts.join('\n');
}

/** Lines of text that belong together: a key may end one of them, and its value begin the next. */
function textEcho(lines: readonly string[], privacy: Privacy): string {
  const [first = '', ...rest] = lines.map((line) => privacy.line(line));
  // What a layout has no key for (`train.py:41`) no rule finds in the text: then only what stands behind it is shown.
  const { message, attributes } = readText(first);
  const hidden = attributes.some(([name, value]) => privacy.attribute(name, value) !== value);
  return privacy.text([hidden ? message : first, ...rest].join('\n'));
}

function objectEcho({ text, kind }: Read, keys: ReadonlySet<string>, privacy: Privacy): string {
  const told: string[] = [];
  let changed = false;
  for (const [name, json] of members(text)) {
    if (kind === 'merged' && TRANSPORT_KEYS.has(name)) {
      changed = true;
      continue;
    }
    const shown = valueEcho(name, json, keys, privacy);
    changed ||= shown !== json;
    told.push(`${JSON.stringify(name)}: ${shown}`);
  }
  return changed ? `{${told.join(', ')}}` : text;
}

/** The JSON of a value as it may be shown. */
function valueEcho(name: string, json: string, keys: ReadonlySet<string>, privacy: Privacy): string {
  const text = valueText(json);
  if (text === undefined) return json;
  if (name === 'params') {
    const object = decodeUtf8(paramsObject(text, privacy));
    return object === '' ? quoted(MASK) : object === decodeUtf8(text) ? json : object;
  }
  const shown = keys.has(name) && !privacy.marks(name) ? privacy.value(text) : (privacy.attribute(name, text) ?? MASK);
  if (shown === text) return json;
  // What is left of an object is one still.
  return !json.startsWith('"') && parseObject(shown) !== undefined ? shown : quoted(shown);
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
