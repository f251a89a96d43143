import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { errorCode } from '../errors.ts';
import type { Log } from '../log.ts';
import type { SpoolFs } from './files.ts';
import { checksum } from './format.ts';
import { firstInIndex } from './index-table.ts';
import { spoolNames, spoolPath } from './names.ts';
import { readIndex } from './reindex.ts';
import type { Segment } from './segment.ts';

/** Of what was removed, so much stays known: 4 to 8 bytes a record, which is weeks. */
const MOST_BYTES = 64 << 20;

/** An index, compressed, behind its checksum. */
function pack(index: Buffer): Buffer {
  const packed = deflateRawSync(index, { level: 6 });
  const crc = Buffer.alloc(4);
  crc.writeUInt32LE(checksum([packed]));
  return Buffer.concat([crc, packed]);
}

/** The index that was kept; undefined when it was cut off while it was written. */
export function unpack(kept: Buffer): Buffer | undefined {
  const packed = kept.subarray(4);
  if (kept.length < 4 || checksum([packed]) !== kept.readUInt32LE(0)) return undefined;
  return inflateRawSync(packed);
}

/**
 * Removes segments, and keeps their indexes beside the others, compressed: how many rows of which table every record had. That is what `steptap audit`
 * asks the sinks about. An index that cannot be written is no reason to keep the segment.
 */
export class Retired {
  readonly #fs: SpoolFs;
  readonly #directory: string;
  readonly #log: Log;
  #sizes: Map<number, number> | undefined;

  constructor(fs: SpoolFs, directory: string, log: Log) {
    this.#fs = fs;
    this.#directory = directory;
    this.#log = log;
  }

  async remove(segment: Segment): Promise<void> {
    try {
      await this.#keepIndex(segment);
    } catch (error) {
      this.#log(
        'warning',
        `spool: the index of ${segment.path} is not kept for audits (${errorCode(error) ?? 'UNKNOWN'})`,
      );
    }
    await this.#fs.unlink(segment.path).catch((error: unknown) => {
      // Somebody else has removed it.
      if (errorCode(error) !== 'ENOENT') throw error;
    });
  }

  async #keepIndex(segment: Segment): Promise<void> {
    const file = await this.#fs.open(segment.path, 'read');
    let index: Buffer;
    try {
      index = await readIndex(file, segment.end);
    } finally {
      await file.close();
    }
    if (firstInIndex(index) === undefined) return;
    const kept = pack(index);
    const path = this.#path(segment.number);
    const out = await this.#fs.open(path, 'update');
    try {
      if ((await out.write([kept], 0)) < kept.length) {
        throw Object.assign(new Error('short write'), { code: 'ENOSPC' });
      }
    } catch (error) {
      await this.#fs.unlink(path).catch(() => {});
      throw error;
    } finally {
      await out.close();
    }
    await this.#bound(segment.number, kept.length);
  }

  async #bound(number: number, size: number): Promise<void> {
    this.#sizes ??= await this.#measure();
    this.#sizes.set(number, size);
    let bytes = 0;
    for (const each of this.#sizes.values()) bytes += each;
    for (const [oldest, its] of [...this.#sizes].sort(([a], [b]) => a - b)) {
      if (bytes <= MOST_BYTES) return;
      await this.#fs.unlink(this.#path(oldest));
      this.#sizes.delete(oldest);
      bytes -= its;
    }
  }

  async #measure(): Promise<Map<number, number>> {
    const sizes = new Map<number, number>();
    for (const { number, kind } of spoolNames(await this.#fs.list(this.#directory))) {
      if (kind !== 'idx') continue;
      const file = await this.#fs.open(this.#path(number), 'read');
      try {
        sizes.set(number, await file.size());
      } finally {
        await file.close();
      }
    }
    return sizes;
  }

  #path(number: number): string {
    return spoolPath(this.#directory, number, 'idx');
  }
}
