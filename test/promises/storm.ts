import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { line } from '../cli/parts.ts';
import type { Random } from './random.ts';

/** What kubelet keeps of a log, the one that is written among them. */
const KEPT = 5;

/** A log as containerd writes it and kubelet rotates it, much faster than either. */
export class StormLog {
  readonly path: string;
  readonly written: string[] = [];
  rotations = 0;
  readonly #random: Random;
  readonly #rotated: { path: string; readonly which: string; compressed: string }[] = [];
  #fd: number;

  constructor(path: string, random: Random) {
    mkdirSync(dirname(path), { recursive: true });
    this.path = path;
    this.#random = random;
    this.#fd = openSync(path, 'a');
  }

  /** Writes a few steps, on both streams: some whole, some that the runtime has cut, their pieces between each other's. */
  write(): void {
    const [out, err] = [this.#pieces('stdout'), this.#pieces('stderr')];
    while (out.length + err.length > 0) {
      const from = err.length === 0 || (out.length > 0 && this.#random.chance(0.5)) ? out : err;
      writeSync(this.#fd, from.shift()!);
    }
  }

  /** Renames the file in the middle of lines: of one the pieces go on in the next file, of another the last bytes come late. */
  rotate(mayGo: (files: readonly string[]) => boolean): void {
    const [out, err] = [this.#pieces('stdout', 3), this.#pieces('stderr', 2)];
    writeSync(this.#fd, out.shift()!);
    const late = err.shift()!;
    writeSync(this.#fd, late.slice(0, 40));
    const path = `${this.path}.20260219-${String(++this.rotations).padStart(6, '0')}`;
    const which = this.which;
    renameSync(this.path, path);
    this.#rotated.push({ path, which, compressed: '' });
    writeSync(this.#fd, late.slice(40));
    closeSync(this.#fd);
    this.#fd = openSync(this.path, 'a');
    for (const piece of [...err, ...out]) writeSync(this.#fd, piece);
    this.#compress();
    this.#remove(mayGo);
  }

  /** The file that is written. */
  get which(): string {
    return whichOf(this.path);
  }

  /** True when it is one of the files that there are still, compressed or not: by inode and time of birth; of a compressed one, that is the time of its first line. */
  has(which: string): boolean {
    return which === this.which || this.#rotated.some((file) => file.which === which || file.compressed === which);
  }

  end(): void {
    closeSync(this.#fd);
  }

  /** All but the newest, as kubelet does it: whoever reads may be at that one still. */
  #compress(): void {
    for (const file of this.#rotated.slice(0, -1)) {
      if (file.path.endsWith('.gz')) continue;
      const bytes = readFileSync(file.path);
      writeFileSync(`${file.path}.tmp`, gzipSync(bytes));
      renameSync(`${file.path}.tmp`, `${file.path}.gz`);
      unlinkSync(file.path);
      file.path += '.gz';
      const first_ms = Date.parse(`${bytes.toString('latin1', 0, '2026-02-19T10:30:44.189'.length)}Z`);
      file.compressed = `${statSync(file.path).ino} ${BigInt(first_ms) * 1_000_000n}`;
    }
  }

  #remove(mayGo: (files: readonly string[]) => boolean): void {
    while (this.#rotated.length > KEPT - 1 && mayGo([...this.#rotated.map((file) => file.which), this.which])) {
      unlinkSync(this.#rotated.shift()!.path);
    }
  }

  #pieces(stream: string, count = this.#random.chance(0.2) ? this.#random.between(2, 4) : 1): string[] {
    const name = `${stream} ${this.written.length}`;
    this.written.push(name);
    const text = line(name).trimEnd();
    const time = `${new Date().toISOString().slice(0, -1)}000000Z`;
    const length = Math.ceil(text.length / count);
    return Array.from({ length: count }, (_, n) => {
      const flag = n === count - 1 ? 'F' : 'P';
      return `${time} ${stream} ${flag} ${text.slice(n * length, (n + 1) * length)}\n`;
    });
  }
}

/** Inodes are used again at once. */
function whichOf(path: string): string {
  const { ino, birthtimeNs } = statSync(path, { bigint: true });
  return `${ino} ${birthtimeNs}`;
}

/** True when the process has one of the files open. */
export function holds(pid: number | undefined, files: readonly string[]): boolean {
  if (pid === undefined) return false;
  try {
    const directory = `/proc/${pid}/fd`;
    return readdirSync(directory).some((fd) => {
      try {
        return files.includes(whichOf(join(directory, fd)));
      } catch {
        return false;
      }
    });
  } catch {
    return false;
  }
}

/** How one would tail a file: what is at the path, four times a second, from where it was. A control: it loses lines. */
export async function naive(path: string, over: () => boolean): Promise<string> {
  let [text, at, ino] = ['', 0, 0];
  while (!over()) {
    const fd = openSync(path, 'r');
    const bytes = readFileSync(fd);
    const now = statSync(path).ino;
    closeSync(fd);
    if (now !== ino || bytes.length < at) at = 0;
    ino = now;
    text += bytes.toString('latin1', at);
    at = bytes.length;
    await sleep(250);
  }
  return text;
}
