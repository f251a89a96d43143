import { decodeUtf8 } from '../bytes.ts';

type Fields = Readonly<Record<string, unknown>>;

/** A step's row as StepComposer and those of its kind write it: what each step has of its own, and behind it what all rows of one identity say alike. No column in it holds a quote. */
const STEP =
  /^\{"ts":"[^"]+",(?:"ts_start":"[^"]+",)?"dialect":"(\w+)","event":"(\w+)","kind":"step","step":"([^"\\]*)","step_raw":"[^"\\]*",(?:"step_target":"[^"\\]*",)?"status":"(\w+)","wall_time_s":([\d.e+-]+),(?:"process_time_s":([\d.e+-]+),)?("(?!error_type"|process_time_s").*)\}\n?$/;

/** Identities that are known at a time, and the longest: rows with inputs are each its own. */
const MOST = 4_096;
const LONGEST = 4_096;

/** One step. */
export class StepRow {
  readonly about: Fields;
  readonly dialect: string;
  readonly event: string;
  readonly step: string;
  readonly status: string;
  readonly wall_time_s: number;
  readonly process_time_s: number | undefined;

  constructor(
    about: Fields,
    dialect: string,
    event: string,
    step: string,
    status: string,
    wall_time_s: number,
    process_time_s: number | undefined,
  ) {
    this.about = about;
    this.dialect = dialect;
    this.event = event;
    this.step = step;
    this.status = status;
    this.wall_time_s = wall_time_s;
    this.process_time_s = process_time_s;
  }

  /** Put together when somebody asks: who knows what the row is about needs only what is the step's own. */
  get fields(): Fields {
    const { about, dialect, event, step, status, wall_time_s, process_time_s } = this;
    return { ...about, dialect, event, kind: 'step', step, status, wall_time_s, process_time_s };
  }
}

/** Reads rows of steps for the stage: what rows of one identity have in common is parsed once. It gives fewer fields than the row has: none of its times, and no name as it was written. */
export class StepRows {
  #known = new Map<string, Fields>();

  /** `row` is a byte string. Undefined for a row that is written in another way, or has fields that are seldom there. */
  read(row: string): StepRow | undefined {
    const found = STEP.exec(row);
    if (found === null) return undefined;
    const [, dialect, event, step, status, wall, process, rest] = found;
    const about = this.#about(rest!);
    if (about === undefined) return undefined;
    const process_time_s = process === undefined ? undefined : Number(process);
    return new StepRow(about, dialect!, event!, decodeUtf8(step!), status!, Number(wall), process_time_s);
  }

  #about(rest: string): Fields | undefined {
    const known = this.#known.get(rest);
    if (known !== undefined) return known;
    if (rest.length > LONGEST) return undefined;
    const about = JSON.parse(`{${decodeUtf8(rest)}}`) as Fields;
    if (this.#known.size >= MOST) this.#known = new Map();
    this.#known.set(rest, about);
    return about;
  }
}
