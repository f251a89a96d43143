import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import type { Batch, Position } from '../../batch.ts';
import type { ReadCounts } from '../../counters.ts';
import { UsageError } from '../../errors.ts';
import { LineCutter, type Chunk } from '../../framing/lines.ts';
import type { Intake } from '../../intake.ts';
import { count, object, shaped } from '../../shape.ts';
import type { OwnSource } from '../source.ts';
import { checkReadable } from './index.ts';
import { READ_BYTES } from './log-file.ts';

interface Decoding {
  readonly batch: Batch;
  readonly counts: ReadCounts;
}

const place = object<{ readonly offset: number }>({ offset: count });

/**
 * A file that somebody hands over, such as Fluentd's `out_exec`, and hands over again, under another name, until it hears that it is stored. What is in it tells it
 * apart, so nothing of it is stored twice: what was stored within the last hour is passed over, and what was begun is gone on with.
 *
 * Throws a UsageError when it is not there or no regular file.
 */
export function onceSource(path: string): OwnSource {
  if (checkReadable('--once', path)?.isFile() !== true)
    throw new UsageError(`--once ${path}: is no regular file; it has to be one, since it is read twice`);
  let whole = false;
  return {
    name: path,
    resumes: true,
    get whole() {
      return whole;
    },
    async run(intake, stop) {
      const file = await open(path, 'r');
      try {
        const digest = await digestOf(file, stop);
        if (!stop.aborted) whole = await store(file, path, digest, intake, stop);
      } finally {
        await file.close();
      }
    },
  };
}

async function digestOf(file: FileHandle, stop: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for await (const bytes of pieces(file, 0, stop)) hash.update(bytes);
  return hash.digest('base64url');
}

/**
 * Reads on where an earlier process has left the same content. True when all of it is committed. The record with its last rows says that it is known and forgets
 * its position: were these two records, a kill between them would leave nothing that knows it.
 */
async function store(
  file: FileHandle,
  path: string,
  digest: string,
  intake: Intake,
  stop: AbortSignal,
): Promise<boolean> {
  const name = `once:${digest}`;
  if (intake.seen(name, digest)) return true;
  const from: Position | undefined = intake.positions.get(name);
  const { offset } = shaped(place, from === undefined ? undefined : { offset: from['offset'] }) ?? { offset: 0 };
  const source = { name: path, position: (at: number): Position => ({ offset: at }) };
  let { decode } = intake;
  let decoder = intake.decoder(source, { offset, from, state: intake.state(name) });
  const appends = intake.appends({ name, resumes: true }, () => decoder.offset);
  const named = (decoded: Decoding): Decoding => ({ ...decoded, batch: { ...decoded.batch, source: name } });
  const cutter = new LineCutter(decode.max_line_bytes, offset);
  const feed = async (chunks: readonly Chunk[]): Promise<void> => {
    for (const chunk of chunks) {
      if (decode !== intake.decode) {
        ({ decode } = intake);
        cutter.limit(decode.max_line_bytes);
        const { offset: at, state } = decoder;
        decoder = intake.decoder(source, { offset: at, from: decoder.position(), state });
      }
      await appends.add(named(decoder.feed(chunk)));
    }
  };
  for await (const bytes of pieces(file, offset, stop)) await feed(cutter.push(bytes));
  if (stop.aborted) {
    await appends.end(named(decoder.flush('nothing')));
    return false;
  }
  await feed(cutter.end());
  const { batch, counts } = named(decoder.flush('all'));
  await appends.end({ batch: { ...batch, ended: true, request: digest }, counts });
  return !appends.failed;
}

async function* pieces(file: FileHandle, from: number, stop: AbortSignal): AsyncIterable<Buffer> {
  for (let at = from; !stop.aborted;) {
    // Lines are views of it until they are decoded, and no longer: but a reader may hold on to one piece while it asks for the next.
    const room = Buffer.allocUnsafeSlow(READ_BYTES);
    const { bytesRead } = await file.read(room, 0, room.length, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield room.subarray(0, bytesRead);
  }
}
