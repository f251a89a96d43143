import { decodeUtf8 } from '../bytes.ts';
import { members, valueText } from '../json.ts';
import type { Source } from '../observer.ts';
import type { Constants } from '../origin.ts';
import type { Account } from './account.ts';

/** A field of a row, and where its value comes from. */
export interface ExplainedField {
  readonly name: string;
  /** JSON text of the value as it is stored, to the last digit. */
  readonly json: string;
  readonly from: string;
}

/** The sources that the column `provenance` names, in words. */
const PROVENANCE: Readonly<Record<string, string>> = {
  set: 'constant (--set)',
  label: 'pod label',
  'label~': "pod label's spelling",
  owner: 'owner of the pod',
  env: 'container variable',
  pod: 'pod name',
  hash: 'hash in the pod name',
  namespace: 'namespace',
  execution: "the execution's",
  uri: 'URI in the step',
  stream: 'earlier failed step',
  'session_id:stream': 'session of the stream',
  runtime: 'timestamp beside it',
  arrival: 'arrival: no time in it',
};

/** Of the column that names the others' sources. */
export const SUMMED = 'the sources above';

/** What steptap itself writes into a row, whoever wrote the line. */
const OWN: Readonly<Record<string, string>> = {
  dialect: 'dialect',
  event: 'dialect',
  kind: 'dialect',
  lines: 'count',
  provenance: SUMMED,
};

/** Every field of the row, in its order. What the column `provenance` says comes before what was told: it is stored. */
export function explainFields(row: string, account: Account, constants: Constants): ExplainedField[] {
  const fields = members(decodeUtf8(row));
  const given = new Map<string, string>();
  for (const each of (valueText(fields.get('provenance') ?? '') ?? '').split(',')) {
    const [field = '', source = ''] = each.split(':');
    given.set(field, PROVENANCE[each] ?? PROVENANCE[source] ?? source);
  }
  return Array.from(fields, ([name, json]) => {
    const constant = name in constants ? PROVENANCE['set'] : undefined;
    return { name, json, from: constant ?? given.get(name) ?? told(name, account) ?? OWN[name] ?? 'dialect' };
  });
}

/** Those of a dead letter: steptap writes it, with what it knows of the place. */
export function explainLetter(row: string, account: Account, constants: Constants): ExplainedField[] {
  return Array.from(members(decodeUtf8(row)), ([name, json]) => {
    if (name === 'ts') return { name, json, from: 'arrival' };
    if (name.startsWith('raw')) return { name, json, from: 'line' };
    const constant = name in constants ? PROVENANCE['set'] : undefined;
    return { name, json, from: constant ?? told(name, account, true) ?? 'dead letter' };
  });
}

function told(name: string, { from, framed }: Account, frame = false): string | undefined {
  const source: Source | undefined = (frame ? undefined : from.get(name)) ?? framed.get(name);
  return typeof source === 'object' ? `line: ${source.key}` : source;
}
