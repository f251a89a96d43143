import type { Clock } from '../clock.ts';
import type { Observer } from '../observer.ts';
import { parseTime, storable, zoneOffset, type WrittenTime } from '../time.ts';
import { UTC, type Zone } from '../zone.ts';

/** When an event happened, and from where that is known. */
export interface When {
  us: number;
  /** `line` (its own time), `runtime` (the timestamp beside it), `arrival`. */
  from: 'line' | 'runtime' | 'arrival';
}

/** Unfinished events are looked at every half second while nothing comes. */
const LONGEST_PAUSE_MS = 600;

/**
 * Settles the time of events. A time without a zone is read in the zone the user named, unless a runtime timestamp stands beside it: that one
 * tells the zone. What cannot be stored (before 1970, after 2262) or read gives way to the runtime's timestamp, then to the arrival.
 */
export class Times {
  readonly #zone: Zone;
  readonly #clock: Clock;
  readonly #tell: Observer | undefined;
  /** Microseconds: when the batch in hand was read. */
  arrival_us = 0;
  #arrived_ms: number;
  #read_ms = 0;
  #runtime = '';
  #runtime_us = Number.NaN;

  constructor(zone: Zone, clock: Clock, tell?: Observer) {
    this.#zone = zone;
    this.#clock = clock;
    this.#tell = tell;
    this.#arrived_ms = clock.monotonic();
  }

  /** A batch begins: what has no time of its own has come now. */
  arrive(): void {
    this.arrival_us = this.#clock.wall() * 1000;
    const now = this.#clock.monotonic();
    this.#read_ms += Math.min(now - this.#arrived_ms, LONGEST_PAUSE_MS);
    this.#arrived_ms = now;
  }

  /**
   * Milliseconds that reading has taken, for how long a stream has been quiet. While a full spool holds the reading back nothing can come, and that is no
   * silence: of a long pause only the beginning counts.
   */
  monotonic(): number {
    return this.#read_ms;
  }

  /**
   * True when a zoneless time can be taken as UTC as it stands: nothing stands beside it and the user's zone is UTC, or the runtime's timestamp at
   * `[time, timeEnd)` is in UTC and in the same minute, as `2026-02-19 10:30:44,189` beside `2026-02-19T10:30:44.189512345Z`.
   */
  sameMinute(bytes: Uint8Array, local: number, time: number, timeEnd: number): boolean {
    if (time === timeEnd) return this.#zone === UTC;
    // A second of 60 or more is no time that can be read.
    if (bytes[timeEnd - 1] !== 0x5a || bytes[time + 17]! > 0x35) return false;
    for (let n = 15; n >= 0; n--) if (bytes[local + n] !== bytes[time + n] && n !== 10) return false;
    return true;
  }

  /** `local_us`: a time without a zone, as if it were UTC. */
  ofLocal(local_us: number, runtime: string): When {
    const beside = this.runtime(runtime);
    const offset = Number.isNaN(beside) ? Number.NaN : zoneOffset(local_us, beside);
    return this.#settled(Number.isNaN(offset) ? this.#zone(local_us) : local_us - offset, runtime);
  }

  /** Of a time as parseTime read it. */
  of({ us, zoned }: WrittenTime, runtime: string): When {
    const when = zoned ? this.ofUtc(us, runtime) : this.ofLocal(us, runtime);
    if (this.#tell !== undefined) this.#told(us, zoned, when, runtime, this.#tell);
    return when;
  }

  ofUtc(us: number, runtime: string): When {
    return this.#settled(us, runtime);
  }

  /** Of a line without a time of its own. */
  ofNone(runtime: string): When {
    return this.#settled(Number.NaN, runtime);
  }

  #told(us: number, zoned: boolean, when: When, runtime: string, tell: Observer): void {
    if (Number.isNaN(us)) tell.note('rule', 'the time in the line cannot be read', 'ts');
    else if (when.from !== 'line') {
      tell.note('rule', 'the time in the line is before 1970 or after 2262: no store could hold it', 'ts');
    } else if (!zoned) {
      const known = !Number.isNaN(zoneOffset(us, this.runtime(runtime)));
      const zone = `${offsetText(us - when.us)} (${known ? 'by the timestamp beside it' : '--timezone'})`;
      tell.note('rule', `no zone in it: taken as ${zone}`, 'ts');
    }
  }

  runtime(text: string): number {
    if (text === '') return Number.NaN;
    if (text !== this.#runtime) {
      this.#runtime = text;
      this.#runtime_us = parseTime(text)?.us ?? Number.NaN;
    }
    return this.#runtime_us;
  }

  #settled(us: number, runtime: string): When {
    if (storable(us)) return { us, from: 'line' };
    const beside = this.runtime(runtime);
    if (storable(beside)) return { us: beside, from: 'runtime' };
    return { us: this.arrival_us, from: 'arrival' };
  }
}

/** `UTC`, `UTC+02:00`. */
function offsetText(us: number): string {
  const minutes = Math.abs(Math.round(us / 60e6));
  const two = (number: number): string => String(number).padStart(2, '0');
  return minutes === 0 ? 'UTC' : `UTC${us < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}
