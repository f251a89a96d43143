import { isUtf8 } from 'node:buffer';
import type { Position, Table, Tuple } from '../../src/batch.ts';
import type { Clock } from '../../src/clock.ts';
import { Decoder, type DecodeOptions } from '../../src/decode.ts';
import { LineCutter } from '../../src/framing/lines.ts';
import type { OriginFields } from '../../src/origin.ts';
import { PRIVACY_DEFAULTS } from '../../src/privacy/rules.ts';
import type { ByteSource } from '../../src/sources/source.ts';
import { UTC } from '../../src/zone.ts';

/** 2026-02-19T12:00:00Z: when everything arrives. */
export const ARRIVAL = '2026-02-19T12:00:00.000000Z';

/** A clock that stands still, until `pass` is called. */
export class StillClock implements Clock {
  now = 0;
  pass(ms: number): void {
    this.now += ms;
  }
  monotonic(): number {
    return this.now;
  }
  wall(): number {
    return Date.parse(ARRIVAL) + this.now;
  }
  async sleep(): Promise<void> {}
}

export const source: ByteSource = {
  name: 'test',
  resumes: true,
  open: () => {
    throw new Error('nothing is read here');
  },
  position: (offset) => ({ offset }),
};

export const OPTIONS: DecodeOptions = {
  constants: {},
  privacy: PRIVACY_DEFAULTS,
  zone: UTC,
  max_line_bytes: 1 << 20,
  logs: true,
  fast: true,
};

export type Fields = Record<string, unknown>;

/** One row, with what travels beside it. */
export interface Decoded {
  readonly table: Table;
  /** The JSON of the row as it is sent. */
  readonly text: string;
  readonly fields: Fields;
  readonly tuple: Tuple;
  readonly duration: number;
}

export interface Outcome {
  readonly rows: readonly Decoded[];
  /** Rows of one table. */
  readonly steps: readonly Fields[];
  readonly logs: readonly Fields[];
  readonly events: readonly Fields[];
  readonly resources: readonly Fields[];
  readonly rejections: readonly Fields[];
  readonly blank: number;
  /** Spans that were there before. */
  readonly repeated: number;
  readonly lines: number;
  readonly bytes: number;
  /** Offset of the last position. */
  readonly offset: unknown;
}

