import { formatTime } from './time.ts';

/** `YYYY-MM-DDTHH:MM:SS.ffffffZ`. */
export const TIME_LENGTH = 27;

const DAY_US = 86_400_000_000;
const DATE_LENGTH = 11;
const COLON = 0x3a;

let day = Number.NaN;
/** `YYYY-MM-DDT` of that day. */
const date = Buffer.alloc(DATE_LENGTH);
/** `00` to `99` and `000` to `999`, one behind the other. */
const TWO = digits(2);
const THREE = digits(3);

/** Writes what formatTime says, as bytes: it runs twice a line. */
export function writeTime(bytes: Uint8Array, at: number, us: number): void {
  const today = Math.floor(us / DAY_US);
  if (today !== day) {
    date.write(formatTime(us), 0, DATE_LENGTH, 'latin1');
    day = today;
  }
  bytes.set(date, at);
  const rest = us - today * DAY_US;
  // Whole seconds and what is left of them are small enough for integer arithmetic.
  const second = (rest / 1_000_000) | 0;
  const micro = (rest - second * 1_000_000) | 0;
  const minute = (second / 60) | 0;
  const hour = (minute / 60) | 0;
  two(bytes, at + 11, hour);
  bytes[at + 13] = COLON;
  two(bytes, at + 14, minute - hour * 60);
  bytes[at + 16] = COLON;
  two(bytes, at + 17, second - minute * 60);
  bytes[at + 19] = 0x2e;
  const milli = (micro / 1000) | 0;
  three(bytes, at + 20, milli);
  three(bytes, at + 23, micro - milli * 1000);
  bytes[at + 26] = 0x5a;
}

function two(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = TWO[value * 2]!;
  bytes[at + 1] = TWO[value * 2 + 1]!;
}

function three(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = THREE[value * 3]!;
  bytes[at + 1] = THREE[value * 3 + 1]!;
  bytes[at + 2] = THREE[value * 3 + 2]!;
}

function digits(width: number): Uint8Array {
  return Buffer.from(Array.from({ length: 10 ** width }, (_, n) => String(n).padStart(width, '0')).join(''), 'latin1');
}
