import type { Found } from '../sinks/sink.ts';
import type { LaneLedger } from './ledger.ts';
import { isRepair, repair, settling, type LanePart } from './part.ts';

/** After so many that were answered and brought nothing, what the sink takes and never shows counts as stored: it may be removing it by a rule of its own. */
const MOST_REPAIRS = 2;

/** Who is told of what was found. */
export interface Told {
  readonly ledger: LaneLedger;
  readonly log: (message: string, rows: number) => void;
}

/**
 * What is to be done about a part in doubt, now that the sink has been looked into; undefined when nothing is. Rows that are there and may not be sent again
 * are counted as stored, and settled in the part that is given back.
 *
 *   all there                          nothing to do
 *   none there                         the same part, under the token that it has
 *   none, though that was answered     under a token of its own: the server knows the first one, and lost its rows
 *   some there                         the others, under a token of their own
 *   they may not show yet              those that do not, under the token that it has: nothing else is safe
 */
export function resolve(part: LanePart, { copies, lags }: Found, told: Told): LanePart | undefined {
  const { there, missing, twice } = look(part, copies);
  if (twice > part.doubt.twice) {
    const more = twice - part.doubt.twice;
    told.ledger.duplicated(more);
    told.log('the sink has rows twice; something else than steptap wrote them, or its deduplication is off', more);
  }
  if (missing === 0) return undefined;
  const seen: LanePart = { ...part, doubt: { ...part.doubt, twice: Math.max(twice, part.doubt.twice) } };
  const { answered, fruitless } = seen.doubt;
  if (there === 0 && (lags || (!answered && seen.refused === undefined))) return seen;
  if (lags) {
    // What shows is stored, whoever sent it under which token; what does not may only go under the one that it has.
    told.ledger.stored(there);
    return settling(seen, (row) => copies[row]! > 0);
  }
  const again = isRepair(part) && answered && there === 0 ? fruitless + 1 : 0;
  if (again >= MOST_REPAIRS) {
    told.ledger.unconfirmed(missing);
    told.log(
      'the sink took rows and does not show them; is there a TTL or a row policy on the table? They count as stored',
      missing,
    );
    return undefined;
  }
  told.ledger.stored(there);
  const rest = there === 0 ? seen : settling(seen, (row) => copies[row]! > 0);
  if (seen.refused !== undefined) return rest;
  return repair({ ...rest, doubt: { ...rest.doubt, fruitless: again } });
}

/** Of the rows that are not settled, how many are there and how many are not; of all, how many are there more than once. */
function look(part: LanePart, copies: Uint8Array): { there: number; missing: number; twice: number } {
  let there = 0;
  let missing = 0;
  let twice = 0;
  for (let row = 0; row < part.count; row++) {
    if (copies[row]! > 1) twice += 1;
    if (part.settled?.[row] === 1) continue;
    if (copies[row]! > 0) there += 1;
    else missing += 1;
  }
  return { there, missing, twice };
}
