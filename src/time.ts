/**
 * Event time: microseconds since 1970 UTC in a number, leap seconds not counted.
 *
 * Whole microseconds are exact up to 2255 (2^53); beyond it the last digit of a time can be off by a few. Digits beyond
 * the microsecond are cut, never rounded, so that a time never moves past its neighbour in the same second.
 */

const SECOND_US = 1e6;
const DAY_US = 86_400e6;
const QUARTER_US = 15 * 60e6;

/**
 * What Elasticsearch and OpenSearch can index as `date_nanos`: a signed 64-bit count of nanoseconds, so 1970-01-01 to
 * 2262-04-11T23:47:16.854775807Z (elastic.co, ES|QL TO_DATE_NANOS). ClickHouse's DateTime64(6) holds more (1900 to 2299).
 */
export const EARLIEST_US = 0;
export const LATEST_US = daysSince1970(2262, 1, 1) * DAY_US;

/** Whether every sink can hold the time. False for NaN. */
export function storable(us: number): boolean {
  return us >= EARLIEST_US && us <= LATEST_US;
}

/** A time as it was written. Without a zone (`zoned` false) `us` is the local time read as if it were UTC. */
export interface WrittenTime {
  readonly us: number;
  readonly zoned: boolean;
}

/**
 * Reads a whole text as a time: `YYYY-MM-DD` or `YYYY/MM/DD`, then `T` or a space, `HH:MM:SS`, a fraction of one to
 * nine digits behind a point or a comma, and `Z`, `±hh:mm` or `±hhmm`, which may follow a space. Undefined for all else
 * and for what is in no calendar. Second 60 is refused: no clock of a container writes it.
 */
export function parseTime(text: string): WrittenTime | undefined {
  if (text.length < 19 || text.length > 36) return undefined;
  const between = text.charCodeAt(10);
  if (between !== 0x20 && (between | 0x20) !== 0x74) return undefined;
  let micro = 0;
  let at = 19;
  const point = text.charCodeAt(at);
  if (point === 0x2e || point === 0x2c) {
    const start = ++at;
    for (let unit = SECOND_US / 10; isDigit(text.charCodeAt(at)); unit /= 10, at++) {
      if (unit >= 1) micro += (text.charCodeAt(at) - 48) * unit;
    }
    if (at === start || at > start + 9) return undefined;
  }
  const offset = at === text.length ? undefined : zoneSeconds(text, at);
  const us = (secondsOf(text) - (offset ?? 0)) * SECOND_US + micro;
  // An offset can push the first and the last day out of the years that can be written with four digits.
  return us >= FIRST_US && us < END_US ? { us, zoned: offset !== undefined } : undefined;
}

const YEAR_2000_S = 946_684_800;
const YEAR_2100_S = 4_102_444_800;

/**
 * A number of seconds, milliseconds, microseconds or nanoseconds since 1970, in microseconds; undefined unless it means a
 * time from 2000 to 2100 in one of them (the four ranges are a factor of 1000 apart, so at most one fits). Rounded to
 * the nearest microsecond, because the number itself is off already: seconds by up to 0.1 us, nanoseconds by 0.13 us.
 */
export function epochTime(value: number): number | undefined {
  for (const per_second of [1, 1e3, 1e6, 1e9]) {
    if (!(value >= YEAR_2000_S * per_second && value < YEAR_2100_S * per_second)) continue;
    return Math.round(per_second === 1e9 ? value / 1e3 : value * (SECOND_US / per_second));
  }
  return undefined;
}

/**
 * The offset, in microseconds and a multiple of 15 minutes, of a time written without a zone, told from the runtime's
 * timestamp of the same line. NaN if no zone on Earth explains it: more than 14 hours, or more than 5 minutes beside one.
 */
export function zoneOffset(local_us: number, runtime_us: number): number {
  const difference = local_us - runtime_us;
  const offset = Math.round(difference / QUARTER_US) * QUARTER_US + 0; // + 0 turns -0 into 0
  return Math.abs(offset) <= 14 * 3600e6 && Math.abs(difference - offset) <= 300e6 ? offset : NaN;
}

const FIRST_US = daysSince1970(0, 1, 1) * DAY_US;
const END_US = daysSince1970(10_000, 1, 1) * DAY_US;

const MINUTES = Array.from({ length: 1440 }, (_, i) => `${pad(Math.floor(i / 60), 2)}:${pad(i % 60, 2)}:`);
const SECONDS = Array.from({ length: 60 }, (_, i) => `${pad(i, 2)}.`);
const THOUSANDTHS = Array.from({ length: 1000 }, (_, i) => pad(i, 3));
const LAST_THOUSANDTHS = THOUSANDTHS.map((digits) => `${digits}Z`);

