/*
 * Python's logging writes local time without a zone; in containers that is nearly always UTC.
 */

/** From local microseconds (as if UTC) to UTC microseconds. */
export type Zone = (local_us: number) => number;

export const UTC: Zone = (local_us) => local_us;

const OFFSET = /^([+-])(\d\d):?(\d\d)$/;
const QUARTER_US = 15 * 60 * 1_000_000;

/** The zone of `UTC`, `+02:00` or an IANA name (`Europe/Berlin`); undefined if there is no such zone. */
export function zone(name: string): Zone | undefined {
  if (name === 'UTC' || name === 'Z') return UTC;
  const offset = OFFSET.exec(name);
  if (offset !== null) {
    const minutes = Number(offset[2]) * 60 + Number(offset[3]);
    if (minutes > 14 * 60) return undefined;
    const us = (offset[1] === '-' ? -minutes : minutes) * 60_000_000;
    return (local) => local - us;
  }
  return named(name);
}

/** Offsets change at quarter hours at the finest, so one look-up serves a quarter hour of lines. */
function named(name: string): Zone | undefined {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  } catch {
    return undefined;
  }
  const offsetAt = (utc_ms: number): number => {
    const said = format.formatToParts(utc_ms);
    const part = (type: string): number => Number(said.find((each) => each.type === type)?.value);
    const local = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'));
    return local - Math.floor(utc_ms / 1000) * 1000;
  };
  let quarter = Number.NaN;
  let offset_us = 0;
  return (local_us) => {
    if (Number.isNaN(local_us)) return local_us;
    const at = Math.floor(local_us / QUARTER_US);
    if (at !== quarter) {
      const local_ms = (at * QUARTER_US) / 1000;
      // The offset a little before tells the UTC time well enough to ask for the right one.
      const offset_ms = offsetAt(local_ms - offsetAt(local_ms));
      quarter = at;
      offset_us = offset_ms * 1000;
    }
    return local_us - offset_us;
  };
}
