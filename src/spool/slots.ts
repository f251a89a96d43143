import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { errorCode } from '../errors.ts';
import type { SpoolFile, SpoolFs } from './files.ts';

/*
 * A small state that is written over and over: two slots, written by turns, each with a generation and a checksum. A write that is cut off leaves the
 * other slot. Files keep their size, so that a full disk does not keep them from being written.
 *
 *   0 magic 4, 4 length 4, 8 generation 8, 16 CRC-32 of what is before and behind it, 20 JSON
 */

const MAGIC = 0x5453_4c55;
const HEAD_BYTES = 20;
const PAGE_BYTES = 4096;

interface Slot {
  readonly file: SpoolFile;
  readonly at: number;
}

export interface SlotsFound {
  readonly slots: Slots;
  /** The newest state that is whole; undefined when there is none. */
  readonly state: unknown;
  /** True when there was something, and nothing of it can be read. */
  readonly damaged: boolean;
}

export class Slots {
  readonly #slots: readonly [Slot, Slot];
  /** Bytes of a slot; slots that are files of their own have none. */
  readonly #size: number;
  readonly #bounded: boolean;
  #generation: number;

  private constructor(slots: readonly [Slot, Slot], size: number, bounded: boolean, generation: number) {
    this.#slots = slots;
    this.#size = size;
    this.#bounded = bounded;
    this.#generation = generation;
  }

  /** One file of two slots of `size` bytes, made if need be; or two files, when a state may grow past any size. */
  static async open(fs: SpoolFs, path: string | readonly [string, string], size: number): Promise<SlotsFound> {
    const bounded = typeof path === 'string';
    const slots = bounded ? await oneFile(fs, path, size) : await twoFiles(fs, path);
    let newest: { generation: number; state: unknown } | undefined;
    let something = false;
    for (const { file, at } of slots) {
      const bytes = await slotBytes(file, at, bounded ? size : undefined);
      something ||= bytes.some((byte) => byte !== 0);
      const found = stateOf(bytes);
      if (found !== undefined && !(newest !== undefined && newest.generation >= found.generation)) newest = found;
    }
    const made = new Slots(slots, size, bounded, newest?.generation ?? 0);
    // A killed process may have written it without a sync, or in spite of one that failed: from now on it is relied upon.
    if (newest !== undefined) await made.write(newest.state, true).catch(() => {});
    return { slots: made, state: newest?.state, damaged: newest === undefined && something };
  }

  /** Reads the newest state without writing anything, for whoever looks on. */
  static async peek(fs: SpoolFs, path: string, size: number): Promise<unknown> {
    const file = await fs.open(path, 'read');
    try {
      const states = [];
      for (const at of [0, size]) states.push(stateOf(await slotBytes(file, at, size)));
      const [a, b] = states;
      return ((a?.generation ?? 0) > (b?.generation ?? 0) ? a : b)?.state;
    } finally {
      await file.close();
    }
  }

  /** Writes over the older slot; with `sync`, it is on the disk when this resolves. Rejects with the file system's error. */
  async write(state: unknown, sync: boolean): Promise<void> {
    const json = Buffer.from(JSON.stringify(state));
    const needed = HEAD_BYTES + json.length;
    if (this.#bounded && needed > this.#size)
      throw new RangeError(`a state of ${json.length} bytes does not fit its slot`);
    const generation = this.#generation + 1;
    const bytes = Buffer.alloc(this.#bounded ? this.#size : Math.ceil(needed / PAGE_BYTES) * PAGE_BYTES);
    bytes.writeUInt32LE(MAGIC, 0);
    bytes.writeUInt32LE(json.length, 4);
    bytes.writeBigUInt64LE(BigInt(generation), 8);
    json.copy(bytes, HEAD_BYTES);
    bytes.writeUInt32LE(sum(bytes, json.length), 16);
    const { file, at } = this.#slots[generation % 2]!;
    const written = await file.write([bytes], at);
    if (written < bytes.length) throw Object.assign(new Error('short write'), { code: 'ENOSPC' });
    if (sync) await file.datasync();
    this.#generation = generation;
  }

  async close(): Promise<void> {
    for (const file of new Set(this.#slots.map((slot) => slot.file))) await file.close();
  }
}

async function oneFile(fs: SpoolFs, path: string, size: number): Promise<[Slot, Slot]> {
  const file = await fs.open(path, 'update');
  const there = await file.size();
  if (there < 2 * size) {
    try {
      await file.write([Buffer.alloc(2 * size - there)], there);
      await file.datasync();
      await fs.syncDirectory(dirname(path));
    } catch (error) {
      // Whoever writes a slot is told.
      if (errorCode(error) !== 'ENOSPC') throw error;
    }
  }
  return [
    { file, at: 0 },
    { file, at: size },
  ];
}

async function twoFiles(fs: SpoolFs, [a, b]: readonly [string, string]): Promise<[Slot, Slot]> {
  const slots: [Slot, Slot] = [
    { file: await fs.open(a, 'update'), at: 0 },
    { file: await fs.open(b, 'update'), at: 0 },
  ];
  await fs.syncDirectory(dirname(a));
  return slots;
}

async function slotBytes(file: SpoolFile, at: number, size = 0): Promise<Buffer> {
  const bytes = Buffer.alloc(size === 0 ? await file.size() : size);
  return bytes.subarray(0, await file.read(bytes, 0, bytes.length, at));
}

function sum(slot: Buffer, length: number): number {
  return crc32(slot.subarray(HEAD_BYTES, HEAD_BYTES + length), crc32(slot.subarray(0, 16)));
}

function stateOf(slot: Buffer): { generation: number; state: unknown } | undefined {
  if (slot.length < HEAD_BYTES || slot.readUInt32LE(0) !== MAGIC) return undefined;
  const length = slot.readUInt32LE(4);
  if (HEAD_BYTES + length > slot.length || sum(slot, length) !== slot.readUInt32LE(16)) return undefined;
  const state: unknown = JSON.parse(slot.toString('utf8', HEAD_BYTES, HEAD_BYTES + length));
  return { generation: Number(slot.readBigUInt64LE(8)), state };
}