const ROW = /^\{"ts":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"[,}]/;

/** Reads all of `decoder`'s batches, and checks what must hold of every row and of every batch. */
class Reader {
  readonly rows: Decoded[] = [];
  blank = 0;
  repeated = 0;
  lines = 0;
  bytes = 0;
  offset: unknown = 0;
  /** Lines that rows and blanks took. */
  #taken = 0;
  /** The same, as the batches say it. */
  #said = 0;

  add({ batch, counts }: ReturnType<Decoder['feed']>): Position {
    this.blank += counts.blank;
    this.lines += counts.lines;
    this.bytes += counts.bytes;
    this.offset = batch.position['offset'];
    const repeated = counts.filtered.get('span') ?? 0;
    this.repeated += repeated;
    this.#taken += counts.blank + repeated;
    this.#said += batch.lines;
    for (const { table, bytes, ends, tuple, dictionary, durations } of batch.rows) {
      if (!isUtf8(bytes)) throw new Error('rows are not UTF-8');
      let start = 0;
      ends.forEach((end, n) => {
        const text = bytes.toString('utf8', start, end - 1);
        if (bytes[end - 1] !== 10) throw new Error('a row does not end in a newline');
        if (!ROW.test(text)) throw new Error(`a row does not begin with its time: ${text.slice(0, 80)}`);
        const fields = JSON.parse(text) as Fields;
        this.#taken += typeof fields['lines'] === 'number' ? fields['lines'] : 1;
        this.rows.push({ table, text, fields, tuple: dictionary[tuple[n]!]!, duration: durations[n]! });
        start = end;
      });
      if (start !== bytes.length) throw new Error('bytes behind the last row');
    }
    return batch.position;
  }

  /** Lines read = lines of events + lines of rejections + blank lines. */
  close(): Outcome {
    if (this.#taken !== this.lines || this.#said !== this.lines) {
      throw new Error(`${this.lines} lines were read; rows and blanks have ${this.#taken}, batches ${this.#said}`);
    }
    const { rows, blank, repeated, lines, bytes, offset } = this;
    const of = (table: Table): Fields[] => rows.filter((row) => row.table === table).map(({ fields }) => fields);
    return {
      rows,
      blank,
      repeated,
      lines,
      bytes,
      offset,
      steps: of('steps'),
      logs: of('logs'),
      events: of('events'),
      resources: of('resources'),
      rejections: of('rejections'),
    };
  }
}

export interface How extends Partial<DecodeOptions> {
  /** Offsets at which reads end. */
  readonly cuts?: readonly number[];
  readonly clock?: StillClock;
  /** Bytes that had been written each time that reading ended; another decoder went on from the last position. */
  readonly stops?: readonly number[];
  /** What is known of the lines beside them. */
  readonly origin?: OriginFields;
  /** What becomes of a position in between; as JSON, it is as it was. */
  readonly keep?: (position: Position) => Position;
}

/** Everything that an input becomes, cut into lines and decoded. With `logs: false` lines cannot be counted: use Decoder itself. */
export function decode(input: string | Buffer, how: How = {}): Outcome {
  const { cuts = [], stops = [], clock = new StillClock(), keep = (position) => position, origin, ...options } = how;
  const bytes = typeof input === 'string' ? Buffer.from(input) : input;
  const settings = { ...OPTIONS, ...options };
  const reader = new Reader();
  let from: Position = { offset: 0 };
  let state: ReadonlyMap<string, string> | undefined;
  const begin = (end: number): [Decoder, LineCutter] => {
    const offset = Number(from['offset']);
    const decoder = new Decoder({ ...source, own: true }, settings, clock, undefined, { offset, from, state });
    if (origin !== undefined) decoder.from(origin);
    const cutter = new LineCutter(settings.max_line_bytes, offset);
    const inside = cuts.filter((cut) => cut < end).map((cut) => cut - offset);
    for (const piece of pieces(bytes.subarray(offset, end), inside)) {
      for (const chunk of cutter.push(piece)) from = reader.add(decoder.feed(chunk));
    }
    return [decoder, cutter];
  };
  for (const stop of stops) {
    const [decoder] = begin(stop);
    from = keep(JSON.parse(JSON.stringify(reader.add(decoder.flush('nothing')))) as Position);
    state = new Map(decoder.state);
  }
  const [decoder, cutter] = begin(bytes.length);
  for (const chunk of cutter.end()) reader.add(decoder.feed(chunk));
  reader.add(decoder.flush('all'));
  return reader.close();
}

/** Copies, as reads are: a piece may outlive the others. */
export function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const inside = cuts.filter((cut) => cut > 0 && cut < bytes.length).sort((a, b) => a - b);
  const ends = [...inside, bytes.length];
  return ends.map((end, n) => Buffer.from(bytes.subarray(ends[n - 1] ?? 0, end)));
}

/** A step as flytekit's formatter writes it; what is given replaces or follows. Values are JSON text. */
export function stepLine(values: Readonly<Record<string, string>> = {}): string {
  const members = {
    asctime: '"2026-02-19 10:30:44,189"',
    name: '"flytekit.telemetry"',
    levelname: '"INFO"',
    message: '"flytekit_step"',
    event: '"flytekit_step"',
    step: '"pre_execute"',
    wall_time_s: '5e-06',
    process_time_s: '4e-06',
    status: '"success"',
    execution_id: '"a7hzqtz5cm6k2dnm7k2w"',
    task_name: '"workflows.train.fit"',
    project: '"ml"',
    domain: '"production"',
    ...values,
  };
  const written = Object.entries(members).filter(([, value]) => value !== '');
  return `{${written.map(([name, value]) => `"${name}": ${value}`).join(', ')}}`;
}
