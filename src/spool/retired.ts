import { deflateRawSync } from 'node:zlib';
import { join } from 'node:path';
import { errorCode } from '../errors.ts';
import type { Log } from '../log.ts';
import type { SpoolFs } from './files.ts';
import { checksum } from './format.ts';
import { firstInIndex } from './index-table.ts';
import { indexOf } from './reindex.ts';
import { readSeal } from './seal.ts';
import type { Segment } from './segment.ts';

/** Of what was removed, so much stays known: 4 to 8 bytes a record, which is weeks. */
const MOST_BYTES = 64 << 20;

const NAME = /^([0-9]{12})\.idx$/;

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
      // One that was given up has no seal.
      index = (await readSeal(file))?.index ?? (await indexOf(file, segment.end)).bytes();
    } finally {
      await file.close();
    }
    if (firstInIndex(index) === undefined) return;
    const packed = deflateRawSync(index, { level: 6 });
    const crc = Buffer.alloc(4);
    crc.writeUInt32LE(checksum([packed]));
    const path = this.#path(segment.number);
    const out = await this.#fs.open(path, 'update');
    try {
      if ((await out.write([crc, packed], 0)) < crc.length + packed.length) {
        throw Object.assign(new Error('short write'), { code: 'ENOSPC' });
      }
    } catch (error) {
      await this.#fs.unlink(path).catch(() => {});
      throw error;
    } finally {
      await out.close();
    }
    await this.#bound(segment.number, crc.length + packed.length);
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
    for (const name of await this.#fs.list(this.#directory)) {
      const number = NAME.exec(name)?.[1];
      if (number === undefined) continue;
      const file = await this.#fs.open(join(this.#directory, name), 'read');
      try {
        sizes.set(Number(number), await file.size());
      } finally {
        await file.close();
      }
    }
    return sizes;
  }

  #path(number: number): string {
    return join(this.#directory, `${String(number).padStart(12, '0')}.idx`);
  }
}
