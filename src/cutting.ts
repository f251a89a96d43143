import type { Readable, Writable } from 'node:stream';
import { wholeLines, type LastLine } from './framing/lines.ts';
import type { Reading } from './reading.ts';
import type { Opened, ByteSource } from './sources/source.ts';

/**
 * Cuts the bytes into lines, until `stop` or an error ends the reading. `ending`: `whole` if the input had an end, else what becomes of the line that
 * was being read.
 */
export function cutting(
  source: ByteSource,
  { bytes, offset }: Opened,
  reading: Reading,
  stop: AbortSignal,
): { lines: Readable; ending: () => LastLine } {
  let last: LastLine = 'whole';
  let halted = false;
  const lines = wholeLines(
    () => reading.decode.max_line_bytes,
    offset,
    () => last,
  );
  const halt = (): void => {
    if (halted) return;
    halted = true;
    // After the end of the input its last line is whole, though it may still wait to be decoded.
    if (!bytes.readableEnded) last = source.resumes ? 'left' : 'cut_short';
    stopReading(bytes, lines);
  };
  bytes.once('error', (error) => {
    reading.fail(new Error(`${source.name}: ${error.message}`, { cause: error }));
    halt();
  });
  bytes.pipe(lines);
  if (stop.aborted) halt();
  else stop.addEventListener('abort', halt, { once: true });
  lines.once('close', () => stop.removeEventListener('abort', halt));
  return { lines, ending: () => last };
}

/** Ends the reading, not the delivery: what has come out of the source goes through. */
function stopReading(bytes: Readable, lines: Writable): void {
  bytes.unpipe(lines);
  for (let rest = bytes.read() as Buffer | null; rest !== null; rest = bytes.read() as Buffer | null) lines.write(rest);
  lines.end();
  bytes.destroy();
}