let writtenDay = NaN;
let writtenDate = '';

/**
 * `YYYY-MM-DDTHH:MM:SS.ffffffZ`, always 27 characters: what every row begins with. It runs twice a line, so the date is
 * kept from call to call and the rest comes out of tables. Throws outside the years 0000 to 9999, which parseTime never
 * returns.
 */
export function formatTime(us: number): string {
  let day = Math.floor(us / DAY_US);
  // Beyond 2^53 the division can round up to the next day.
  if (day * DAY_US > us) day--;
  if (day !== writtenDay) {
    if (!(us >= FIRST_US && us < END_US)) throw new RangeError(`no four-digit year holds ${us} us since 1970`);
    writtenDate = `${dateOf(day)}T`;
    writtenDay = day;
  }
  const rest = us - day * DAY_US;
  const second = Math.floor(rest / SECOND_US);
  const micro = Math.floor(rest - second * SECOND_US);
  const minute = Math.floor(second / 60);
  const milli = Math.floor(micro / 1000);
  return `${writtenDate}${MINUTES[minute]}${SECONDS[second - minute * 60]}${THOUSANDTHS[milli]}${LAST_THOUSANDTHS[micro - milli * 1000]}`;
}

/** More than any two digits, so that every check of a range refuses it. */
const BAD = 1000;

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

function twoDigits(text: string, at: number): number {
  const tens = text.charCodeAt(at);
  const ones = text.charCodeAt(at + 1);
  return isDigit(tens) && isDigit(ones) ? tens * 10 + ones - 528 : BAD;
}

let readDate = -1;
let readDay_s = NaN;

/** Seconds since 1970 of the first 19 characters, whatever stands between date and clock; NaN if they are no time. */
function secondsOf(text: string): number {
  const century = twoDigits(text, 0);
  const of_century = twoDigits(text, 2);
  const month = twoDigits(text, 5);
  const day = twoDigits(text, 8);
  const hour = twoDigits(text, 11);
  const minute = twoDigits(text, 14);
  const second = twoDigits(text, 17);
  if (century === BAD || of_century === BAD || month > 12 || day > 31) return NaN;
  if (hour > 23 || minute > 59 || second > 59) return NaN;
  const dash = text.charCodeAt(4);
  if ((dash !== 0x2d && dash !== 0x2f) || text.charCodeAt(7) !== dash) return NaN;
  if (text.charCodeAt(13) !== 0x3a || text.charCodeAt(16) !== 0x3a) return NaN;
  const date = ((century * 100 + of_century) * 16 + month) * 32 + day;
  if (date !== readDate) {
    readDay_s = dayOf(century * 100 + of_century, month, day) * 86_400;
    readDate = date;
  }
  return readDay_s + hour * 3600 + minute * 60 + second;
}

function dayOf(year: number, month: number, day: number): number {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const last = month === 2 ? (leap ? 29 : 28) : month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
  return month >= 1 && day >= 1 && day <= last ? daysSince1970(year, month, day) : NaN;
}

/** Seconds east of UTC that `Z`, `±hh:mm` or `±hhmm` from `at` to the end mean; NaN if it is none of them. */
function zoneSeconds(text: string, at: number): number {
  if (text.charCodeAt(at) === 0x20) at++;
  const sign = text.charCodeAt(at);
  if ((sign | 0x20) === 0x7a) return at + 1 === text.length ? 0 : NaN;
  if (sign !== 0x2b && sign !== 0x2d) return NaN;
  const minutes_at = text.charCodeAt(at + 3) === 0x3a ? at + 4 : at + 3;
  const hours = twoDigits(text, at + 1);
  const minutes = twoDigits(text, minutes_at);
  if (hours > 23 || minutes > 59 || minutes_at + 2 !== text.length) return NaN;
  return (hours * 3600 + minutes * 60) * (sign === 0x2d ? -1 : 1);
}

/** Howard Hinnant's days_from_civil: years begin in March, so that the leap day is a year's last. */
function daysSince1970(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const of_era = y - era * 400;
  const of_year = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  return era * 146_097 + of_era * 365 + Math.floor(of_era / 4) - Math.floor(of_era / 100) + of_year - 719_468;
}

/** A date is needed once a day, so this may be slow. */
function dateOf(day: number): string {
  const date = new Date(day * 86_400e3);
  return `${pad(date.getUTCFullYear(), 4)}-${pad(date.getUTCMonth() + 1, 2)}-${pad(date.getUTCDate(), 2)}`;
}

function pad(value: number, width: number): string {
  return String(value).padStart(width, '0');
}
