import type { Batch, Table } from '../batch.ts';
import type { Clock } from '../clock.ts';
import { Decoder, type DecodeOptions } from '../decode.ts';
import { LineCutter } from '../framing/lines.ts';
import type { ByteSource } from '../sources/source.ts';

/** What an input became: the JSON of each row, as it would be stored. */
export interface Decoded {
  /** In the order of their lines. */
  readonly events: readonly string[];
  readonly rejections: readonly string[];
}

/**
 * Decodes the input as a run would. A batch has its rows by table, so it is fed line by line: then an event stands where its last line does, and what a step
 * interrupts, or stands before on its line, comes before the step.
 */
export function decoded(input: Buffer, name: string, options: DecodeOptions, now_ms: number): Decoded {
  const decoder = new Decoder(sourceOf(name), options, still(now_ms));
  const cutter = new LineCutter(options.max_line_bytes);
  const events: string[] = [];
  const rejections: string[] = [];
  const take = ({ rows }: Batch): void => {
    for (const table of ORDER) {
      for (const each of rows) {
        if (each.table === table) (table === 'rejections' ? rejections : events).push(...texts(each.bytes));
      }
    }
  };
  for (let start = 0; start < input.length;) {
    const newline = input.indexOf(10, start);
    const end = newline === -1 ? input.length : newline + 1;
    for (const chunk of cutter.push(input.subarray(start, end))) take(decoder.feed(chunk).batch);
    start = end;
  }
  for (const chunk of cutter.end()) take(decoder.feed(chunk).batch);
  take(decoder.flush('all').batch);
  return { events, rejections };
}

const ORDER: readonly Table[] = ['logs', 'events', 'steps', 'rejections'];

function texts(bytes: Buffer): string[] {
  return bytes.toString('utf8').split('\n').slice(0, -1);
}

function sourceOf(name: string): ByteSource {
  return {
    name,
    resumes: false,
    open: () => {
      throw new Error('its lines are there already');
    },
    position: (offset) => ({ offset }),
  };
}

function still(now_ms: number): Clock {
  return { monotonic: () => 0, wall: () => now_ms, sleep: async () => {} };
}
